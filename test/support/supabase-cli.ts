import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const configFile = fileURLToPath(new URL("../../supabase/config.toml", import.meta.url));

export interface CliProject {
  /** Path of its `supabase/migrations`. */
  migrationsDir: string;
  /** Adds a migration, or replaces it. */
  write(file: string, sql: string): Promise<void>;
  /** Runs `supabase db push` on a database; returns its output. Rejects when it fails. */
  push(databaseUrl: string): Promise<string>;
  /** Runs `supabase gen types` on a database; returns the TypeScript, not formatted. Rejects when it fails. */
  types(databaseUrl: string): Promise<string>;
  remove(): Promise<void>;
}

/** Creates a project folder for the Supabase CLI, with this project's `config.toml` and no migrations. */
export async function createCliProject(): Promise<CliProject> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-cli-"));
  const migrationsDir = join(folder, "supabase", "migrations");
  await mkdir(migrationsDir, { recursive: true });
  await cp(configFile, join(folder, "supabase", "config.toml"));
  const program = join(dirname(createRequire(import.meta.url).resolve("supabase/package.json")), "dist/supabase.js");
  const env = { PATH: process.env.PATH, HOME: folder, DO_NOT_TRACK: "1", PGSSLMODE: "disable" };
  const cli = (...args: string[]) => run(process.execPath, [program, ...args], { cwd: folder, env });
  return {
    migrationsDir,
    write: (file, sql) => writeFile(join(migrationsDir, file), sql),
    async push(databaseUrl) {
      const { stdout, stderr } = await cli("db", "push", "--yes", `--remote=${databaseUrl}`);
      return stdout + stderr;
    },
    types: async (databaseUrl) => (await cli("gen", "types", `--remote=${databaseUrl}`, "--schema", "public")).stdout,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
