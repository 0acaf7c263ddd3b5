import { resolve } from "node:path";
import { expect, it } from "vitest";
import { packageVersion } from "../../../src/commands/args.ts";
import { startLine } from "../../../src/commands/start-line.ts";
import { loadConfig } from "../../../src/process/config.ts";

const folder = resolve("./data");

const head = `steam-pics-sync ${packageVersion()} · sync · `;

it.each([
  [
    { DATABASE_URL: "postgres://app:hunter22@db.example:6432/steam?password=hunter22", PORT: "9000" },
    "Postgres (db.example:6432/steam) · http://localhost:9000",
  ],
  [
    { DATABASE_URL: "postgres:///steam?host=/run/postgresql", DATA_DIR: "/data", HOST: "10.0.0.7" },
    "Postgres (/run/postgresql/steam) · http://10.0.0.7:8080",
  ],
  [
    { SUPABASE_URL: "https://abc.supabase.co/rest/v1/", SUPABASE_SERVICE_ROLE_KEY: "sb_secret_hunter22" },
    "Supabase (abc.supabase.co) · http://localhost:8080",
  ],
  [{ HOST: "::1" }, `the embedded database in ${folder} · http://[::1]:8080`],
])("names version, mode, database and address, and no secret: %j", (environment, expected) => {
  const [fields, line] = startLine(loadConfig(environment), "sync");
  expect(line).toBe(head + expected);
  expect(JSON.stringify(fields)).not.toContain("hunter22");
});

it("names no address for a command that serves none", () => {
  const [fields, line] = startLine(loadConfig({}), "migrate");
  expect(line).toMatch(/ · migrate · the embedded database in [^·]*$/);
  expect(fields).toMatchObject({ mode: "migrate", database: { driver: "pglite" }, data_dir: folder, http: null });
});
