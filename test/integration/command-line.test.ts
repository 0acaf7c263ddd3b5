import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { appView } from "../../src/catalog/views.ts";
import { readManifest } from "../../src/exchange/manifest.ts";
import { runCommand } from "../support/command.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { freePort } from "../support/free-port.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { it } from "../support/given.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../support/steam/child.ts";
import { generateRecords } from "../support/steam/records.ts";
import { catalogOf } from "./sql/catalog.ts";

/** The read-only commands as processes: output, exit code, and that they write nothing. */

const records = generateRecords(60);
const appid = String(records[0]?.appid);
/** An appid that does not exist. */
const unknownAppid = "1499";
let steam: ForkedSteam;
beforeAll(async () => {
  // The apps of `records`, at the stored change numbers.
  steam = await forkSimulatedSteam({ generate: { seed: 1, count: records.length } });
});
afterAll(() => steam.close());

const fill = (database: TestDatabase) => catalogOf(() => database).store(...records);
const failure = (code: number, words: string) => ({ code, stdout: "", stderr: expect.stringContaining(words) });

describe("on a read-only Postgres", () => {
  let database: TestDatabase;
  const run = (args: string[], env: Record<string, string> = {}) => runCommand({ args, steam, database, env });

  beforeAll(async () => {
    database = await openTestDatabase("postgres");
    await fill(database);
    // Takes effect for new connections.
    await database.sql(
      `alter database ${new URL(database.url ?? "").pathname.slice(1)} set default_transaction_read_only = on`,
    );
  });
  afterAll(() => database.close());

  it("status shows the catalog and its workers", async () => {
    const id = "0f4a4b8e-5a52-4a6e-9a52-6d1c8f3f0001";
    const snapshot = { started_at: new Date().toISOString(), library: { phase: "steam_import", done: 3, total: null } };
    await database.sql("insert into workers (id, mode, snapshot, seen_at) values ($1, 'library_import', $2, now())", [
      id,
      JSON.stringify(snapshot),
    ]);
    const [shown, json] = await Promise.all([run(["status"]), run(["status", "--json"])]);
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(shown.stdout).toMatch(/^The catalog in Postgres\s\(127\.0\.0\.1:\d+\/test_\w+\)\n {2}Apps +60\n/);
    expect(shown.stdout).toMatch(/Workers\n {2}Mode +library_import\n {2}Doing +steam import\n {2}Done +3\n/);
    expect(json).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(json.stdout)).toEqual({
      catalog: expect.objectContaining({ apps: 60, pending: 0, failing: 0, lag_seconds: null }),
      failing_apps: [],
      workers: [expect.objectContaining({ id, mode: "library_import", snapshot })],
      webhooks: expect.objectContaining({ total: 0 }),
    });
  });

  it("app shows the stored app", async () => {
    const [shown, json, unknown] = await Promise.all([
      run(["app", appid]),
      run(["app", appid, "--json"]),
      run(["app", unknownAppid, "--json"]),
    ]);
    const app = appView.parse(JSON.parse(json.stdout));
    expect(app).toMatchObject({ appid: Number(appid), change_number: records[0]?.change_number, is_pending: false });
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(shown.stdout.split("\n")[0]).toBe(`${app.name} (${appid}), ${app.type}`);
    expect(shown.stdout).toContain(`change number ${app.change_number}`);
    expect(unknown).toEqual(failure(1, `App ${unknownAppid} is not stored in Postgres`));
  });

  it("fetch compares the stored app with Steam's", async () => {
    const common = `"common"\n\t{\n\t\t"name"\t\t"Renamed"\n\t\t"type"\t\t"${records[0]?.type}"\n\t}`;
    const changeNumber = await steam.call(
      "change",
      Number(appid),
      `"appinfo"\n{\n\t"appid"\t\t"${appid}"\n\t${common}\n}\n`,
    );
    const [json, unknown] = await Promise.all([
      run(["fetch", appid, "--json"], { LOG_LEVEL: "info" }),
      run(["fetch", unknownAppid]),
    ]);
    const { differs, ...document } = JSON.parse(json.stdout);
    expect(document).toMatchObject({
      appid: Number(appid),
      stored: { type: records[0]?.type, change_number: records[0]?.change_number, is_pending: false },
      steam: { type: records[0]?.type, change_number: changeNumber, public_only: false, name: "Renamed" },
      note: null,
    });
    expect(differs).toContain("name");
    expect(differs).not.toContain("type");
    // Logs go to standard error.
    expect(json.stderr).toContain('"message":"logged on to Steam"');
    expect(unknown).toEqual(failure(1, `Steam does not know app ${unknownAppid}.\n`));
  });

  it("fetch works without the database and exits with 75 without Steam", async () => {
    const [HTTPS_PROXY, port] = [`http://127.0.0.1:${await freePort()}`, await freePort()];
    const [alone, without] = await Promise.all([
      run(["fetch", appid], { DATABASE_URL: `postgres://app:secret-word@127.0.0.1:${port}/app` }),
      run(["fetch", appid], { HTTPS_PROXY, GIVE_UP_AFTER: "1" }),
    ]);
    expect(alone).toMatchObject({ code: 0, stderr: "" });
    expect(alone.stdout).toMatch(/\nStored: .*ECONNREFUSED(.*\n)*\nSteam now\n {2}Name +Renamed\n/);
    expect(alone.stdout).not.toContain("secret-word");
    expect(without).toMatchObject({ code: 75, stdout: "" });
    // One line, although there were several attempts.
    expect(without.stderr).toMatch(
      /^giving up: Steam could not be reached within 1 s \(cannot get the list .* is stored: `app \d+` shows it\.\n$/,
    );
  });

  it.skipIf(!isFull)(
    `export writes the catalog, of which import makes another database, once${onlyFull}`,
    async ({ open, folder }) => {
      const out = join(folder, "export");
      const target = await open("postgres", { migrated: false });
      const summary = (result: { stdout: string }) =>
        result.stdout.split("\n").flatMap((line) => (line.includes('"summary"') ? [JSON.parse(line).summary] : []));
      const exported = await run(["export", "--out", out, "--format", "ndjson"]);
      expect(exported).toMatchObject({ code: 0, stderr: "" });
      const imported = await runCommand({ args: ["import", out], database: target });
      expect(imported).toMatchObject({ code: 0, stderr: "" });
      expect(await target.sql("select count(*)::int as apps from apps")).toEqual([{ apps: records.length }]);
      const [again, twice] = await Promise.all([
        runCommand({ args: ["import", out], database: target }),
        run(["export", "--out", out]),
      ]);
      expect([again.code, twice.code]).toEqual([2, 2]);
      expect(again.stdout).toContain("holds apps already");
      expect(twice.stdout).toContain("holds an export already");
      const [{ duration_seconds: _, ...written }] = summary(exported);
      expect(summary(imported)).toEqual([{ ...written, duration_seconds: expect.any(Number) }]);
      expect(written).toMatchObject({ folder: out, since: null, rows: expect.any(Number) });
    },
  );

  it("exits with 75, 2 or 1 by the kind of error", async ({ open }) => {
    const old = await open("postgres", { migrated: false });
    const url = new URL(database.url ?? "");
    url.password = "another-password";
    const [away, refused, outdated, misspelt] = await Promise.all([
      run(["status"], { DATABASE_URL: `postgres://app@127.0.0.1:${await freePort()}/app` }),
      run(["app", appid], { DATABASE_URL: url.href }),
      runCommand({ args: ["status"], database: old }),
      run(["app", "0"]),
    ]);
    expect(away).toEqual(failure(75, "ECONNREFUSED"));
    expect(refused).toEqual(failure(2, "password authentication failed"));
    expect(refused.stderr).not.toContain("another-password");
    expect(outdated).toEqual(failure(1, "run `npm start -- migrate`"));
    expect(misspelt).toEqual(failure(2, "from 1 to 2147483647"));
    expect(await old.sql("select from pg_namespace where nspname = 'supabase_migrations'")).toEqual([]);
  });
});

it("reads a Supabase project", async ({ open }) => {
  const database = await open("supabase");
  await fill(database);
  const [status, exported] = await Promise.all([
    runCommand({ args: ["status"], database }),
    runCommand({ args: ["export", "--out", "export"], database }),
  ]);
  expect(exported.code).toBe(2);
  expect(exported.stdout).toContain("unset SUPABASE_URL and its key for this command, and set DATABASE_URL");
  expect(status).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringMatching(/ Supabase \(.*\)\n {2}Apps +60\n/),
  });
});

describe("on the embedded database", () => {
  it("fails when there is no database yet, and creates none", async ({ folder }) => {
    const DATA_DIR = join(folder, "data");
    const result = await runCommand({ args: ["status"], env: { DATA_DIR } });
    expect(result).toEqual(failure(1, `There is no catalog in ${DATA_DIR} yet; \`npm start\` makes one.\n`));
    expect(existsSync(DATA_DIR)).toBe(false);
  });

  // The embedded database is opened six times.
  const timeout = 120_000;
  it("reads through the owning process, and directly when there is none", { timeout }, async ({
    open,
    start,
    folder,
  }) => {
    const database = await open("pglite");
    await fill(database);
    await database.lend(async () => {
      const env: Record<string, string> = { ...database.env, API_KEY: "owner-key-0123456789", POLL_INTERVAL: "0.5" };
      const run = (args: string[], more: Record<string, string> = {}) =>
        runCommand({ args, steam, env: { ...env, ...more } });
      const owner = start({ args: ["change-monitor"], steam, env });
      await owner.until("/status", ({ catalog, monitor }) => catalog !== null && monitor !== null);
      // Requests to the owner bypass the configured proxy.
      const out = join(folder, "export");
      const [status, app, fetched, exported] = await Promise.all([
        run(["status"], { NO_PROXY: "" }),
        run(["app", appid, "--json"], { NO_PROXY: "" }),
        run(["fetch", String(records[1]?.appid)], { NO_PROXY: "" }),
        run(["export", "--out", out, "--only", "apps,sync"]),
      ]);
      // Through a copy of the database, which is deleted.
      expect(exported).toMatchObject({ code: 0, stderr: "" });
      expect((await readManifest(out)).tables).toMatchObject([{ rows: records.length }, { rows: records.length }]);
      expect(await readdir(join(env.DATA_DIR ?? "", "run"))).toEqual(["owner.sock"]);
      const shown = status.stdout.replaceAll(/\s+/g, " ");
      expect(status).toMatchObject({ code: 0, stderr: "" });
      expect(shown).toContain(`The catalog in the folder ${env.DATA_DIR}, read through process ${owner.pid}`);
      expect(shown).toContain(await owner.url());
      expect(shown).toContain("Mode change_monitor Doing following");
      expect(appView.parse(JSON.parse(app.stdout))).toMatchObject({ appid: Number(appid) });
      expect(fetched).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("\nNo differences.\n") });

      // The lock of a killed owner is ignored, and two concurrent readers take turns.
      owner.kill("SIGKILL");
      await owner.exited;
      const alone = await Promise.all([run(["app", appid]), run(["status", "--json"])]);
      expect(alone).toMatchObject([
        { code: 0, stderr: "" },
        { code: 0, stderr: "" },
      ]);
      expect(JSON.parse(alone[1].stdout)).toMatchObject({ catalog: { apps: 60 } });
    });
  });
});
