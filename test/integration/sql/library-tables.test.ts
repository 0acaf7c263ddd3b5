import { expect, test } from "vitest";
import { createDatabaseRetry } from "../../../src/db/retry.ts";
import { SettingRejectedError } from "../../../src/library/errors.ts";
import { createLibraryStore } from "../../../src/library/store.ts";
import { prepareTables } from "../../../src/library/tables.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { silent } from "../../support/templates.ts";
import { libraryTables } from "./library.ts";

forEachDatabase(
  "the library's tables",
  (open) => {
    test("are created only when this service owns them, once, by however many callers", async () => {
      const { db, kind, sql } = await open();
      const store = createLibraryStore(db, createDatabaseRetry(kind, { logger: silent }));
      const types = () => sql("select typname from pg_type where typname ~ '[A-Z]' and typtype = 'e'");
      const create = async () => (await db.rpc("library_create_tables", { request: {} })) as { created: string[] };

      const both = /LIBRARY_TABLES=own .*LIBRARY_TABLES=shared /;
      await expect(prepareTables(store, null)).rejects.toThrow(both);
      await expect(prepareTables(store, null)).rejects.toBeInstanceOf(SettingRejectedError);
      await expect(prepareTables(store, "shared")).rejects.toThrow(/"Game", .*deploy its migrations first/);
      expect(await store.tables()).toEqual({ missing: libraryTables.toSorted(), faults: [] });
      expect(await types()).toEqual([]);

      const replies = await Promise.all([create(), create(), create()]);
      expect(replies.flatMap(({ created }) => created).toSorted()).toEqual(libraryTables.toSorted());
      expect(await types()).toHaveLength(4);
      for (const owner of ["own", "shared", null] as const) await prepareTables(store, owner);

      // Existing tables stay as they are.
      await sql(`insert into "Genre" (id, "igdbId", name, slug, "updatedAt") values ('g', 1, 'n', 's', now())`);
      await sql(`drop table "GamePlatform"`);
      await expect(prepareTables(store, null)).rejects.toThrow(
        /the library's tables "GamePlatform"\. .*=own .*=shared /,
      );
      expect(await create()).toEqual({ created: ["GamePlatform"] });
      expect(await sql(`select id from "Genre"`)).toEqual([{ id: "g" }]);
      const open_ = await sql(
        "select relname from pg_class where relkind = 'r' and relrowsecurity and relname ~ '[A-Z]'",
      );
      expect(open_).toHaveLength(7);
    });
  },
  ["postgres"],
);
