import { createClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestDatabase } from "../../support/databases.ts";
import { openTestDatabase } from "../../support/databases.ts";

/**
 * The Supabase project of the tests must be as open, and as limited, as a hosted one. Otherwise tests of what the
 * migrations close, or of what stays within the limits, would pass without proving anything.
 */
describe("the Supabase project of the tests", () => {
  let database: TestDatabase;
  const client = (key: "anonKey" | "serviceKey") =>
    createClient(database.api?.url ?? "", database.api?.[key] ?? "", { auth: { persistSession: false } });
  beforeAll(async () => {
    const prepare = `
      create table public.open_to_all (id int primary key);
      insert into public.open_to_all select generate_series(1, 1500);
      create table public.behind_policies (id int primary key);
      insert into public.behind_policies values (1);
      alter table public.behind_policies enable row level security;
      create function public.my_limit() returns text language sql as $$ select current_setting('statement_timeout') $$;
    `;
    database = await openTestDatabase("supabase", { migrated: false, prepare });
  });
  afterAll(() => database.close());

  test("grants new tables to anon, and lets only the service role bypass row-level security", async () => {
    const { error } = await client("anonKey").from("open_to_all").insert({ id: 2_000 });
    expect(error).toBeNull();
    expect((await client("anonKey").from("behind_policies").select("id")).data).toEqual([]);
    expect((await client("serviceKey").from("behind_policies").select("id")).data).toEqual([{ id: 1 }]);
  });

  test("limits a result to 1,000 rows, and statements to 3 s for anon and 8 s for the service role", async () => {
    const { data } = await client("serviceKey").from("open_to_all").select("id");
    expect(data).toHaveLength(1_000);
    expect((await client("anonKey").rpc("my_limit")).data).toBe("3s");
    expect((await client("serviceKey").rpc("my_limit")).data).toBe("8s");
  });

  test("runs migrations as a role that is not a superuser", async () => {
    const owner = "select tableowner from pg_tables where tablename = 'open_to_all'";
    expect(await database.sql(owner)).toEqual([{ tableowner: "postgres" }]);
    const isSuperuser = "select rolsuper from pg_roles where rolname = 'postgres'";
    expect(await database.sql(isSuperuser)).toEqual([{ rolsuper: false }]);
  });
});
