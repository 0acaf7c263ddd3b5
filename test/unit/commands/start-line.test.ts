import { resolve } from "node:path";
import { expect, it } from "vitest";
import { startLine } from "../../../src/commands/start-line.ts";
import { loadConfig } from "../../../src/process/config.ts";

const folder = resolve("./data");

it.each([
  [
    { DATABASE_URL: "postgres://app:hunter22@db.example:6432/steam?password=hunter22", PORT: "9000" },
    `sync starts; database: Postgres (db.example:6432/steam); data folder: ${folder}; HTTP: http://0.0.0.0:9000`,
  ],
  [
    { DATABASE_URL: "postgres:///steam?host=/run/postgresql", DATA_DIR: "/data" },
    "sync starts; database: Postgres (/run/postgresql/steam); data folder: /data; HTTP: http://0.0.0.0:8080",
  ],
  [
    { SUPABASE_URL: "https://abc.supabase.co/rest/v1/", SUPABASE_SERVICE_ROLE_KEY: "sb_secret_hunter22" },
    `sync starts; database: Supabase (abc.supabase.co); data folder: ${folder}; HTTP: http://0.0.0.0:8080`,
  ],
  [{ HOST: "::1" }, `sync starts; database: the embedded database; data folder: ${folder}; HTTP: http://[::1]:8080`],
])("names mode, database, data folder and address, and no secret: %j", (environment, expected) => {
  const [fields, line] = startLine(loadConfig(environment), { mode: "sync", isWorker: true });
  expect(line).toBe(expected);
  expect(JSON.stringify(fields)).not.toContain("hunter22");
});

it("says that HTTP is off for a command that serves none", () => {
  const [fields, line] = startLine(loadConfig({}), { mode: "migrate", isWorker: false });
  expect(line).toMatch(/; HTTP: off$/);
  expect(fields).toMatchObject({ mode: "migrate", database: { driver: "pglite" }, data_dir: folder, http: null });
});
