import http from "node:http";
import { z } from "zod";
import { branchView, depotView } from "../catalog/content-views.ts";
import { appView } from "../catalog/views.ts";
import type { DataDirOwner } from "../db/owner-lock.ts";
import { catalogOverview, failingApps, webhookCounts } from "../db/sync-calls.ts";
import type { Config } from "../process/config.ts";
import { ConfigError, DatabaseError, errorCode, NotFoundError } from "../process/errors.ts";
import type { CatalogSource } from "./port.ts";

const timeoutMs = 10_000;

const branchList = z.object({ data: z.array(branchView) });
const notFound = z.object({ detail: z.string() });
const depotList = z.object({ data: z.array(depotView) });
const statusReply = z.looseObject({
  mode: z.string(),
  failing_apps: failingApps,
  catalog: catalogOverview.nullish(),
});

/**
 * Reads the embedded database through the HTTP server of the process that owns it. The API key and one of the allowed hosts are sent when they
 * are set; they are the owner's when both processes read the same configuration.
 */
export function openOwnerSource(
  dataDir: string,
  owner: DataDirOwner,
  { apiKey, allowedHosts }: Pick<Config["http"], "apiKey" | "allowedHosts">,
): CatalogSource {
  const headers = {
    accept: "application/json",
    ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }),
    ...(allowedHosts[0] !== undefined && { host: allowedHosts[0].replace(/^\./, "any.") }),
  };
  const address = owner.address ?? "";
  const ownerName = `process ${owner.pid} on ${owner.host}`;

  async function request(path: string): Promise<Reply> {
    const reply = await get(`${address}${path}`, headers).catch((error: unknown) => {
      const code = errorCode(error) ?? "unknown";
      const message = `${ownerName} owns ${dataDir} and serves ${address}, which is unreachable from here (${code})`;
      throw new DatabaseError("unreachable", code, message, { cause: error });
    });
    if (reply.status === 200 || reply.status === 404) return reply;
    if (reply.status === 401) {
      throw new ConfigError(`${ownerName} owns ${dataDir} and requires an API key; set API_KEY to the same value.`);
    }
    if (reply.status === 421) {
      throw new ConfigError(
        `${ownerName} owns ${dataDir} and serves other hosts; set ALLOWED_HOSTS to the same value.`,
      );
    }
    const message = `${ownerName} owns ${dataDir} and answered with status ${reply.status}`;
    throw new DatabaseError("unreachable", String(reply.status), message);
  }

  /** The owner may run another version, with replies of another shape. */
  function parse<T>(shape: z.ZodType<T>, { body }: Reply): T {
    const parsed = shape.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new NotFoundError(`${ownerName} owns ${dataDir} and sent a reply that this version cannot read.`);
  }

  return {
    name: `the folder ${dataDir}, read through ${ownerName} (${address})`,
    db: null,

    async app(appid) {
      const reply = await request(`/v1/apps/${appid}`);
      if (reply.status === 200) {
        const [branches, depots] = await Promise.all([
          request(`/v1/apps/${appid}/branches`),
          request(`/v1/apps/${appid}/depots`),
        ]);
        return {
          app: parse(appView, reply),
          branches: parse(branchList, branches).data,
          // 404: depots are not kept.
          depots: depots.status === 404 ? null : parse(depotList, depots).data,
        };
      }
      // 404 means no such app, or no API at all; the list of apps exists only with the API.
      if ((await request("/v1/apps?limit=1")).status === 200) return null;
      throw new NotFoundError(
        `${ownerName} owns ${dataDir} and serves no API (API=off), so its database cannot be read. ` +
          "Start it with API=on, or stop it and try again.",
      );
    },

    async whyNotStored(appid) {
      const reply = notFound.safeParse((await request(`/v1/apps/${appid}`)).body);
      return /APP_TYPES/.test(reply.data?.detail ?? "") ? (reply.data?.detail ?? null) : null;
    },

    async status() {
      const body = parse(statusReply, await request("/status"));
      const { catalog = null, failing_apps, workers: _, ...snapshot } = body;
      const seen = { seen_at: new Date().toISOString(), seen_seconds_ago: 0 };
      // The owner is the only worker of an embedded database.
      const workers = [{ id: owner.id, mode: body.mode, snapshot, ...seen }];
      return {
        catalog,
        failing_apps,
        workers,
        webhooks: webhookCounts.nullish().catch(null).parse(body.webhooks) ?? null,
      };
    },

    async close() {},
  };
}

interface Reply {
  status: number;
  body: unknown;
}

/** GET without a proxy, even when one is set: the owner is on this machine or its network. Follows no redirect, which would carry the key. Throws system errors. */
function get(url: string, headers: Record<string, string>): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: new http.Agent(), headers, timeout: timeoutMs }, async (response) => {
      try {
        let text = "";
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
      } catch (error) {
        reject(error);
      }
    });
    request.on("error", reject);
    request.on("timeout", () => request.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })));
  });
}
