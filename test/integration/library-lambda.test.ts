import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { Context } from "aws-lambda";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { writeEnrichedCsv } from "../../src/library/csv.ts";
import type { EnrichedGame, IgdbGame } from "../../src/library/rows.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { differencesOf } from "../support/dump.ts";
import {
  apiKey,
  customName,
  dumpLibrary,
  generateWorld,
  type LibraryWeb,
  lambdaContext,
  readLibrary,
  simulateLibraryWeb,
  steamId,
} from "../support/library.ts";
import { startS3, type TestS3 } from "../support/s3.ts";
import { execute, type StateMachine } from "../support/state-machine.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { asRoutes } from "../support/web/web-api.ts";
import { enrichedGame, igdbGame } from "../unit/library/samples.ts";

/** The Lambda handlers: from the sources in this process, and as deployed bundles in a child process. */

type Answer = Record<string, unknown> & { success: boolean };
type Handler = (event: unknown, context: Context) => Promise<Answer>;
interface Handlers {
  steam: Handler;
  igdb: Handler;
  database: Handler;
}

const { library, dump } = generateWorld(11, 120);
const privateId = "76561198000000002";
const missingId = "76561198000000003";
const closedPort = "http://127.0.0.1:9";

let database: TestDatabase;
let s3: TestS3;
let web: LibraryWeb;

beforeAll(async () => {
  // Each simulated execution environment adds a listener to stdout, and here they share it.
  process.stdout.setMaxListeners(50);
  [database, s3] = await Promise.all([
    openTestDatabase("postgres", { prepare: "select library_create_tables('{}')" }),
    startS3("imports-of-libraries"),
  ]);
});
afterAll(async () => {
  await database.close();
  await s3.close();
});

const environment = (): Record<string, string> => ({
  ...database.env,
  ...s3.env,
  AWS_MAX_ATTEMPTS: "1",
  STEAM_API_KEY: apiKey,
  IGDB_CLIENT_ID: web.igdb.clientId,
  IGDB_CLIENT_SECRET: web.igdb.clientSecret,
  IGDB_API_LIMIT: "6000/second",
  LIBRARY_TABLES: "own",
  RETRY_ATTEMPTS: "0",
  LOG_LEVEL: "silent",
  // Vitest sets MODE, which the service would reject.
  MODE: "",
  POWERTOOLS_TRACE_ENABLED: "false",
  POWERTOOLS_METRICS_DISABLED: "true",
  POWERTOOLS_LOG_LEVEL: "SILENT",
});

beforeEach(async () => {
  await database.sql(
    'truncate "ImportedGame", "Game", "LibraryItem", "Genre", "Platform", igdb_answers, web_tokens, web_api_usage cascade',
  );
  web = simulateLibraryWeb({ libraries: { [steamId]: library, [privateId]: "private", [missingId]: "missing" }, dump });
});

/** Loads the handlers in a fresh execution environment with changed variables. */
async function coldStart(changes: Record<string, string | undefined> = {}): Promise<Handlers> {
  vi.unstubAllEnvs();
  for (const [name, value] of Object.entries({ ...environment(), ...changes })) vi.stubEnv(name, value);
  vi.stubGlobal("fetch", web.fetch);
  vi.resetModules();
  const [steam, igdb, importer] = await Promise.all([
    import("../../src/lambda/steam-import.ts"),
    import("../../src/lambda/igdb-enrichment.ts"),
    import("../../src/lambda/database-import.ts"),
  ]);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.unstubAllGlobals();
  });
  const [first, second, third] = [steam, igdb, importer].map(({ handler }) => handler as unknown as Handler);
  if (!first || !second || !third) throw new Error("a handler is missing");
  return { steam: first, igdb: second, database: third };
}

const call = (handler: Handler, event: unknown, remainingMs?: number) => handler(event, lambdaContext(remainingMs));

async function importAll(
  handlers: Handlers,
  user_id: string,
  execution_id?: string,
  profile = steamId,
): Promise<Answer[]> {
  const common = { user_id, ...(execution_id && { execution_id }) };
  const first = await call(handlers.steam, { ...common, steam_id64: profile });
  const second = await call(handlers.igdb, { ...common, s3_location: first.s3_location });
  const third = await call(handlers.database, { ...common, s3_enriched_location: second.s3_enriched_location });
  return [first, second, third];
}

const connections = () =>
  database.sql<{ pid: number }>(
    "select pid from pg_stat_activity where datname = current_database() and application_name = 'steam-pics-sync' and query ~ 'library_|web_'",
  );

describe("the Lambda handlers", () => {
  it("answer in snake_case, and share one connection and one token across invocations", async () => {
    const handlers = await coldStart();
    const [first, second, third] = await importAll(handlers, "u1", "run-1");
    expect(first).toEqual({
      success: true,
      user_id: "u1",
      steam_id64: steamId,
      s3_location: `s3://${s3.bucket}/imports/u1/run-1-raw.csv`,
      game_count: 120,
      skipped_count: 0,
      skipped: [],
    });
    expect(second).toEqual({
      success: true,
      user_id: "u1",
      s3_enriched_location: `s3://${s3.bucket}/imports/u1/run-1-enriched.csv`,
      stats: {
        processed: 120,
        matched: expect.any(Number),
        unmatched: expect.any(Number),
        filtered: expect.any(Number),
      },
    });
    expect(third).toEqual({
      success: true,
      user_id: "u1",
      stats: expect.objectContaining({ imported_games_created: 120, imported_games_updated: 0 }),
    });
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
    const cold = await connections();
    // The stages share this process, hence one runtime.
    expect(cold).toHaveLength(1);

    const [, , again] = await importAll(handlers, "u1", "run-2", customName);
    expect(again?.stats).toMatchObject({ imported_games_created: 0, games_created: 0, library_items_created: 0 });
    expect(await connections()).toEqual(cold);
    expect(web.igdb.tokens).toHaveLength(1);
    // Another execution environment reads the token from the database.
    await database.sql("truncate igdb_answers");
    await importAll(await coldStart(), "u1", "run-3");
    expect(web.igdb.tokens).toHaveLength(1);
    expect(await database.sql("select used from web_api_usage where endpoint = 'steam_web_api'")).toEqual([
      // One of them resolves the custom name.
      { used: 4 },
    ]);
  });

  it("overwrite the objects of a retried execution, and write new ones without an execution id", async () => {
    const handlers = await coldStart();
    const before = await s3.objects();
    await importAll(handlers, "u2", "retried");
    await importAll(handlers, "u2", "retried");
    const ofRun = ["imports/u2/retried-enriched.csv", "imports/u2/retried-raw.csv"];
    expect((await s3.objects()).filter((key) => !before.includes(key))).toEqual(ofRun);
    await importAll(handlers, "u2");
    await importAll(handlers, "u2");
    expect((await s3.objects()).filter((key) => key.startsWith("imports/u2/"))).toHaveLength(6);
  });

  it.each([
    ["a private profile", { steam_id64: privateId }, /not public/],
    ["a custom name without a match", { steam_id64: "https://steamcommunity.com/id/unused" }, /custom name "unused"/],
    ["a missing profile", { steam_id64: missingId }, /76561198000000003 does not exist/],
    ["an invalid event", { user_id: "../u2", steam_id64: 7 }, /^Invalid event: user_id: .*steam_id64: /],
  ])("answer success: false for %s", async (_, event, error) => {
    const { steam } = await coldStart();
    const before = await s3.objects();
    const answer = await call(steam, { user_id: "u1", ...event });
    expect(answer).toEqual({ success: false, error: expect.stringMatching(error) });
    expect(await s3.objects()).toEqual(before);
  });

  it("answer success: false for an event that is no object", async () => {
    for (const handler of Object.values(await coldStart())) {
      expect(await call(handler, null)).toEqual({ success: false, error: expect.stringMatching(/^Invalid event: /) });
    }
  });

  it("answer success: false for a wrong Steam key and wrong Twitch credentials, without leaking them", async () => {
    const { steam } = await coldStart({ STEAM_API_KEY: "WRONG-KEY-0123456789" });
    const refused = await call(steam, { user_id: "u1", steam_id64: steamId });
    expect(refused).toEqual({ success: false, error: expect.stringMatching(/STEAM_API_KEY.*401/) });
    expect(JSON.stringify(refused)).not.toContain("WRONG-KEY");

    for (const wrong of [
      { IGDB_CLIENT_ID: "wrong-client-0123456789" },
      { IGDB_CLIENT_SECRET: "wrong-secret-0123456789" },
    ]) {
      const handlers = await coldStart(wrong);
      const { s3_location } = await call(handlers.steam, { user_id: "u1", steam_id64: steamId });
      const answer = await call(handlers.igdb, { user_id: "u1", s3_location });
      expect(answer).toEqual({
        success: false,
        error: expect.stringMatching(/IGDB_CLIENT_ID and IGDB_CLIENT_SECRET \(40[03]\)/),
      });
      expect(JSON.stringify(answer)).not.toContain(Object.values(wrong)[0]);
    }
  });

  it("answer success: false when a key of their stage is missing", async () => {
    const { steam } = await coldStart({ STEAM_API_KEY: "" });
    expect(await call(steam, { user_id: "u1", steam_id64: steamId })).toMatchObject({
      success: false,
      error: expect.stringMatching(/STEAM_API_KEY/),
    });
    const handlers = await coldStart({ IGDB_CLIENT_ID: "", IGDB_CLIENT_SECRET: "" });
    const { s3_location } = await call(handlers.steam, { user_id: "u1", steam_id64: steamId });
    expect(await call(handlers.igdb, { user_id: "u1", s3_location })).toMatchObject({
      success: false,
      error: expect.stringMatching(/IGDB_CLIENT_ID/),
    });
  });

  it("answer success: false for files of another user, bucket or stage, and for missing files", async () => {
    const handlers = await coldStart();
    const [first, second] = await importAll(handlers, "owner", "run");
    const { s3_location: raw } = first as { s3_location: string } & Answer;
    const { s3_enriched_location: enriched } = second as { s3_enriched_location: string } & Answer;
    const bucket = `s3://${s3.bucket}`;
    const cases: [Handler, string, string, string, RegExp][] = [
      [handlers.igdb, "s3_location", "other", raw, /not belong to user other/],
      [handlers.database, "s3_enriched_location", "other", enriched, /not belong to user other/],
      [handlers.igdb, "s3_location", "owner", enriched, /not belong to user owner/],
      [handlers.database, "s3_enriched_location", "owner", raw, /not belong to user owner/],
      [handlers.igdb, "s3_location", "owner", raw.replace(bucket, "s3://others"), /not in the bucket/],
      [handlers.database, "s3_enriched_location", "owner", "file:///etc/passwd", /not in the bucket/],
      [handlers.igdb, "s3_location", "owner", `${bucket}/imports/owner/nothing-raw.csv`, /object .* does not exist/],
      [
        handlers.igdb,
        "s3_location",
        "owner",
        `${bucket}/imports/owner/../other/run-raw.csv`,
        /not belong to user owner/,
      ],
      [handlers.database, "s3_enriched_location", "owner", "https://example.org/a-enriched.csv", /must be s3:/],
    ];
    for (const [handler, field, user_id, location, error] of cases) {
      expect(await call(handler, { user_id, [field]: location })).toEqual({
        success: false,
        error: expect.stringMatching(error),
      });
    }
  });

  it("throw transient failures, and succeed in a later attempt", async () => {
    const handlers = await coldStart();
    const event = { user_id: "u1", steam_id64: steamId, execution_id: "trouble" };
    for (const status of [429, 500, 503] as const) {
      web.steam.faults.add({ fault: { status } });
      await expect(call(handlers.steam, event)).rejects.toThrow(`answered ${status}`);
    }
    const { s3_location } = await call(handlers.steam, event);
    for (const status of [429, 500, 502] as const) {
      // The second time for the query that distinguishes an outage from a query that IGDB refuses.
      const restore = web.igdb.faults.add({ on: { kind: "external_games" }, fault: { status }, times: 2 });
      await expect(call(handlers.igdb, { user_id: "u1", s3_location })).rejects.toThrow(`answered ${status}`);
      restore();
    }
    web.igdb.faults.add({ on: { kind: "token" }, fault: { status: 500 } });
    await database.sql("delete from web_tokens");
    await expect(call(handlers.igdb, { user_id: "u1", s3_location })).rejects.toThrow("answered 500");
    const { s3_enriched_location } = await call(handlers.igdb, { user_id: "u1", s3_location });
    await call(handlers.database, { user_id: "u1", s3_enriched_location });
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
  });

  it("throw when the bucket is unreachable", async () => {
    const { s3_location } = await call((await coldStart()).steam, { user_id: "u1", steam_id64: steamId });
    const handlers = await coldStart({ AWS_ENDPOINT_URL_S3: closedPort });
    await expect(call(handlers.steam, { user_id: "u1", steam_id64: steamId })).rejects.toThrow(/ECONNREFUSED/);
    await expect(call(handlers.igdb, { user_id: "u1", s3_location })).rejects.toThrow(/ECONNREFUSED/);
  });

  it("throw when the database is unreachable until shortly before the Lambda timeout", async () => {
    const [first, second] = await importAll(await coldStart(), "u1", "away");
    const handlers = await coldStart({ DATABASE_URL: "postgres://someone:secret-word@127.0.0.1:9/nothing" });
    const failures = await Promise.allSettled([
      call(handlers.igdb, { user_id: "u1", s3_location: first?.s3_location }, 6_500),
      call(handlers.database, { user_id: "u1", s3_enriched_location: second?.s3_enriched_location }, 6_500),
    ]);
    for (const failure of failures) {
      expect(failure).toMatchObject({ status: "rejected", reason: { name: "DatabaseError", fault: "unreachable" } });
    }
    expect(inspect(failures)).not.toContain("secret-word");
  });

  it("throw without S3_BUCKET or a shared database", async () => {
    const event = { user_id: "u1", steam_id64: steamId };
    await expect(call((await coldStart({ S3_BUCKET: "" })).steam, event)).rejects.toThrow(/S3_BUCKET/);
    await expect(call((await coldStart({ DATABASE_URL: "" })).steam, event)).rejects.toThrow(/DATABASE_URL/);
  });

  /** A Secrets Manager whose one secret can be replaced; a text is served as it is. */
  async function startSecrets() {
    const asked: unknown[] = [];
    const secrets = { arn, asked, value: {} as object | string, env: {} as Record<string, string> };
    const server = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part);
      asked.push([request.headers["x-amz-target"], JSON.parse(Buffer.concat(parts).toString())]);
      const SecretString = typeof secrets.value === "string" ? secrets.value : JSON.stringify(secrets.value);
      response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
      response.end(JSON.stringify({ ARN: arn, Name: "imports", VersionId: "1", SecretString }));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    secrets.env = { SECRET_ARN: arn, AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${port}` };
    for (const name of secretNames) secrets.env[name] = "";
    return secrets;
  }
  const arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:imports-AbCdEf";
  const secretNames = ["STEAM_API_KEY", "IGDB_CLIENT_ID", "IGDB_CLIENT_SECRET", "DATABASE_URL"] as const;
  const secretOf = () => Object.fromEntries(secretNames.map((name) => [name, environment()[name] ?? ""]));

  it("read secret variables from Secrets Manager, once while they work", async () => {
    const secrets = await startSecrets();
    secrets.value = secretOf();
    const answers = await importAll(await coldStart(secrets.env), "u1", "secret");
    expect(answers.map(({ success }) => success)).toEqual([true, true, true]);
    expect(secrets.asked).toEqual([["secretsmanager.GetSecretValue", expect.objectContaining({ SecretId: arn })]]);
  });

  it("read the secret again when a key or password is refused, and use a rotated one in the same invocation", async () => {
    const secrets = await startSecrets();
    const right = secretOf();
    const wrongUrl = new URL(right.DATABASE_URL ?? "");
    wrongUrl.password = "old-password";
    const wrong = { STEAM_API_KEY: "OLD-KEY-0123456789", IGDB_CLIENT_SECRET: "old-secret-0123456789" };
    secrets.value = { ...right, ...wrong, DATABASE_URL: wrongUrl.href };
    const handlers = await coldStart(secrets.env);
    const event = { user_id: "u1", steam_id64: steamId };
    await expect(call(handlers.steam, event)).rejects.toMatchObject({ name: "DatabaseError", fault: "denied" });
    expect(secrets.asked).toHaveLength(2);

    secrets.value = { ...right, ...wrong };
    expect(await call(handlers.steam, event)).toMatchObject({ success: false, error: expect.stringMatching(/401/) });
    // One re-read and one repetition per invocation.
    expect(secrets.asked).toHaveLength(3);
    secrets.value = { ...right, IGDB_CLIENT_SECRET: wrong.IGDB_CLIENT_SECRET };
    const raw = await call(handlers.steam, event);
    expect(raw.success).toBe(true);
    expect(await call(handlers.igdb, { user_id: "u1", ...raw })).toMatchObject({ success: false });
    expect(secrets.asked).toHaveLength(5);
    secrets.value = right;
    const enriched = await call(handlers.igdb, { user_id: "u1", ...raw });
    expect(enriched.success).toBe(true);
    expect((await call(handlers.database, { user_id: "u1", ...enriched })).success).toBe(true);
    expect(secrets.asked).toHaveLength(6);
  });

  it("show no part of a broken secret", async () => {
    const secrets = await startSecrets();
    const { steam } = await coldStart(secrets.env);
    const broken = [
      '{"STEAM_API_KEY": "LEAK-0123456789",}',
      '{"STEAM_API_KEY": "LEAK-0123456789"',
      "LEAK-0123456789",
      '"LEAK-0123456789"',
      '["LEAK-0123456789"]',
      '{"LEAK-0123456789": ""}',
      '{"STEAM_API_KEY": {"value": "LEAK-0123456789"}}',
      "null",
      "",
    ];
    for (secrets.value of broken) {
      const failure: unknown = await call(steam, { user_id: "u1", steam_id64: steamId }).catch((error) => error);
      expect([secrets.value, failure]).toEqual([
        secrets.value,
        expect.objectContaining({ name: "ConfigError", message: expect.stringContaining(`The secret ${arn} must`) }),
      ]);
      expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain("LEAK");
    }
  });

  it("answer success: false for files and values that no retry can import", async () => {
    const handlers = await coldStart();
    const client = s3.client();
    const put = async (name: string, Body: string | Uint8Array) => {
      const Key = `imports/u1/${name}`;
      await client.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body, ContentLength: Buffer.byteLength(Body) }));
      return `s3://${s3.bucket}/${Key}`;
    };
    const game = (igdb: Partial<IgdbGame>, others: Partial<EnrichedGame> = {}) =>
      writeEnrichedCsv([enrichedGame({ igdb: igdbGame(igdb), ...others })]);
    const slug = { id: 1, name: "Action", slug: "a\u0000" };
    const files: [string | Uint8Array, RegExp][] = [
      ["", /Line 1/],
      ["no csv at all", /Line 1/],
      [Buffer.from([0, 255, 254, 10, 34, 13]), /Line 2/],
      ["<?xml version='1.0'?>\n<Error/>\n", /Line 1/],
      [game({ id: 2 ** 31 }), /Line 2: .*id/],
      [game({}, { appid: 2 ** 31 }), /Line 2: appid/],
      [game({}, { playtime_forever: 1e21 }), /Line 2: playtime_forever/],
      [game({ genres: [{ ...slug, id: 2 ** 40 }] }), /Line 2: .*genres/],
      [game({}, { name: "NUL\u0000" }), /The database rejects a value: library_apply/],
      [game({ slug: "NUL\u0000" }), /The database rejects a value: library_apply/],
      [game({ genres: [slug] }), /The database rejects a value: library_apply/],
      [game({ release_date: "the day after" }), /The database rejects a value: library_apply/],
      [game({}, { last_played_at: "300000-01-01T00:00:00Z" }), /The database rejects a value: library_apply/],
    ];
    for (const [index, [body, error]] of files.entries()) {
      const s3_enriched_location = await put(`odd-${index}-enriched.csv`, body);
      const answer = await call(handlers.database, { user_id: "u1", s3_enriched_location });
      expect([index, answer]).toEqual([index, { success: false, error: expect.stringMatching(error) }]);
    }
    const s3_location = await put("odd-raw.csv", game({}));
    expect(await call(handlers.igdb, { user_id: "u1", s3_location })).toMatchObject({ success: false });
    for (const name of [
      "a\u0000-raw.csv",
      "a\n-raw.csv",
      "..-raw.csv",
      "a b-raw.csv",
      "-raw.csv",
      `${"a".repeat(2_000)}-raw.csv`,
    ]) {
      const location = `s3://${s3.bucket}/imports/u1/${name}`;
      expect([name, await call(handlers.igdb, { user_id: "u1", s3_location: location })]).toEqual([
        name,
        { success: false, error: expect.any(String) },
      ]);
    }
  });

  it("import into Supabase", async () => {
    const supabase = await openTestDatabase("supabase");
    onTestFinished(() => supabase.close());
    const simulated = web.fetch;
    const real = globalThis.fetch;
    web.fetch = (input, init) =>
      (String(input instanceof Request ? input.url : input).startsWith(supabase.api?.url ?? "-") ? real : simulated)(
        input,
        init,
      );
    const answers = await importAll(await coldStart({ DATABASE_URL: "", ...supabase.env }), "u1", "supabase");
    expect(answers.map(({ success }) => success)).toEqual([true, true, true]);
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(supabase.sql))).toEqual([]);
  });
});

describe("the state machine with the Lambda handlers", () => {
  const definition = fileURLToPath(new URL("../../src/lambda/state-machine.asl.json", import.meta.url));
  const machine = JSON.parse(readFileSync(definition, "utf8")) as StateMachine;

  async function start(steam_id64: string, handlers: Handlers) {
    const byStage: Record<string, Handler> = {
      SteamImport: handlers.steam,
      IgdbEnrichment: handlers.igdb,
      DatabaseImport: handlers.database,
    };
    return execute(
      machine,
      { user_id: "u1", steam_id64 },
      {
        name: "6f1c2d3e-run",
        async invoke(arn, payload) {
          const handler = byStage[/^\$\{(\w+)FunctionArn\}$/.exec(arn)?.[1] ?? ""] as Handler;
          // Payloads are JSON.
          return JSON.parse(JSON.stringify(await call(handler, JSON.parse(JSON.stringify(payload)))));
        },
      },
    );
  }

  it("imports a library despite transient failures", async () => {
    web.steam.faults.add({ fault: { status: 500 }, times: 2 });
    web.igdb.faults.add({ on: { kind: "external_games" }, fault: { status: 429 }, times: 2 });
    const { status, attempts, queued } = await start(steamId, await coldStart());
    expect({ status, queued }).toEqual({ status: "SUCCEEDED", queued: [] });
    expect(attempts).toEqual({ SteamImport: 3, IgdbEnrichment: 3, DatabaseImport: 1 });
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
    expect((await s3.objects()).filter((key) => key.includes("6f1c2d3e-run"))).toHaveLength(2);
  });

  it("fails with ImportRefused on a permanent failure, and queues the import when retries are exhausted", async () => {
    const handlers = await coldStart();
    const refused = await start(privateId, handlers);
    expect(refused).toMatchObject({
      status: "FAILED",
      error: "ImportRefused",
      cause: expect.stringMatching(/not public/),
      queued: [],
    });
    web.igdb.faults.add({ on: { kind: "external_games" }, fault: { status: 500 }, times: Number.POSITIVE_INFINITY });
    const failed = await start(steamId, handlers);
    expect(failed).toMatchObject({
      status: "FAILED",
      error: "ImportFailed",
      cause: expect.stringMatching(/answered 500/),
    });
    expect(failed.queued).toEqual([
      {
        url: expect.anything(),
        body: { execution_id: "6f1c2d3e-run", import: expect.objectContaining({ user_id: "u1", steam_id64: steamId }) },
      },
    ]);
  });
});

describe("the Lambda bundles", () => {
  it("answer like the sources, cold and warm, with logs and metrics and without secrets", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spsync-bundles-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const steam = await startSimulatedSteam({
      catalog: generateCatalog({ seed: 1, count: 1 }),
      routes: asRoutes(...web.apis),
    });
    onTestFinished(() => steam.close());
    const built = await run([fileURLToPath(new URL("../../.ci/build-lambda.mjs", import.meta.url)), folder], {});
    expect(built).toMatchObject({ code: 0, stderr: "" });

    const program = `
      const context = { functionName: "stage", functionVersion: "1", invokedFunctionArn: "arn", memoryLimitInMB: "512", awsRequestId: "1",
        getRemainingTimeInMillis: () => 900000 };
      const stages = await Promise.all(${JSON.stringify(["steam-import", "igdb-enrichment", "database-import"].map((stage) => pathToFileURL(join(folder, stage, "index.mjs")).href))}.map((url) => import(url)));
      const [first, second, third] = stages.map(({ handler }) => (event) => handler(event, context));
      const common = { user_id: "u1", execution_id: "bundled" };
      const answers = [];
      const failure = await first({ user_id: "u1", steam_id64: "${steamId}" }).catch(({ name, status }) => ({ name, status }));
      for (let round = 0; round < 2; round++) {
        const raw = await first({ ...common, steam_id64: "${steamId}" });
        const enriched = await second({ ...common, s3_location: raw.s3_location });
        const imported = await third({ ...common, s3_enriched_location: enriched.s3_enriched_location });
        answers.push([raw, enriched, imported]);
      }
      answers.push(await first({ user_id: "u1", steam_id64: "${privateId}" }), failure);
      console.log("ANSWERS" + JSON.stringify(answers));
      process.exit(0);`;
    web.steam.faults.add({ fault: { status: 500 } });
    const env: Record<string, string> = {
      ...environment(),
      ...steam.env,
      NODE_OPTIONS: "--enable-source-maps",
      LOG_LEVEL: "debug",
      POWERTOOLS_METRICS_DISABLED: "false",
      POWERTOOLS_LOG_LEVEL: "DEBUG",
      AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    };
    const { code, stdout, stderr } = await run(["--input-type=module", "--eval", program], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^\{.*"steam_import refused:.*\}\n$/) });
    const answers = JSON.parse(/ANSWERS(.*)/.exec(stdout)?.[1] ?? "[]") as [Answer[], Answer[], Answer, object];
    const [cold, warm, refused, failed] = answers;
    expect(failed).toEqual({ name: "WebError", status: 500 });

    expect(cold.map(({ success }) => success)).toEqual([true, true, true]);
    expect(warm.slice(0, 2)).toEqual(cold.slice(0, 2));
    expect(refused).toEqual({ success: false, error: expect.stringMatching(/not public/) });
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
    const [, , bySources] = await importAll(await coldStart(), "u2", "bundled");
    const created = { games_created: 0, games_updated: 0 };
    expect(cold[2]?.stats).toMatchObject({ imported_games_created: 120 });
    expect({ ...(bySources?.stats as object) }).toEqual({ ...(cold[2]?.stats as object), ...created });

    const lines = stdout
      .split("\n")
      .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Record<string, unknown>] : []));
    const finished = lines.filter(({ message }) => / finished$/.test(String(message)));
    expect(finished).toHaveLength(6);
    expect(finished[0]).toMatchObject({
      service: "steam-library-import",
      stage: "steam_import",
      function_request_id: "1",
    });
    const metrics = lines.filter((line) => "_aws" in line);
    expect(metrics.filter(({ Finished }) => Finished === 1)).toHaveLength(6);
    expect(metrics.filter(({ Refused }) => Refused === 1)).toHaveLength(1);
    expect(metrics.filter(({ ColdStart }) => ColdStart === 1)).toHaveLength(3);
    expect(metrics.filter(({ Failed }) => Failed === 1)).toHaveLength(1);
    const password = new URL(env.DATABASE_URL ?? "").password;
    for (const secret of [apiKey, web.igdb.clientSecret, ...web.igdb.tokens, `:${password}@`]) {
      expect(stdout).not.toContain(secret);
    }
  });
});

async function run(args: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}
