import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { openApp } from "../../src/commands/app.ts";
import { openSupabase } from "../../src/db/supabase.ts";
import { probe } from "../../src/doctor/probe.ts";
import { createS3Store } from "../../src/library/s3-store.ts";
import { loadConfig } from "../../src/process/config.ts";
import { createLifecycle, exitCodeOf } from "../../src/process/lifecycle.ts";
import { createLogger, createOutput } from "../../src/process/logger.ts";
import { createWebClient } from "../../src/web/client.ts";
import { openTestDatabase } from "../support/databases.ts";
import { silent } from "../support/templates.ts";

/** What becomes of the service key when a gateway repeats it or sends it elsewhere. */

/** Of the shape of no known key, so that only its value gives it away. */
const serviceKey = "kX7-q_Zr9+Wb/3mTtY8.vNcL2pQ0aB4";

/** Ways to say a text, as gateways do that show the request's headers. */
const sayings: readonly ((key: string) => string)[] = [
  (key) => `{"message":"denied","apikey":"${key}","authorization":"Bearer ${key}"}`,
  (key) => JSON.stringify({ message: `headers: ${JSON.stringify({ apikey: key })}` }),
  (key) => `<p>Authorization: Basic ${Buffer.from(`service:${key}`).toString("base64")}</p>`,
  (key) => `apikey=${[...key].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join("")}`,
  (key) => `upstream said ${key.replace(/(.{9})/g, "$1\r\n  ")}`,
  (key) => `<pre>${key.replace(/(.{8})/g, "$1<wbr>")}</pre>`,
  (key) => `sent ${key.slice(0, 15)}…`,
  (key) => JSON.stringify({ message: "denied", code: key }),
];

/** Pieces of the key of 12 characters that a text holds, also encoded or broken over lines. */
function piecesIn(text: string, key = serviceKey): string[] {
  const bare = (words: string) => words.replace(/<[^>]*>|\\[nrt]|[\s\\]/g, "");
  const forms = [
    key,
    ...["", ":", "::"].map((before) =>
      Buffer.from(before + key)
        .toString("base64")
        .slice(4, -4),
    ),
  ];
  const decoded = text.replace(/%([0-9a-f]{2})/gi, (_found, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return [bare(text), bare(decoded)].flatMap((said) =>
    forms.flatMap((form) =>
      Array.from({ length: form.length - 11 }, (_, at) => form.slice(at, at + 12)).filter((piece) =>
        said.includes(piece),
      ),
    ),
  );
}

async function serveHttp(
  answer: (headers: IncomingHttpHeaders, url: string) => [number, string, Record<string, string>?],
) {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((request, reply) => {
    seen.push(request.headers);
    const [status, body, headers = {}] = answer(request.headers, request.url ?? "");
    reply.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

test("(control) finds pieces of a key in every saying", () => {
  for (const say of sayings) expect(piecesIn(say(serviceKey)).length).toBeGreaterThan(0);
});

test("repeats no piece of the key that a gateway sends back, whatever its status", async () => {
  let said = "";
  let status = 200;
  const { url } = await serveHttp(({ apikey }) => [status, said || String(apikey)]);
  const db = await openSupabase({ url, serviceKey, logger: silent, schemaCacheWaitMs: 0 });
  for (const say of sayings) {
    said = say(serviceKey);
    // 200: what cannot be parsed is quoted by the parser.
    for (status of [401, 503, 500, 200]) {
      const error = await db.rpc("pics_state").then(
        () => null,
        (reason: { code: string; message: string }) => `${reason.code} ${reason.message}`,
      );
      expect([said, status, error, piecesIn(error ?? "")]).toEqual([said, status, error, []]);
    }
  }
});

test("sends the key to no address that a redirect names, and says what to correct", async () => {
  const other = await serveHttp(() => [200, "1"]);
  for (const status of [301, 302, 303, 307, 308]) {
    for (const location of [
      `${other.url}/rest/v1/rpc/pics_state?apikey=${serviceKey}`,
      "//localhost/x",
      "/other",
      "",
    ]) {
      const gateway = await serveHttp(() => [status, "", location ? { location } : {}]);
      const db = await openSupabase({ url: gateway.url, serviceKey, logger: silent });
      const error = await db.rpc("pics_state").catch((reason: unknown) => reason);
      expect(error).toMatchObject({ fault: "misconfigured", code: "redirect", atConnection: true });
      const target = location.startsWith(other.url) ? other.url : "another address";
      expect(String(error)).toContain(
        `HTTP ${status}: SUPABASE_URL redirects to ${target} (set SUPABASE_URL to the project's own address`,
      );
      expect(exitCodeOf(error)).toBe(2);
      expect(gateway.seen).toHaveLength(1);
    }
  }
  expect(other.seen).toEqual([]);
});

test("no other request with a secret follows a redirect", async () => {
  const other = await serveHttp(() => [200, "{}"]);
  const { url, seen } = await serveHttp(() => [307, "", { location: `${other.url}/` }]);
  for (const [name, value] of Object.entries({
    AWS_ENDPOINT_URL_S3: url,
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: "id",
    AWS_SECRET_ACCESS_KEY: serviceKey,
  })) {
    vi.stubEnv(name, value);
  }
  onTestFinished(() => void vi.unstubAllEnvs());
  const limits = loadConfig({}).web.limits;
  const web = createWebClient({ limits, retryAttempts: 0, reserve: async ({ block }) => block, logger: silent });
  const { signal } = new AbortController();
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const post = { method: "POST", signal, url } as const;
  const requests = [
    web.json("steam_web_api", { url, searchParams: { key: serviceKey }, signal }, z.unknown()),
    web.json("twitch", { ...post, headers: form, body: `client_secret=${serviceKey}` }, z.unknown()),
    web.json("igdb", { ...post, headers: { authorization: `Bearer ${serviceKey}` }, body: "fields id;" }, z.unknown()),
    createS3Store("library").put("a.json", "{}", "application/json"),
  ];
  const results = await Promise.allSettled(requests);
  expect(results.map((result) => result.status)).toEqual(Array(4).fill("rejected"));
  expect(await probe({ url, headers: { authorization: `Bearer ${serviceKey}` } }, 5_000)).toMatchObject({
    status: 307,
  });
  expect(seen.length).toBeGreaterThanOrEqual(5);
  expect(other.seen).toEqual([]);
});

test("serves, stores and logs no piece of the key that the gateway of a project repeats", async () => {
  const database = await openTestDatabase("supabase");
  onTestFinished(() => database.close());
  const { api } = database;
  if (!api) throw new Error("no API");
  const key = api.serviceKey;
  const stream = new PassThrough();
  const logger = createLogger({
    level: "trace",
    output: createOutput(stream as unknown as NodeJS.WriteStream),
    secrets: [key],
  });
  // Errors of the first calls stay in the status as the last error.
  api.faults.answer(503, { times: 2 }, sayings.map((say) => say(key)).join("\n"));
  const host = { on() {}, off() {}, exit() {} };
  const lifecycle = createLifecycle({ kind: "service", logger, process: host });
  onTestFinished(() => lifecycle.exitWith(0));
  const env = { SUPABASE_URL: api.url, SUPABASE_SERVICE_KEY: key, HOST: "127.0.0.1", PORT: "0" };
  const context = { config: loadConfig(env), output: createOutput(new PassThrough() as never), logger, lifecycle };
  await openApp(context, { mode: "change_monitor", isService: true, isWorker: true });

  let rows = "";
  await expect
    .poll(async () => {
      rows = JSON.stringify(await database.sql("select snapshot from workers"));
      return rows;
    })
    .toContain("HTTP 503");
  const lines = String(stream.read());
  const base = /Server listening at (http:[^"]+)/.exec(lines)?.[1] ?? "";
  const paths = ["/status", "/health", "/ready", "/metrics"];
  const served = (await Promise.all(paths.map(async (path) => (await fetch(base + path)).text()))).join("\n");
  for (const text of [served, rows, lines]) {
    expect(text).toContain("503");
    expect(piecesIn(text, key)).toEqual([]);
  }
});
