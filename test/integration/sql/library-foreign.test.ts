import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { forEachDatabase, type TestDatabase } from "../../support/databases.ts";
import { type Catalog, catalogOf } from "./catalog.ts";
import {
  counts,
  created,
  type Importing,
  igdb,
  ignored,
  importingOf,
  libraryTables,
  migrateTest,
  owned,
  unmatched,
} from "./library.ts";

/**
 * Two versions of the application that shares the tables: the later one renamed the statuses and has a column for the
 * match.
 */
const versions = {
  earlier: {
    statuses: ["CURIOUS_ABOUT", "CURRENTLY_EXPLORING", "TOOK_A_BREAK", "EXPERIENCED", "WISHLIST", "REVISITING"],
    unplayed: "CURIOUS_ABOUT",
    played: "EXPERIENCED",
    own: "TOOK_A_BREAK",
    hasMatchStatus: false,
  },
  later: {
    statuses: ["WISHLIST", "SHELF", "UP_NEXT", "PLAYING", "PLAYED"],
    unplayed: "SHELF",
    played: "PLAYED",
    own: "UP_NEXT",
    hasMatchStatus: true,
  },
} as const;

type Version = (typeof versions)[keyof typeof versions];

/** The application's tables as Prisma creates them, with users and its own grants and policies. */
const foreignTables = ({ statuses, unplayed, hasMatchStatus }: Version) => `
  create type "Storefront" as enum ('STEAM', 'PLAYSTATION', 'XBOX');
  create type "LibraryItemStatus" as enum (${statuses.map((status) => `'${status}'`).join(", ")});
  create type "AcquisitionType" as enum ('PHYSICAL', 'DIGITAL', 'SUBSCRIPTION');
  ${hasMatchStatus ? `create type "IgdbMatchStatus" as enum ('PENDING', 'MATCHED', 'UNMATCHED', 'IGNORED');` : ""}
  create table "User" (id text not null, email text, constraint "User_pkey" primary key (id));
  create table "Game" (
    id text not null, "igdbId" integer not null, "hltbId" integer, title text not null, description text, "coverImage" text,
    "releaseDate" timestamp(3), "mainStory" integer, "mainExtra" integer, completionist integer,
    "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, "steamAppId" integer,
    slug text not null, "franchiseId" integer, constraint "Game_pkey" primary key (id)
  );
  create unique index "Game_igdbId_key" on "Game" ("igdbId");
  create unique index "Game_hltbId_key" on "Game" ("hltbId");
  create unique index "Game_slug_key" on "Game" (slug);
  create table "ImportedGame" (
    id text not null, name text not null, storefront "Storefront" not null, "storefrontGameId" text, playtime integer default 0,
    "playtimeWindows" integer default 0, "playtimeMac" integer default 0, "playtimeLinux" integer default 0,
    "lastPlayedAt" timestamp(3), img_icon_url text, img_logo_url text,
    ${hasMatchStatus ? `"igdbMatchStatus" "IgdbMatchStatus" not null default 'PENDING',` : ""}
    "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, "deletedAt" timestamp(3),
    "userId" text not null, constraint "ImportedGame_pkey" primary key (id),
    constraint "ImportedGame_userId_fkey" foreign key ("userId") references "User" (id) on delete cascade on update cascade
  );
  create index "ImportedGame_userId_deletedAt_idx" on "ImportedGame" ("userId", "deletedAt");
  create table "LibraryItem" (
    id serial not null, status "LibraryItemStatus" not null default '${unplayed}',
    "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, platform text,
    "userId" text not null, "acquisitionType" "AcquisitionType" not null default 'DIGITAL', "gameId" text not null,
    "startedAt" timestamp(3), "completedAt" timestamp(3), constraint "LibraryItem_pkey" primary key (id),
    constraint "LibraryItem_userId_fkey" foreign key ("userId") references "User" (id) on delete cascade on update cascade,
    constraint "LibraryItem_gameId_fkey" foreign key ("gameId") references "Game" (id) on delete cascade on update cascade
  );
  ${(["Genre", "Platform"] as const)
    .map(
      (name) => `
  create table "${name}" (
    id text not null, "igdbId" integer not null, name text not null, slug text not null, checksum text,
    ${name === "Platform" ? `abbreviation text, "alternativeName" text, generation integer, "platformFamily" integer, "platformType" integer,` : ""}
    "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null,
    constraint "${name}_pkey" primary key (id)
  );
  create unique index "${name}_igdbId_key" on "${name}" ("igdbId");
  create unique index "${name}_name_key" on "${name}" (name);
  create unique index "${name}_slug_key" on "${name}" (slug);
  create table "Game${name}" (
    "gameId" text not null, "${name.toLowerCase()}Id" text not null,
    constraint "Game${name}_pkey" primary key ("gameId", "${name.toLowerCase()}Id"),
    constraint "Game${name}_gameId_fkey" foreign key ("gameId") references "Game" (id) on delete cascade,
    constraint "Game${name}_label_fkey" foreign key ("${name.toLowerCase()}Id") references "${name}" (id) on delete cascade
  );`,
    )
    .join("\n")}
  grant select on "Game" to public;
  alter table "LibraryItem" enable row level security;
  create policy "all users read the shelf" on "LibraryItem" for select using ("userId" <> 'hidden');
  create policy "the application writes" on "LibraryItem" using (true) with check (true);
`;

const foreignRows = ({ own, hasMatchStatus }: Version) => `
  insert into "User" (id) values ('u1'), ('u2');
  insert into "Game" (id, "igdbId", title, slug, "updatedAt", "steamAppId", "mainStory", "franchiseId") values
    ('cgame7', 7, 'Old title', 'their-slug', '2020-01-01', null, 300, 4),
    ('cgame8', 8, 'Another', 'title-20', '2020-01-01', 1020, null, null);
  insert into "Genre" (id, "igdbId", name, slug, "updatedAt", checksum) values
    ('cgenre1', 1005, 'Shooters', 'shooter', '2020-01-01', 'abc'), ('cgenre2', 1009, 'Puzzle', 'puzzles', '2020-01-01', null);
  insert into "Platform" (id, "igdbId", name, slug, "updatedAt", abbreviation, generation) values
    ('cplatform1', 1006, 'Windows', 'win', '2020-01-01', 'W', 8), ('cplatform2', 1014, 'Mac', 'macs', '2020-01-01', null, null);
  insert into "LibraryItem" (status, "updatedAt", platform, "userId", "gameId", "startedAt") values
    ('${own}', '2020-01-01', 'Switch', 'u1', 'cgame7', '2019-01-01');
  insert into "ImportedGame" (id, name, storefront, "storefrontGameId", playtime, "createdAt", "updatedAt", "deletedAt", "userId") values
    ('cimported1', 'Twice', 'STEAM', '30', 5, '2020-01-01', '2020-01-01', '2020-02-01', 'u1'),
    ('cimported2', 'Twice', 'STEAM', '30', 6, '2020-03-01', '2020-03-01', null, 'u1'),
    ('cimported3', 'Twice', 'STEAM', '30', 7, '2020-04-01', '2020-04-01', null, 'u1'),
    ('cimported4', 'Elsewhere', 'XBOX', '30', 8, '2020-01-01', '2020-01-01', null, 'u1'),
    ('cimported5', 'No id', 'STEAM', null, null, '2020-01-01', '2020-01-01', null, 'u1');
  ${hasMatchStatus ? `update "ImportedGame" set "igdbMatchStatus" = 'UNMATCHED'` : ""};
`;

const emptyForeign = `do $$ begin
  delete from "User"; delete from "Game"; delete from "Genre"; delete from "Platform";
end $$`;

describe.each(Object.entries(versions))("in tables of the %s version of another application", (_, version) => {
  const { unplayed, played, own, hasMatchStatus } = version;

  forEachDatabase("library_apply and the migrations", (open, kind) => {
    let database: TestDatabase;
    let catalog: Catalog;
    let importing: Importing;
    let before: Awaited<ReturnType<typeof definitions>>;

    beforeAll(async () => {
      database = await open({ migrated: false, prepare: foreignTables(version) + foreignRows(version) });
      catalog = catalogOf(() => database);
      importing = importingOf(catalog);
      // The tables of the later version belong to another role; the program's role has minimal privileges.
      if (hasMatchStatus && kind !== "pglite") await handOver();
      before = await definitions();
      const rows = await contents();
      await migrateTest(database);
      expect(await contents()).toEqual(rows);
    });
    beforeEach(async () => {
      await catalog.sql(emptyForeign);
      for (const statement of foreignRows(version).split(";\n")) if (statement.trim()) await catalog.sql(statement);
    });

    async function handOver() {
      const role = kind === "supabase" ? "service_role" : "app";
      for (const name of [...libraryTables, "User"]) {
        await catalog.sql(`alter table "${name}" owner to supabase_admin`);
        await catalog.sql(`grant select, insert, update on "${name}" to ${role}`);
      }
      await catalog.sql(`grant usage on sequence "LibraryItem_id_seq" to ${role}`);
    }

    /** The complete definition of the tables, without their rows. */
    async function definitions() {
      const mine = `c.relnamespace = 'public'::regnamespace and c.relname = any ($1)`;
      const names = [...libraryTables, "User"];
      return {
        tables: await catalog.sql(
          `select c.relname, c.relowner::regrole::text, c.relacl::text, c.relrowsecurity, c.relforcerowsecurity from pg_class c
           where ${mine} or c.relname = 'LibraryItem_id_seq' order by 1`,
          [names],
        ),
        columns: await catalog.sql(
          `select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
           from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
           left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum where ${mine} order by 1, a.attnum`,
          [names],
        ),
        keys: await catalog.sql(
          `select conname, pg_get_constraintdef(k.oid) from pg_constraint k join pg_class c on c.oid = k.conrelid
           where ${mine} and k.contype <> 'n' order by c.relname, 1`,
          [names],
        ),
        indexes: await catalog.sql(
          `select pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid where ${mine} order by 1`,
          [names],
        ),
        policies: await catalog.sql(
          `select tablename, policyname, permissive, roles::text, cmd, qual, with_check from pg_policies order by 1, 2`,
        ),
        triggers: await catalog.sql(
          `select tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid where not tgisinternal and ${mine}`,
          [names],
        ),
        labels: await catalog.sql(
          `select t.typname, array_agg(e.enumlabel::text order by e.enumsortorder) from pg_type t join pg_enum e on e.enumtypid = t.oid
           where t.typname in ('Storefront', 'LibraryItemStatus', 'AcquisitionType') group by 1 order by 1`,
        ),
      };
    }

    async function contents() {
      const all: Record<string, object[]> = {};
      for (const name of [...libraryTables, "User"]) {
        const rows = await catalog.sql<{ row: object }>(`select to_jsonb(t) as row from "${name}" t order by t::text`);
        all[name] = rows.map(({ row }) => (name === "ImportedGame" ? { igdbMatchStatus: "PENDING", ...row } : row));
      }
      return all;
    }

    test("keep columns, keys, indexes, policies, grants and owners", async () => {
      const after = await definitions();
      const isNew = ({ relname, attname }: Record<string, unknown>) =>
        !hasMatchStatus && relname === "ImportedGame" && attname === "igdbMatchStatus";
      const policies = after.policies.filter(({ tablename }) => libraryTables.includes(String(tablename)));
      expect({ ...after, policies, columns: after.columns.filter((column) => !isNew(column)) }).toEqual(before);
      expect(after.columns.filter(isNew)).toEqual(
        hasMatchStatus
          ? []
          : [
              expect.objectContaining({
                format_type: '"IgdbMatchStatus"',
                attnotnull: true,
                pg_get_expr: expect.stringContaining("PENDING"),
              }),
            ],
      );
    });

    test("use the application's statuses for library items", async () => {
      expect(await importing.apply("u2", [owned(10, { playtime: 0 }), owned(11, { playtime: 1 })])).toEqual(created(2));
      expect(await importing.items("u2")).toEqual([
        ["Title 10", unplayed],
        ["Title 11", played],
      ]);
    });

    test("keep the id, IGDB id and slug of existing games, and existing statuses", async () => {
      const library = [owned(10, { igdb: igdb(7) }), owned(20)];
      expect(await importing.apply("u1", library)).toEqual(
        counts({ imported_games_created: 2, games_created: 1, games_updated: 1, library_items_created: 1 }),
      );
      expect(await importing.game(7)).toMatchObject({
        id: "cgame7",
        slug: "their-slug",
        title: "Title 7",
        steamAppId: 10,
        mainStory: 300,
        franchiseId: 4,
      });
      expect(await importing.game(8)).toMatchObject({
        id: "cgame8",
        title: "Another",
        slug: "title-20",
        steamAppId: 1020,
      });
      expect(await importing.game(20)).toMatchObject({ slug: "title-20-20" });
      expect(await importing.items("u1")).toEqual([
        ["Title 20", played],
        ["Title 7", own],
      ]);
      const rows = await importing.rows();
      expect(await importing.apply("u1", library)).toEqual(counts());
      expect(await importing.rows()).toEqual(rows);
    });

    test("keep steamAppId of existing games, and do not match by it", async () => {
      expect(await importing.apply("u1", [owned(10, { igdb: igdb(8) })])).toMatchObject({ games_updated: 1 });
      expect(await importing.game(8)).toMatchObject({ id: "cgame8", title: "Title 8", steamAppId: 1020 });
      expect(await importing.apply("u1", [owned(1020)])).toMatchObject({ games_created: 1, games_updated: 0 });
      expect(await importing.game(8)).toMatchObject({ id: "cgame8", title: "Title 8", steamAppId: 1020 });
      expect(await importing.game(1020)).toMatchObject({ steamAppId: 1020, title: "Title 1020" });
    });

    test("reuse existing genres and platforms unchanged", async () => {
      const { Genre, Platform } = await importing.rows();
      const platforms = [
        { id: 6, name: "PC (Microsoft Windows)", slug: "win", abbreviation: "PC" },
        { id: 14, name: "Mac", slug: "mac", abbreviation: "Mac" },
        { id: 3, name: "Linux", slug: "linux", abbreviation: "Linux" },
      ];
      await importing.apply("u1", [owned(10, { igdb: igdb(10, { platforms }) })]);
      expect(await importing.labels(10)).toEqual({
        genres: ["Puzzle", "Shooters"],
        platforms: ["Linux", "Mac", "Windows"],
      });
      const after = await importing.rows();
      expect(after.Genre).toEqual(Genre);
      expect(after.Platform).toEqual(expect.arrayContaining(Platform ?? []));
      expect(after.Platform).toHaveLength(3);
    });

    test("match a genre or platform by IGDB id, then by slug, then by name", async () => {
      const genres = [{ id: 1005, name: "Puzzle", slug: "puzzles" }];
      const platforms = [{ id: 99, name: "Mac", slug: "win", abbreviation: null }];
      await importing.apply("u1", [owned(10, { igdb: igdb(10, { genres, platforms }) })]);
      expect(await importing.labels(10)).toEqual({ genres: ["Shooters"], platforms: ["Windows"] });
    });

    test("update the oldest row that is not deleted when an imported game exists twice", async () => {
      const byId = async () => {
        const rows = await catalog.sql<{ id: string; row: object }>(
          `select id, to_jsonb(i) as row from "ImportedGame" i where id like 'cimported%'`,
        );
        return Object.fromEntries(rows.map(({ id, row }) => [id, row]));
      };
      const stored = await byId();
      expect(await importing.apply("u1", [owned(30)])).toEqual(
        counts({ imported_games_updated: 1, games_created: 1, library_items_created: 1 }),
      );
      const now = await byId();
      expect(now).toEqual({
        ...stored,
        cimported2: expect.objectContaining({ playtime: 60, igdbMatchStatus: "MATCHED" }),
      });
      expect(await importing.apply("u1", [owned(30)])).toEqual(counts());
      expect(await catalog.sql(`select count(*)::int from "ImportedGame"`)).toEqual([{ count: 5 }]);
    });

    test("set the match status of rows that were imported before", async () => {
      await catalog.sql(
        `insert into "ImportedGame" (id, name, storefront, "storefrontGameId", "updatedAt", "userId")
         select 'c' || i, 'App ' || i, 'STEAM', i, '2020-01-01', 'u2' from generate_series(1, 3) i`,
      );
      const library = [owned(1), unmatched(2), ignored(3)];
      expect(await importing.apply("u2", library)).toEqual(
        counts({ imported_games_updated: 3, games_created: 1, library_items_created: 1 }),
      );
      expect(await importing.imported("u2")).toMatchObject({
        1: { id: "c1", igdbMatchStatus: "MATCHED", name: "Steam 1" },
        2: { id: "c2", igdbMatchStatus: "UNMATCHED" },
        3: { id: "c3", igdbMatchStatus: "IGNORED" },
      });
    });

    test("write nothing for an unknown user", async () => {
      const rows = await importing.rows();
      const refusal = { name: "DatabaseError", code: "23503", fault: "data" };
      await expect(importing.apply("unknown", [owned(10)])).rejects.toMatchObject(refusal);
      expect(await importing.rows()).toEqual(rows);
    });
  });
});
