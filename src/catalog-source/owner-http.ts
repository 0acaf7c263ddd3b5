import http from "node:http";
import { z } from "zod";
import { appView } from "../catalog/views.ts";
import { catalogOverview, failingApps } from "../db/catalog-store.ts";
import type { DataDirOwner } from "../db/owner-lock.ts";
import { ConfigError, DatabaseError, NotFoundError } from "../process/errors.ts";
import type { CatalogSource } from "./port.ts";

/** The embedded database, read through the process that owns it. */

const timeoutMs = 10_000;

const statusReply = z.looseObject({
  mode: z.string(),
  failing_apps: failingApps,
  catalog: catalogOverview.nullish(),
});

/** `apiKey` is sent where there is one; the owner has the same when both read one configuration. */
export function askOwner(dataDir: string, owner: DataDirOwner, apiKey: string | null): CatalogSource {
  const address = owner.address ?? "";
  const who = `process ${owner.pid} on ${owner.host}`;

  async function ask(path: string): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await get(`${address}${path}`, apiKey);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
      throw new DatabaseError(
        "unreachable",
        code,
        `${who} owns ${dataDir} and answers on ${address}, which cannot be reached from here (${code})`,
        { cause: error },
      );
    }
    if (answer.status === 401) {
      throw new ConfigError(`${who} owns ${dataDir} and asks for its API key; set API_KEY as it is set there.`);
    }
    if (answer.status === 200 || answer.status === 404) return answer;
    throw new DatabaseError(
      "unreachable",
      String(answer.status),
      `${who} owns ${dataDir} and answered ${answer.status}`,
    );
  }

  /** What it answers may be of another version. */
  function read<T>(shape: z.ZodType<T>, { body }: Answer): T {
    const reply = shape.safeParse(body);
    if (reply.success) return reply.data;
    throw new NotFoundError(`${who} owns ${dataDir} and answers in a form that this version does not read.`);
  }

  return {
    name: `the folder ${dataDir}, read through ${who} (${address})`,
    db: null,

    async app(appid) {
      const answer = await ask(`/v1/apps/${appid}`);
      if (answer.status === 200) return read(appView, answer);
      // No such app, or no such route: a list of apps tells which.
      if ((await ask("/v1/apps?limit=1")).status === 200) return null;
      throw new NotFoundError(
        `${who} owns ${dataDir} and serves no API (API=off), so it cannot be read beside it. ` +
          "Start it with API=on, or stop it and try again.",
      );
    },

    async status() {
      const body = read(statusReply, await ask("/status"));
      const { catalog = null, failing_apps, workers: _, ...snapshot } = body;
      const seen = { seen_at: new Date().toISOString(), seen_seconds_ago: 0 };
      // Nobody else can work on an embedded database.
      return { catalog, failing_apps, workers: [{ id: owner.id, mode: body.mode, snapshot, ...seen }] };
    },

    async close() {},
  };
}

interface Answer {
  status: number;
  body: unknown;
}

/** Directly, whatever proxy is set: the owner is at hand. Throws system errors. */
function get(url: string, apiKey: string | null): Promise<Answer> {
  const headers = { accept: "application/json", ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }) };
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: new http.Agent(), headers, timeout: timeoutMs }, async (response) => {
      try {
        let text = "";
        for await (const part of response.setEncoding("utf8")) text += part;
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
      } catch (error) {
        reject(error);
      }
    });
    request.on("error", reject);
    request.on("timeout", () => request.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })));
  });
}
