import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { checkSchema, migrate, requiredVersion } from "../../src/db/migrate.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { openSupabase } from "../../src/db/supabase.ts";
import { silent } from "../support/templates.ts";

if (existsSync(".env.integration")) process.loadEnvFile(".env.integration");
const { SUPABASE_URL = "", SUPABASE_SERVICE_KEY = "", DATABASE_URL = "" } = process.env;

it.skipIf(!SUPABASE_SERVICE_KEY)(
  "reads a summary from a Supabase project with the current schema (skipped without SUPABASE_SERVICE_KEY)",
  async () => {
    const db = await openSupabase({ url: SUPABASE_URL, serviceKey: SUPABASE_SERVICE_KEY, logger: silent });
    await checkSchema(db, await requiredVersion());
    expect(await db.rpc("catalog_summary")).toMatchObject({ apps: expect.any(Number) });
    await db.close();
  },
);

it.skipIf(!DATABASE_URL)(
  "migrates a Postgres database and reads a summary (skipped without DATABASE_URL)",
  async () => {
    const db = await openPostgres({ url: DATABASE_URL, logger: silent });
    await migrate(db);
    expect(await db.rpc("catalog_summary")).toMatchObject({ apps: expect.any(Number) });
    await db.close();
  },
);
