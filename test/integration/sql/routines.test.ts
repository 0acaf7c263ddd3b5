import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { readRoutines } from "../../../.ci/make-migration.ts";
import type { SqlDatabase } from "../../../src/db/database.ts";
import { migrate } from "../../../src/db/migrate.ts";
import { openPostgres } from "../../../src/db/postgres.ts";
import { forEachDatabase, type TestDatabase } from "../../support/databases.ts";
import { silent } from "../../support/templates.ts";
import { catalogOf, fullRecord } from "./catalog.ts";
import { importingOf, owned } from "./library.ts";

const supabaseDir = fileURLToPath(new URL("../../../supabase", import.meta.url));

/**
 * Functions and operators that an unprivileged role makes in `public`. Each takes exactly the types with which a routine calls a built-in
 * that takes others (wider or polymorphic ones), so that Postgres prefers it wherever `public` is on the search path.
 */
const shadows = [
  "hashtextextended(text, integer)",
  "cardinality(integer[])",
  "unnest(integer[])",
  "unnest(text[])",
  "unnest(public.pics_verdict[])",
  "jsonb_agg(jsonb)",
  "jsonb_agg(integer)",
  "jsonb_build_object(text, integer)",
  "jsonb_build_object(text, bigint)",
  "jsonb_build_object(text, boolean)",
  "to_jsonb(public.apps)",
  "to_jsonb(integer)",
  "count(integer)",
  "array_agg(integer)",
  "format(text, text)",
  "pg_advisory_xact_lock_shared(integer)",
  "set_config(text, text, text)",
];
const shadowOperators = [
  ["<>", "integer[]", "integer[]"],
  ["=", "text[]", "text[]"],
  ["||", "text", "integer"],
  ["||", "integer[]", "integer[]"],
];

const shadowSql = `
  create role intruder_%s nologin;
  grant create on schema public to intruder_%s;
  set role intruder_%s;
  ${shadows
    .map((signature) => {
      const result = signature.startsWith("unnest")
        ? "setof integer"
        : signature.startsWith("hash")
          ? "bigint"
          : "jsonb";
      return `create function public.${signature} returns ${result} language plpgsql
                as $$ begin raise exception 'a shadow of ${signature} was called'; end $$;`;
    })
    .join("\n")}
  ${shadowOperators
    .map(
      ([name, left, right], i) => `
        create function public.shadow_${i}(${left}, ${right}) returns boolean language plpgsql
          as $$ begin raise exception 'a shadow of ${name} was called'; end $$;
        create operator public.${name} (leftarg = ${left}, rightarg = ${right}, function = public.shadow_${i});`,
    )
    .join("\n")}
  reset role;`;

/** Calls of every part of the routines, as the service makes them. */
async function callRoutines(database: TestDatabase): Promise<void> {
  const catalog = catalogOf(() => database);
  const { store, mark, claim, apply, call } = catalog;
  await store(fullRecord(10, 500), fullRecord(20, 500));
  await store(fullRecord(10, 501, { name: "Renamed", tags: [21] }));
  await mark([
    [10, 502],
    [30, 502],
  ]);
  const { lease } = await claim();
  await apply(lease, {
    unknown: [10],
    failed: [{ appid: 30, error: "refused" }],
    tokens: [{ appid: 10, access_token: "7" }],
  });
  const worker_id = "00000000-0000-4000-8000-000000000001";
  for (const role of ["monitor", "collector"]) await call("leader_acquire", { role, worker_id, lease_seconds: 60 });
  await call("pics_poll", { worker_id, since: 0, change_number: 600, apps: [[20, 600, false]] });
  await call("pics_open_gap", { worker_id, from_change: 600, to_change: 700 });
  await call("pics_finish_sweep", { worker_id, seconds: 1, change_number: 700 });
  await call("pics_name_tags", { tags: [{ tag_id: 21, name: "Adventure" }] });
  await call("pics_name_categories", { categories: [{ category_id: 2, name: "Single-player" }] });
  await call("pics_unconfirmed_categories");
  await call("report_worker", { id: worker_id, mode: "sync", snapshot: {} });

  const { run } = await call<{ run: number }>("collector_begin_list", { worker_id, kinds: ["games"], fresh: false });
  await call("collector_save_list", {
    worker_id,
    run,
    kind: "games",
    apps: [[20, "Twenty"]],
    after: 20,
    complete: true,
  });
  await call("collector_accept_list", { worker_id, run, max_shrink: 0.05 });
  await call("collector_apply_list", { worker_id, run, max: 100 });
  await call("collector_begin_pass", { worker_id, full_refresh: false });
  await call("collector_due", {
    worker_id,
    max: 10,
    run_started_at: "2030-01-01",
    max_attempts: 3,
    stale_first: false,
  });
  await call("web_reserve", { endpoint: "steam", period_start: "2026-01-01", limit: 10, block: 5 });
  await call("library_create_tables", {});
  await importingOf(catalog).apply("user", [owned(20)]);

  await call("catalog_app", { appid: 20 });
  await call("catalog_apps", { max: 10, sort: "name", relations: [["developer", "Valve"]], words: ["portal"] });
  await call("catalog_changes", { max: 10, after: 0 });
  await call("catalog_events", { max: 10, after: 0, types: ["game"], min_reviews: 1 });
  for (const name of ["catalog_activity", "catalog_day", "catalog_summary", "pics_state", "pics_backlog"])
    await call(name);
  for (const kind of ["tags", "developers"]) {
    await call(kind === "tags" ? "catalog_labels" : "catalog_companies", { kind, max: 10 });
  }
}

forEachDatabase(
  "routines",
  (open) => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await open();
    });

    it("are the same after they are created once more on top of all migrations", async () => {
      const functions = `select oid::regprocedure::text as name, pg_get_functiondef(oid) as definition, proconfig, proacl::text, proowner
        from pg_proc where pronamespace = 'public'::regnamespace order by 1`;
      const before = await database.sql(functions);
      await (database.db as SqlDatabase).transaction((await readRoutines(supabaseDir)).join("\n"));
      expect(await database.sql(functions)).toEqual(before);
      expect(before.length).toBeGreaterThan(60);
    });

    it("call no function or operator that an unprivileged role made in public", async () => {
      await database.sql(shadowSql.replaceAll("%s", process.pid.toString()));
      // The shadows work where public is on the path.
      await expect(database.sql("select hashtextextended('x', 0)")).rejects.toThrow("a shadow of hashtextextended");
      await expect(database.sql("select array[1] <> array[2]")).rejects.toThrow("a shadow of <>");
      await callRoutines(database);
      // With the search path that routines must not have, one of them calls a shadow.
      await database.sql("alter function public.pics_claim(jsonb) set search_path = public, pg_temp");
      await expect(callRoutines(database)).rejects.toThrow("a shadow of hashtextextended");
      await database.sql(`drop owned by intruder_${process.pid}; drop role intruder_${process.pid}`);
    });
  },
  ["postgres"],
);

describe("a database whose search_path lacks public", () => {
  forEachDatabase(
    "migrate and routines",
    (open) => {
      it("migrates and works", async () => {
        const database = await open({
          migrated: false,
          prepare: `do $$ begin execute format('alter database %I set search_path = app', current_database()); end $$`,
        });
        const db = await openPostgres({ url: database.url ?? "", logger: silent });
        await migrate(db);
        await callRoutines({ ...database, db });
        expect(await db.query("select current_setting('search_path') as path, to_regclass('apps') as apps")).toEqual([
          { path: "app", apps: null },
        ]);
        await db.close();
      });
    },
    ["postgres"],
  );
});
