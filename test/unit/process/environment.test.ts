import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { loadConfig } from "../../../src/process/config.ts";
import { readEnv } from "../../../src/process/environment.ts";
import { ConfigError } from "../../../src/process/errors.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "env-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe("readEnv", () => {
  it("completes the environment from a file, which may be missing, and names what the file sets", () => {
    const path = join(folder(), ".env");
    onTestFinished(() => {
      delete process.env.SPS_TEST_SET;
      delete process.env.SPS_TEST_NEW;
    });
    process.env.SPS_TEST_SET = "outside";
    writeFileSync(path, "SPS_TEST_SET=file\nSPS_TEST_NEW=file\n");
    const { environment, fileNames } = readEnv(path);
    expect(environment).toMatchObject({ SPS_TEST_SET: "outside", SPS_TEST_NEW: "file" });
    expect([...fileNames].sort()).toEqual(["SPS_TEST_NEW", "SPS_TEST_SET"]);
    expect(readEnv(`${path}.none`)).toMatchObject({ environment: { SPS_TEST_NEW: "file" }, fileNames: [] });
  });

  it.each([
    ["a folder in the place of the file", (path: string) => mkdirSync(path), "is a folder"],
    ["UTF-16", (path: string) => writeFileSync(path, "PORT=1\n", "utf16le"), "save it as UTF-8"],
  ])("refuses %s", (_case, make, words) => {
    const path = join(folder(), ".env");
    make(path);
    expect(() => readEnv(path)).toThrow(ConfigError);
    expect(() => readEnv(path)).toThrow(words);
  });
});

describe("names in the service's own .env", () => {
  const read = (...names: string[]) => loadConfig(Object.fromEntries(names.map((name) => [name, "1"])), names);

  it.each([
    ["DATABASE_URI", "DATABASE_URL"],
    ["SUPABASE_SERVICE_ROLEKEY", "SUPABASE_SERVICE_ROLE_KEY"],
    ["SUPABASE_SEVICE_KEY", "SUPABASE_SERVICE_KEY"],
    ["DATADIR", "DATA_DIR"],
    ["LOGLEVEL", "LOG_LEVEL"],
    ["POOL_INTERVAL", "POLL_INTERVAL"],
    ["BULK_BATCHSIZE", "BULK_BATCH_SIZE"],
    ["HISTROY", "HISTORY"],
  ])("refuses %s and suggests %s", (name, meant) => {
    expect(() => read(name)).toThrow(`${name} is not a variable of this service; did you mean ${meant}?`);
  });

  it("refuses a name in lower case, and does not print it", () => {
    expect(() => read("database_url")).toThrow(
      "a name that is not shown is not a variable of this service; did you mean DATABASE_URL?",
    );
  });

  it("draws one warning for all other names, without what may be the rest of a key", () => {
    expect(read("MY_SETTING", "ANOTHER_ONE", "c2VjcmV0", "PORT").warnings).toEqual([
      ".env sets what this service does not read: MY_SETTING, ANOTHER_ONE, a name that is not shown",
    ]);
  });

  it("accepts what libraries of the service, or programs beside it, read", () => {
    const names = [
      ...["AWS_REGION", "HTTP_PROXY", "https_proxy", "PGHOST", "PGPORT", "NODE_ENV", "NODE_OPTIONS", "TZ"],
      ...["POSTGRES_PASSWORD", "COMPOSE_PROJECT_NAME", "SUPABASE_ANON_KEY", "RAILWAY_ENVIRONMENT", "SSL_CERT_FILE"],
    ];
    expect(read(...names)).toEqual(loadConfig({}));
  });

  it("does not judge names of the environment as those of the file", () => {
    expect(loadConfig({ DATABASE_URI: "x", DATADIR: "x", MY_SETTING: "x" })).toEqual(loadConfig({}));
  });
});
