import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Finding, runChecks } from "../../../src/doctor/check.ts";
import { checkMemory, settingsChecks } from "../../../src/doctor/settings.ts";
import { loadConfig } from "../../../src/process/config.ts";
import type { Environment } from "../../../src/process/environment.ts";
import { ConfigError } from "../../../src/process/errors.ts";

const { signal } = new AbortController();

async function examine(environment: Environment | ConfigError, proxyUrl = "") {
  const settings =
    environment instanceof ConfigError
      ? { config: null, fault: environment, proxyUrl }
      : { config: loadConfig(environment), fault: null, proxyUrl };
  const outcomes = await runChecks([{ title: "Here", checks: settingsChecks(settings) }], {
    signal,
    onOutcome: () => {},
  });
  return Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome]));
}

const wordsOf = (finding?: Finding) => [finding?.summary, finding?.remedy].filter((text) => text !== null).join(" → ");

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "settings-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe("settingsChecks", () => {
  it("names the database, proxy and keys without their secrets", async () => {
    const { settings } = await examine(
      {
        DATABASE_URL: "postgres://app:hunter22@db.example:6432/steam",
        STEAM_API_KEY: "STEAM-KEY-0123",
        S3_BUCKET: "library-files",
      },
      "http://me:hunter22@proxy.example:3128",
    );
    expect(settings).toMatchObject({
      result: "ok",
      summary:
        "Postgres (db.example:6432/steam); proxy http://proxy.example:3128; set: STEAM_API_KEY, S3_BUCKET; not set: API_KEY, IGDB_CLIENT_ID",
    });
  });

  it.each([
    [
      { SUPABASE_URL: "https://abc.supabase.co", SUPABASE_SERVICE_KEY: "sb_secret_1" },
      "Supabase (abc.supabase.co); no proxy; ",
    ],
    [{ DATA_DIR: "./elsewhere" }, "embedded database in ./elsewhere; no proxy; "],
  ])("names the database of %j", async (environment, words) => {
    const { settings } = await examine(environment);
    expect(settings?.summary.startsWith(words)).toBe(true);
  });

  it.each([
    [{}, "warning", /HOST=0\.0\.0\.0.* API_KEY is not set → Set API_KEY, or HOST=127\.0\.0\.1/],
    [{ HOST: "::", PORT: "9000" }, "warning", /port 9000 .*HOST=::/],
    [{ HOST: "::", API_KEY: "0123456789abcdefg" }, "ok", /^API_KEY guards everything but \/health and \/ready/],
    [{ HOST: "127.0.0.1" }, "ok", /ALLOWED_HOSTS=localhost,127\.0\.0\.1 also keeps out/],
    [{ HOST: "::1", ALLOWED_HOSTS: "[::1]" }, "ok", /^only this machine reaches port 8080, by the names/],
  ] as const)("says who reaches the HTTP server with %j", async (environment, result, summary) => {
    const { access } = await examine(environment);
    expect(access?.result).toBe(result);
    expect(wordsOf(access)).toMatch(summary);
    expect(access?.summary).not.toContain("0123456789abcdefg");
  });

  it("warns of names in .env that this service does not read", async () => {
    const config = loadConfig({ MINE: "1" }, ["MINE"]);
    const [check] = settingsChecks({ config, fault: null, proxyUrl: "" });
    expect(await check?.run()).toMatchObject({
      result: "warning",
      summary: expect.stringMatching(/^embedded database in .*; \.env sets what this service does not read: MINE$/),
    });
  });

  it("fails for an invalid configuration with all faults, and skips what depends on it", async () => {
    const {
      settings,
      "data folder": data,
      memory,
    } = await examine(new ConfigError("It cannot be used:\n  - PORT\n  - MODE"));
    expect(settings).toMatchObject({
      result: "failed",
      blame: "configuration",
      summary: "It cannot be used:\n  - PORT\n  - MODE",
      remedy: expect.stringContaining(".env.example"),
    });
    expect(data).toMatchObject({ result: "skipped" });
    expect(memory).toMatchObject({
      result: expect.stringMatching(/ok|warning/),
      summary: expect.stringMatching(/^[\d,]+ MB in all, [\d,]+ MB free/),
    });
  });

  it("checks that the data folder is writable, and names its owner", async () => {
    const dataDir = folder();
    const owner = {
      id: "1",
      host: "box",
      pid: 7,
      space: null,
      started: null,
      address: null,
      since: "2026-11-26T12:00:00Z",
    };
    writeFileSync(join(dataDir, "owner.1.lock"), `${JSON.stringify(owner)}\n`);
    expect((await examine({ DATA_DIR: dataDir }))["data folder"]?.summary).toContain(
      "is writable, owned by process 7 on box since 2026-11-26T12:00:00Z; ",
    );
    const absent = join(folder(), "none");
    expect((await examine({ DATA_DIR: absent }))["data folder"]?.summary).toMatch(
      /does not exist yet; [\d,]+ MB of disk free/,
    );
    const file = join(folder(), "file");
    writeFileSync(file, "");
    expect((await examine({ DATA_DIR: file }))["data folder"]).toMatchObject({
      result: "failed",
      blame: "configuration",
    });
  });
});

describe("checkMemory", () => {
  const embedded = loadConfig({ DATA_DIR: "./data" });
  const server = loadConfig({ DATABASE_URL: "postgres://app@db.example/steam" });
  it.each([
    [
      embedded,
      512,
      "warning",
      /^512 MB in all, .* needs 640 MB for its first start and 400 MB from then on → .* 220 MB are enough then\.$/,
    ],
    [embedded, 640, "ok", /slower mode for small machines$/],
    [embedded, 4_096, "ok", /^4,096 MB in all, [\d,]+ MB free$/],
    [server, 128, "warning", /^128 MB in all, .* → .*the service needs 220 MB\.$/],
    [server, 256, "ok", /^256 MB in all, [\d,]+ MB free$/],
    [null, 512, "ok", /^512 MB in all/],
  ])("judges a limit by what the database needs", (config, megabytes, result, summary) => {
    const finding = checkMemory(config, megabytes * 2 ** 20);
    expect(finding.result).toBe(result);
    expect(wordsOf(finding)).toMatch(summary);
  });
});
