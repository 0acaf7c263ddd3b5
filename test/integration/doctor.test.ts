import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Outcome } from "../../src/doctor/check.ts";
import { type CommandResult, runCommand } from "../support/command.ts";
import { openTestDatabase } from "../support/databases.ts";
import { freePort } from "../support/free-port.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { startInTerminal, stripped } from "../support/pty.ts";
import { startS3, type TestS3 } from "../support/s3.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { createSimulatedIgdb } from "../support/web/igdb.ts";
import { createSimulatedSteamSpy } from "../support/web/steamspy.ts";
import { asRoutes } from "../support/web/web-api.ts";

/** `doctor` as a process: findings, texts and exit codes. Layout: terminal.test.ts. */

const mainCommand = `${process.execPath} ${fileURLToPath(new URL("../../src/main.ts", import.meta.url))}`;
const apiKey = "STEAM-KEY-0123456789ABCDEF";
const igdb = createSimulatedIgdb();
const hurried = { BULK_REQUEST_DELAY: "0" };
/** Long enough for three processes that start at once on a busy machine. */
const impatient = { GIVE_UP_AFTER: "4" };
let odd: SimulatedSteam;
let s3: TestS3;

beforeAll(async () => {
  // Deviates from what the service expects: tokens, change window, texts over HTTP.
  odd = await startSimulatedSteam({
    catalog: generateCatalog({ seed: 5, count: 120, maxAppid: 5_000, tokenShare: 0, deniedShare: 0.2 }),
    changeWindow: 300,
    httpMinSize: 4_000,
    apiKey,
    routes: asRoutes(createSimulatedSteamSpy(), ...igdb.apis),
  });
  s3 = await startS3("library-files");
});
afterAll(async () => {
  await odd.close();
  await s3.close();
});

async function openDatabase(...given: Parameters<typeof openTestDatabase>) {
  const database = await openTestDatabase(...given);
  onTestFinished(() => database.close());
  return database;
}

/** The outcomes of `doctor --json` by name. */
function outcomesOf({ stdout }: CommandResult): Record<string, Outcome> {
  const { checks } = JSON.parse(stdout) as { checks: Outcome[] };
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

const finding = (result: string, ...words: string[]) =>
  expect.objectContaining({ result, summary: expect.stringMatching(new RegExp(words.join(".*"))) });

describe("doctor", () => {
  it("runs all checks on a terminal, reports deviations as warnings, and prints a report without secrets", async () => {
    const database = await openDatabase("postgres");
    const keys = { STEAM_API_KEY: apiKey, IGDB_CLIENT_ID: igdb.clientId, IGDB_CLIENT_SECRET: igdb.clientSecret };
    const API_KEY = "api-key-of-this-service";
    const env = { ...odd.env, ...database.env, ...hurried, ...keys, API_KEY, ...s3.env };
    const { code, text } = await startInTerminal(`${mainCommand} doctor --report`, { columns: 80, env }).exited;
    const [terminal = "", report = ""] = stripped(text).replaceAll("\r", "").split("\nTo paste into an issue:\n\n");
    expect({ code, terminal }).toMatchObject({ code: 0 });
    for (const line of terminal.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    const words = terminal.replace(/\s+/g, " ");
    for (const row of [
      /ok settings Postgres \(127\.0\.0\.1/,
      /ok connection Postgres 17\.\d+ answered in/,
      /ok migrations none missing/,
      /ok unread keys 0 keys of Steam's app info are not read; none is new within 7 days/,
      /ok proxy http:\/\/127\.0\.0\.1:\d+ accepts connections/,
      /ok Steam servers api\.steampowered\.com lists 5 servers/,
      /ok Steam Web API api\.steampowered\.com answered/,
      /ok SteamSpy steamspy\.com answered/,
      /ok IGDB api\.igdb\.com answered/,
      /ok S3 bucket the bucket library-files exists/,
      /warning access tokens 0 of 10 apps/,
      /warning change window changes are listed 2\d\d numbers back/,
    ]) {
      expect(words).toMatch(row);
    }
    expect(terminal).toMatch(/\n\d+ ok, 2 warnings\. Nothing stands in the way of `npm start`\.\n$/);
    expect(report).toMatch(/^\*\*steam-pics-sync \d.*, Node v24.*, database: postgres, .*\*\*: \d+ ok, 2 warnings\n/);
    expect(report).toMatch(/^\| .*: texts over HTTP \| ok \| 5 of 5 large apps .* offered over HTTP by clientconfig/m);
    for (const [name, secret] of Object.entries({ ...keys, API_KEY })) {
      expect({ name, isLeaked: text.includes(secret) }).toEqual({ name, isLeaked: false });
    }
    // The token was revoked: an application may hold only a few.
    expect(igdb.tokens).toHaveLength(1);
  });

  it("exits with 2 for faults of the configuration", async () => {
    const keys = {
      STEAM_API_KEY: "WRONG-KEY-98765432",
      IGDB_CLIENT_ID: igdb.clientId,
      IGDB_CLIENT_SECRET: "wrong-secret-word",
    };
    const DATABASE_URL = `postgres://app:secret-word@127.0.0.1:${await freePort()}/app`;
    const result = await runCommand({
      args: ["doctor", "--json"],
      steam: odd,
      env: { ...hurried, ...keys, DATABASE_URL, ...s3.env, S3_BUCKET: "no-such-bucket" },
    });
    expect(result).toMatchObject({ code: 2, stderr: "" });
    expect(JSON.parse(result.stdout)).toMatchObject({ exit_code: 2, driver: "postgres", node: process.version });
    expect(outcomesOf(result)).toMatchObject({
      connection: finding("failed", "ECONNREFUSED"),
      migrations: finding("skipped"),
      "Steam Web API": finding("failed", "api.steampowered.com answered 401: it rejects STEAM_API_KEY$"),
      IGDB: finding("failed", "id.twitch.tv answered 403: it rejects IGDB_CLIENT_ID and IGDB_CLIENT_SECRET"),
      "S3 bucket": finding("failed", "the bucket no-such-bucket does not exist"),
      metadata: finding("ok"),
    });
    expect(result.stdout).not.toMatch(/WRONG-KEY-98765432|wrong-secret-word|secret-word/);
  });

  it.skipIf(!isFull)(`exits with 1 for faults of neither configuration nor network${onlyFull}`, async () => {
    const database = await openDatabase("supabase", { migrated: false });
    const result = await runCommand({ args: ["doctor", "--json"], steam: odd, database, env: hurried });
    expect(result).toMatchObject({ code: 1, stderr: "" });
    expect(outcomesOf(result)).toMatchObject({
      connection: finding("ok", "PostgREST answered in"),
      migrations: {
        result: "failed",
        summary: expect.stringContaining("20261128000001_catalog_tables.sql, "),
        remedy: expect.stringContaining("run `npx supabase db push --remote`"),
      },
      catalog: finding("skipped"),
      "Steam logon": finding("ok"),
    });
  });

  it.skipIf(!isFull)(`exits with 75 for unreachable services and names the cause${onlyFull}`, async () => {
    const failing = await startSimulatedSteam({ catalog: generateCatalog({ seed: 1, count: 1 }) });
    onTestFinished(() => failing.close());
    failing.faults.add({ kind: "logon_refused", eresult: 84, times: 99 });
    failing.faults.add({ kind: "unreachable", host: "steamspy.com", times: 99 });
    const [refused, untrusted] = await Promise.all([
      runCommand({ args: ["doctor", "--json"], steam: failing, env: impatient }),
      // An untrusted certificate together with an invalid configuration.
      runCommand({
        args: ["doctor", "--json"],
        steam: failing,
        env: { ...impatient, NODE_EXTRA_CA_CERTS: "", POLL_INTERVL: "1", DATABASE_URL: "mysql://app:hunter22@db/app" },
      }),
    ]);
    expect(refused).toMatchObject({ code: 75, stderr: "" });
    expect(outcomesOf(refused)).toMatchObject({
      "Steam servers": finding("ok"),
      "Steam logon": finding("failed", "no logon within 4 s: ", "EResult 84"),
      SteamSpy: finding("warning", "steamspy.com is unreachable: the proxy http://127.0.0.1:\\d+ refuses the tunnel"),
      metadata: finding("skipped", "Steam cannot be reached"),
    });
    expect(untrusted).toMatchObject({ code: 2, stderr: "" });
    expect(outcomesOf(untrusted)).toMatchObject({
      settings: {
        result: "failed",
        summary: expect.stringMatching(/DATABASE_URL must .*\n.*POLL_INTERVL is not a variable/),
      },
      connection: finding("skipped"),
      IGDB: finding("skipped", "the configuration is invalid"),
      "Steam servers": finding("failed", "the certificate is not trusted \\(\\w+\\)"),
    });
    expect(untrusted.stdout).not.toContain("hunter22");
  });
});
