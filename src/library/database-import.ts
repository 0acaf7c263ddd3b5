import { DatabaseError } from "../process/errors.ts";
import { readEnrichedCsv } from "./csv.ts";
import { ImportRejectedError } from "./errors.ts";
import type { DatabaseImportEvent, DatabaseImportResponse, ImportStats } from "./events.ts";
import { checkEnrichedKey } from "./keys.ts";
import { isUnanswered } from "./match.ts";
import type { ObjectStore } from "./object-store.ts";
import type { EnrichedGame } from "./rows.ts";
import type { ImportedRow, LibraryStore } from "./store.ts";
import { prepareTables, type TableOwner } from "./tables.ts";

export interface DatabaseImportDeps {
  objects: ObjectStore;
  store: Pick<LibraryStore, "apply" | "tables" | "createTables">;
  tables: TableOwner;
  signal: AbortSignal;
  /** Called after each batch with the number of games written and their total. */
  onProgress?: (done: number, total: number) => void;
}

/** Games per transaction. */
const batchSize = 500;
/** SQLSTATE foreign_key_violation. Where another application owns the tables, `userId` may reference its users. */
const foreignKeyViolation = "23503";

/**
 * Third stage: upserts the games of an enriched file into a user's library, in batches. Each batch is idempotent, so
 * that a retry passes over the batches that are already written.
 *
 * @throws {ImportRejectedError} when the file cannot be read, the user does not exist, or the tables cannot be written.
 * @throws {DatabaseError} on any other failure; a retry may help.
 */
export async function databaseImport(
  event: DatabaseImportEvent,
  deps: DatabaseImportDeps,
): Promise<DatabaseImportResponse> {
  const { user_id, s3_enriched_location } = event;
  checkEnrichedKey(user_id, deps.objects.keyOf(s3_enriched_location));
  const games = readEnrichedCsv(await deps.objects.get(s3_enriched_location));
  await prepareTables(deps.store, deps.tables);
  const stats: ImportStats = {
    imported_games_created: 0,
    imported_games_updated: 0,
    games_created: 0,
    games_updated: 0,
    library_items_created: 0,
  };
  for (let start = 0; start < games.length; start += batchSize) {
    deps.signal.throwIfAborted();
    const batch = games.slice(start, start + batchSize).map(rowOf);
    const counts = await deps.store.apply(user_id, batch).catch((error: unknown) => {
      if (!(error instanceof DatabaseError) || error.code !== foreignKeyViolation) throw error;
      throw new ImportRejectedError(`User ${user_id} does not exist in the database: ${error.message}`);
    });
    for (const name of Object.keys(stats) as (keyof ImportStats)[]) stats[name] += counts[name];
    deps.onProgress?.(start + batch.length, games.length);
  }
  return { success: true, user_id, stats };
}

function rowOf(game: EnrichedGame): ImportedRow {
  return {
    appid: game.appid,
    name: game.name,
    playtime: game.playtime_forever,
    playtime_windows: game.playtime_windows,
    playtime_mac: game.playtime_mac,
    playtime_linux: game.playtime_linux,
    last_played_at: game.last_played_at,
    img_icon_url: game.img_icon_url,
    status: game.match_status,
    ...(isUnanswered(game) && { is_unanswered: true }),
    igdb: game.igdb,
  };
}
