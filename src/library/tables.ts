import { SettingRejectedError } from "./errors.ts";
import type { LibraryStore } from "./store.ts";

/**
 * Who owns the library's tables (`LIBRARY_TABLES`): this service, or another application that shares its database. Null
 * when that is not configured: existing tables are used as they are, and none is created.
 */
export type TableOwner = "own" | "shared" | null;

/**
 * Makes sure that an import can write the library's tables. Only with `own` does it create what is missing: an
 * application whose migration tool finds its tables made by others stops there (Prisma: 42710, 42P07).
 *
 * @throws {SettingRejectedError} when a table is missing or has another shape than this version can write.
 */
export async function prepareTables(
  store: Pick<LibraryStore, "tables" | "createTables">,
  owner: TableOwner,
): Promise<void> {
  if (owner === "own") await store.createTables();
  const { missing, faults } = await store.tables();
  if (missing.length > 0) throw new SettingRejectedError(remedyOf(owner, missing));
  if (faults.length > 0) {
    throw new SettingRejectedError(
      `The library's tables have a shape that this version cannot write: ${faults.join("; ")}. Nothing was imported.`,
    );
  }
}

function remedyOf(owner: TableOwner, missing: readonly string[]): string {
  const names = missing.map((name) => `"${name}"`).join(", ");
  const lacks = `The database does not have the library's tables ${names}.`;
  if (owner === "shared") {
    return `${lacks} With LIBRARY_TABLES=shared another application owns them: deploy its migrations first, or set LIBRARY_TABLES=own if there is no such application.`;
  }
  return `${lacks} Set LIBRARY_TABLES=own if this service owns them: it then creates them. Set LIBRARY_TABLES=shared if another application owns them: its own migrations create them, and this service never does.`;
}
