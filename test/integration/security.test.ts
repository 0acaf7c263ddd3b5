import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { signedKey } from "../support/postgrest.ts";
import { catalogOf, fullRecord, record } from "./sql/catalog.ts";
import { importingOf, owned } from "./sql/library.ts";

/** Functions that every role may call. They must not write. */
const publicFunctions: readonly string[] = [];
const privateTables = [
  "sync_status",
  "pics_sync_state",
  "pics_gaps",
  "pics_access_tokens",
  "leader_leases",
  "pics_replies",
  "pics_claims",
  "pics_sizes",
  "workers",
  "steam_keys",
  "webhooks",
  "collector_state",
  "app_list_entries",
  "web_api_usage",
  "web_api_throttles",
  // Without auth.uid() there are no users with rows of their own.
  "ImportedGame",
  "Game",
  "LibraryItem",
  "Genre",
  "Platform",
  "GameGenre",
  "GamePlatform",
  "library_choices",
  "library_written",
  "igdb_answers",
  "web_tokens",
];

/** A value of a type, so that a call resolves to its function. */
function sample(type: string): unknown {
  if (type.endsWith("[]")) return [];
  return type === "jsonb" ? {} : "1";
}

describe("privileges through PostgREST", () => {
  let database: TestDatabase;
  let tables: string[];
  let functions: { name: string; args: Record<string, unknown> }[];
  const storedApps = 1_200;

  beforeAll(async () => {
    database = await openTestDatabase("supabase");
    const { store, sql, mark, call } = catalogOf(() => database);
    await store(fullRecord(10, 500), record(20, 500));
    await sql(
      `insert into apps (appid, name) select 1000 + i, 'App ' || i from generate_series(1, ${storedApps - 2}) i`,
    );
    await sql(
      "insert into app_info (appid, change_number, sha1, size, partial, data) values (10, 500, '', 0, false, '')",
    );
    await sql(`insert into app_changes (appid, change_number, field, old, new) values (10, 500, 'name', '"A"', '"B"')`);
    await mark([[30, 500]]);
    await sql("insert into pics_gaps (from_change, to_change) values (1, 2)");
    await sql("insert into pics_access_tokens (appid, access_token) values (10, '7')");
    await sql("insert into workers (id, mode, snapshot) values (gen_random_uuid(), 'sync', '{}')");
    await sql("insert into game_metadata (appid, owners_estimate) values (10, '20,000 .. 50,000')");
    await sql("insert into app_list_entries (kind, appid, name, seen_in) values ('games', 10, 'Portal 2', 1)");
    await call("library_create_tables", {});
    await importingOf({ call, sql }).apply("u1", [owned(10)]);
    await sql("insert into web_api_usage (endpoint, period_start, used) values ('steam', '2026-01-01', 1)");

    tables = (
      await sql<{ name: string }>("select tablename as name from pg_tables where schemaname = 'public' order by 1")
    ).map(({ name }) => name);
    const found = await sql<{ name: string; args: Record<string, string> | null }>(
      `select proname as name, jsonb_object_agg(arg.name, arg.type::regtype) filter (where arg.name <> '') as args
       from pg_proc left join unnest(proargnames, proargtypes::oid[]) as arg(name, type) on arg.type is not null
       where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype group by oid, proname order by 1`,
    );
    functions = found.map(({ name, args }) => ({
      name,
      args: Object.fromEntries(Object.entries(args ?? {}).map(([arg, type]) => [arg, sample(type)])),
    }));
  });
  afterAll(() => database.close());

  function clientAs(role: "anon" | "authenticated" | "service_role"): SupabaseClient {
    const { api } = database;
    if (!api) throw new Error("no API");
    const key = role === "service_role" ? api.serviceKey : api.anonKey;
    // A signed-in user sends the project's key and an own token.
    const headers = role === "authenticated" ? { Authorization: `Bearer ${signedKey(role)}` } : {};
    return createClient(api.url, key, { auth: { persistSession: false }, global: { headers } });
  }

  test("(control) there are tables and functions to protect", () => {
    expect(tables).toEqual(
      expect.arrayContaining([...privateTables, "apps", "app_steam_deck", "app_changes", "game_metadata"]),
    );
    expect(functions).toEqual(expect.arrayContaining([{ name: "pics_apply", args: { request: {} } }]));
  });

  test("every table has row-level security enabled", async () => {
    const open = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')";
    expect(await database.sql(`${open} and not relrowsecurity`)).toEqual([]);
  });

  test("API roles may only read the catalog, and nothing of private tables", async () => {
    const granted = await database.sql<{ name: string; privileges: string }>(
      `select c.relname as name, string_agg(distinct a.privilege_type, ',' order by a.privilege_type) as privileges
       from pg_class c, aclexplode(c.relacl) a
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
         and a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole)
       group by 1 order by 1`,
    );
    const catalog = tables.filter((name) => !privateTables.includes(name));
    expect(granted).toEqual(catalog.map((name) => ({ name, privileges: "SELECT" })));
  });

  describe.each(["anon", "authenticated"] as const)("%s", (role) => {
    let client: SupabaseClient;
    beforeAll(() => {
      client = clientAs(role);
    });

    test("reads every table of the catalog", async () => {
      for (const table of tables.filter((name) => !privateTables.includes(name))) {
        const { data, error } = await client.from(table).select("*").limit(3);
        expect({ table, error, some: (data?.length ?? 0) > 0 }).toEqual({ table, error: null, some: true });
      }
    });

    test("reads an app with its relations in one request", async () => {
      const { data, error } = await client
        .from("apps")
        .select(
          `name, app_steam_tags(rank, steam_tags(tag_id, name)), app_genres(is_primary, steam_genres(name)),
           app_categories(steam_categories(name)), developers(name), publishers(name), franchises(name),
           app_dlc(dlc_appid), app_steam_deck(category)`,
        )
        .eq("appid", 10)
        .order("rank", { referencedTable: "app_steam_tags" })
        .single();
      expect(error).toBeNull();
      expect(data).toMatchObject({
        name: "Portal 2",
        app_steam_tags: [
          { rank: 1, steam_tags: { tag_id: 492, name: null } },
          { rank: 2, steam_tags: { tag_id: 19 } },
          { rank: 3, steam_tags: { tag_id: 21 } },
        ],
        app_genres: expect.arrayContaining([{ is_primary: true, steam_genres: { name: "Adventure" } }]),
        app_categories: expect.arrayContaining([{ steam_categories: { name: "Steam Achievements" } }]),
        developers: [{ name: "Valve" }],
        publishers: expect.arrayContaining([{ name: "Electronic Arts" }]),
        franchises: [{ name: "Portal" }],
        app_dlc: expect.arrayContaining([{ dlc_appid: 1000 }]),
        app_steam_deck: { category: "verified" },
      });
    });

    test("filters apps by tag, developer and Steam Deck category", async () => {
      const { data } = await client
        .from("apps")
        .select("appid, app_steam_tags!inner(tag_id), developers!inner(name), app_steam_deck!inner(category)")
        .eq("app_steam_tags.tag_id", 19)
        .eq("developers.name", "Valve")
        .eq("app_steam_deck.category", "verified");
      expect(data).toMatchObject([{ appid: 10 }]);
    });

    test("gets at most 1,000 rows per request, and pages by key", async () => {
      const first = await client.from("apps").select("appid").order("appid");
      expect(first.data).toHaveLength(1_000);
      const last = first.data?.at(-1)?.appid;
      const rest = await client.from("apps").select("appid").order("appid").gt("appid", last);
      expect(rest.data).toHaveLength(storedApps - 1_000);
    });

    test("reads nothing of the sync state", async () => {
      for (const table of privateTables) {
        const { data, error } = await client.from(table).select("*");
        expect({ table, data, code: error?.code }).toEqual({ table, data: null, code: "42501" });
      }
      const { error } = await client.from("apps").select("appid, sync_status(*)").limit(1);
      expect(error).not.toBeNull();
    });

    test("is denied every write on every table", async () => {
      for (const table of tables) {
        const [column] = await database.sql<{ name: string }>(
          `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and attidentity = ''
           order by attnum limit 1`,
          [`public."${table}"`],
        );
        const key = column?.name ?? "";
        const row: Record<string, unknown> = { [key]: 77 };
        const attempts = {
          insert: await client.from(table).insert(row),
          upsert: await client.from(table).upsert(row),
          update: await client.from(table).update(row).not(key, "is", null),
          delete: await client.from(table).delete().not(key, "is", null),
        };
        for (const [what, { error }] of Object.entries(attempts))
          expect({ table, what, code: error?.code }).toEqual({ table, what, code: "42501" });
      }
    });

    test("is denied every function", async () => {
      for (const { name, args } of functions.filter((each) => !publicFunctions.includes(each.name))) {
        const { error } = await client.rpc(name, args);
        expect({ name, code: error?.code }).toEqual({ name, code: "42501" });
      }
    });
  });

  test("no function is executable by an API role, overloads included", async () => {
    const executable = await database.sql<{ name: string }>(
      `select p.proname as name, r.rolname as role from pg_proc p, pg_roles r
       where p.pronamespace = 'public'::regnamespace and r.rolname in ('anon', 'authenticated')
         and has_function_privilege(r.oid, p.oid, 'execute')`,
    );
    expect(executable.filter(({ name }) => !publicFunctions.includes(name))).toEqual([]);
  });

  test("no function has another search_path than pg_catalog, pg_temp, and two alone are security definer", async () => {
    const loose = await database.sql<{ proname: string }>(
      `select proname from pg_proc where pronamespace = 'public'::regnamespace
         and (proconfig is null or not 'search_path=pg_catalog, pg_temp' = any (proconfig))`,
    );
    // Parts of the trigger pics_derive_events, under its path.
    expect(loose.map(({ proname }) => proname).sort()).toEqual(["pics_events_of", "pics_list_difference"]);
    // Only the owner of the schema may create tables, and only the owner of a table may rebuild its indexes.
    const definers = await database.sql(
      "select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef order by 1",
    );
    expect(definers).toEqual([{ proname: "library_create_tables" }, { proname: "pics_compact" }]);
  });

  test("knows every table: none is open, and each would be found", async () => {
    const names = async () =>
      ((await database.db.rpc("pics_open_tables")) as { name: string }[]).map(({ name }) => name);
    expect(await names()).toEqual([]);
    const each = (change: string) => tables.map((name) => `alter table public."${name}" ${change} row level security;`);
    await database.sql(`${each("disable").join("\n")} grant insert on all tables in schema public to anon;`);
    try {
      expect(await names()).toEqual([...tables].sort());
    } finally {
      await database.sql(`${each("enable").join("\n")} revoke insert on all tables in schema public from anon;`);
    }
  });

  test("the service role may call every function and write every table", async () => {
    const client = clientAs("service_role");
    for (const table of tables) {
      const { error } = await client.from(table).select("*").limit(1);
      expect({ table, error }).toEqual({ table, error: null });
    }
    const failed: string[] = [];
    const [state] = await database.sql(
      `select bool_and(has_function_privilege('service_role', oid, 'execute')) as functions from pg_proc
       where pronamespace = 'public'::regnamespace`,
    );
    expect(state).toEqual({ functions: true });
    for (const privilege of ["insert", "update", "delete", "truncate"]) {
      for (const table of tables) {
        const [row] = await database.sql("select has_table_privilege('service_role', $1, $2) as may", [
          `public."${table}"`,
          privilege,
        ]);
        if (!row?.may) failed.push(`${privilege} on ${table}`);
      }
    }
    expect(failed).toEqual([]);
    expect((await client.from("developers").insert({ name: "By hand" })).error).toBeNull();
    expect((await client.from("apps").delete().eq("appid", 20)).error).toBeNull();
  });
});
