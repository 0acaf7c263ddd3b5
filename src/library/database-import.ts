import { DatabaseError } from "../process/errors.ts";
import { readEnrichedCsv } from "./csv.ts";
import { ImportRejectedError } from "./errors.ts";
import type { DatabaseImportEvent, DatabaseImportResponse, ImportStats } from "./events.ts";
import { checkEnriched } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";
import type { EnrichedGame } from "./rows.ts";
import type { ImportedRow, LibraryStore } from "./store.ts";

export interface DatabaseImportDeps {
  objects: ObjectStore;
  store: Pick<LibraryStore, "apply">;
  signal: AbortSignal;
  /** Called with so many games of so many. */
  onProgress?: (done: number, total: number) => void;
}

/** Games a transaction. */
const batchSize = 500;
/** SQLSTATE of a foreign key that finds nothing: the other application's tables may know users that this one does not. */
const foreignKeyViolation = "23503";

/**
 * The third stage: an enriched file becomes rows of a user's library, a batch at a time. Batches that are there already change nothing, so a
 * retry goes on where the last one stopped.
 *
 * @throws {ImportRejectedError} for a file that cannot be read, and a user whom the database does not know.
 * @throws {DatabaseError} else; a retry may help.
 */
export async function databaseImport(
  event: DatabaseImportEvent,
  deps: DatabaseImportDeps,
): Promise<DatabaseImportResponse> {
  const { user_id, s3_enriched_location } = event;
  checkEnriched(user_id, deps.objects.keyOf(s3_enriched_location));
  const games = readEnrichedCsv(await deps.objects.get(s3_enriched_location));
  const stats: ImportStats = {
    imported_games_created: 0,
    imported_games_updated: 0,
    games_created: 0,
    games_updated: 0,
    library_items_created: 0,
  };
  for (let at = 0; at < games.length; at += batchSize) {
    deps.signal.throwIfAborted();
    const batch = games.slice(at, at + batchSize).map(rowOf);
    const counts = await deps.store.apply(user_id, batch).catch((error: unknown) => {
      if (!(error instanceof DatabaseError) || error.code !== foreignKeyViolation) throw error;
      throw new ImportRejectedError(`The database knows no user ${user_id}: ${error.message}`);
    });
    for (const name of Object.keys(stats) as (keyof ImportStats)[]) stats[name] += counts[name];
    deps.onProgress?.(at + batch.length, games.length);
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
    igdb: game.igdb,
  };
}
