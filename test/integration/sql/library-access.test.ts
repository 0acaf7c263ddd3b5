import { createClient } from "@supabase/supabase-js";
import { beforeAll, describe, expect, test } from "vitest";
import { readMigrations } from "../../../src/db/migrate.ts";
import { forEachDatabase, type TestDatabase } from "../../support/databases.ts";
import { signedKey } from "../../support/postgrest.ts";
import { catalogOf } from "./catalog.ts";
import { importingOf, owned, unmatched } from "./library.ts";

/** Supabase's schema `auth`: the user of a request's token. */
const authSchema = `
  create schema auth;
  grant usage on schema auth to anon, authenticated, service_role;
  create function auth.uid() returns uuid language sql stable as $$
    select coalesce(
      nullif(current_setting('request.jwt.claim.sub', true), ''),
      nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid
  $$;
`;
const alice = "11111111-1111-4111-8111-111111111111";
const bob = "22222222-2222-4222-8222-222222222222";
const personalTables = ["ImportedGame", "LibraryItem"];
const sharedTables = ["Game", "Genre", "Platform", "GameGenre", "GamePlatform"];
const privateTables = ["library_choices", "library_written", "igdb_answers", "web_tokens"];
const allTables = [...personalTables, ...sharedTables, ...privateTables];

forEachDatabase(
  "row-level security of the library",
  (open) => {
    let database: TestDatabase;
    beforeAll(async () => {
      // Migrated before PostgREST starts: it reads tables and functions separately and may mix two versions of the
      // schema.
      const migrations = (await readMigrations()).map(({ sql }) => sql);
      database = await open({
        migrated: false,
        prepare: [authSchema, ...migrations, "select library_create_tables('{}');"].join("\n"),
      });
      const { apply } = importingOf(catalogOf(() => database));
      await apply(alice, [owned(10), owned(20), unmatched(30)]);
      await apply(bob, [owned(10), owned(40)]);
      // Another application's ids need not be UUIDs.
      await apply("cm3xyz", [owned(10)]);
      await database.sql(`insert into igdb_answers (uid) values ('10')`);
      await database.sql(`insert into web_tokens (name, token, expires_at) values ('igdb', 'secret', now())`);
    });

    function clientOf(userId: string | null) {
      const { api } = database;
      if (!api) throw new Error("no API");
      const headers = userId === null ? {} : { Authorization: `Bearer ${signedKey("authenticated", { userId })}` };
      return createClient(api.url, api.anonKey, { auth: { persistSession: false }, global: { headers } });
    }

    const users = [
      { who: "a user", userId: alice, apps: ["10", "20", "30"], items: 2 },
      { who: "another user", userId: bob, apps: ["10", "40"], items: 2 },
      { who: "a user without a library", userId: "33333333-3333-4333-8333-333333333333", apps: [], items: 0 },
    ];
    describe.each(users)("$who", ({ userId, apps, items }) => {
      test("reads only the own rows", async () => {
        const client = clientOf(userId);
        const imported = await client.from("ImportedGame").select("storefrontGameId, userId").order("storefrontGameId");
        expect(imported.data).toEqual(apps.map((storefrontGameId) => ({ storefrontGameId, userId })));
        const library = await client.from("LibraryItem").select('userId, Game("title")');
        expect(library.data).toEqual(Array(items).fill({ userId, Game: { title: expect.any(String) } }));
        const others = await client.from("ImportedGame").select("id").neq("userId", userId);
        expect(others.data).toEqual([]);
      });

      test("reads all games, genres and platforms, and no private table", async () => {
        const client = clientOf(userId);
        const games = await client.from("Game").select("igdbId, Genre(name), Platform(name)").order("igdbId");
        expect(games.data?.map(({ igdbId }) => igdbId)).toEqual([10, 20, 40]);
        expect(games.data?.[0]).toMatchObject({
          Genre: expect.any(Array),
          Platform: [{ name: "PC (Microsoft Windows)" }],
        });
        for (const name of sharedTables) expect((await client.from(name).select("*")).data).not.toHaveLength(0);
        for (const name of privateTables) {
          expect((await client.from(name).select("*")).error).toMatchObject({ code: "42501" });
        }
      });

      test("may not write, not even the own rows", async () => {
        const client = clientOf(userId);
        for (const name of allTables) {
          const [column] = await database.sql<{ name: string }>(
            "select attname as name from pg_attribute where attrelid = $1::regclass and attnum = 1",
            [`public."${name}"`],
          );
          const key = column?.name ?? "";
          const row: Record<string, unknown> = { [key]: "77" };
          const attempts = [
            await client.from(name).insert(row),
            await client.from(name).update(row).not(key, "is", null),
            await client.from(name).delete().not(key, "is", null),
          ];
          expect(attempts.map(({ error }) => [name, error?.code])).toEqual(Array(3).fill([name, "42501"]));
        }
        const { error } = await client.rpc("library_apply", { request: { user_id: userId, games: [] } });
        expect(error).toMatchObject({ code: "42501" });
      });
    });

    test("an anonymous client reads nothing", async () => {
      for (const name of allTables) {
        expect((await clientOf(null).from(name).select("*")).error).toMatchObject({ code: "42501" });
      }
    });

    test("the service role reads everything", async () => {
      const { api } = database;
      const service = createClient(api?.url ?? "", api?.serviceKey ?? "", { auth: { persistSession: false } });
      for (const name of allTables) expect((await service.from(name).select("*")).data).not.toHaveLength(0);
      expect((await service.from("ImportedGame").select("id")).data).toHaveLength(6);
    });
  },
  ["supabase"],
);
