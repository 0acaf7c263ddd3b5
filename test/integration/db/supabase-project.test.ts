import { createClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestDatabase } from "../../support/databases.ts";
import { openTestDatabase } from "../../support/databases.ts";

/**
 * The stand-in for a hosted project must be as open as one: otherwise tests of what the migrations close would pass with
 * nothing closed.
 */
describe("the Supabase project that tests use", () => {
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

  test("opens new tables to everybody", async () => {
    const { error } = await client("anonKey").from("open_to_all").insert({ id: 2_000 });
    expect(error).toBeNull();
  });

  test("cuts rows at 1,000", async () => {
    const { data } = await client("serviceKey").from("open_to_all").select("id");
    expect(data).toHaveLength(1_000);
  });

  test("lets only the service role past row-level security", async () => {
    expect((await client("anonKey").from("behind_policies").select("id")).data).toEqual([]);
    expect((await client("serviceKey").from("behind_policies").select("id")).data).toEqual([{ id: 1 }]);
  });

  test("ends statements after 3 s for anon and after 8 s for the service role", async () => {
    expect((await client("anonKey").rpc("my_limit")).data).toBe("3s");
    expect((await client("serviceKey").rpc("my_limit")).data).toBe("8s");
  });

  test("runs migrations as a role that is no superuser", async () => {
    expect(await database.sql("select tableowner from pg_tables where tablename = 'open_to_all'")).toEqual([
      { tableowner: "postgres" },
    ]);
    expect(await database.sql("select rolsuper from pg_roles where rolname = 'postgres'")).toEqual([
      { rolsuper: false },
    ]);
  });

  test("reads a changed schema by itself", async () => {
    await database.sql("create function public.added_later() returns int language sql as 'select 42'");
    await expect.poll(async () => (await client("serviceKey").rpc("added_later")).data, { timeout: 5_000 }).toBe(42);
  });
});
