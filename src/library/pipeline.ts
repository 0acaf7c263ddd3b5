import { readEnrichedCsv } from "./csv.ts";
import { type DatabaseImportDeps, databaseImport } from "./database-import.ts";
import { type EnrichmentDeps, igdbEnrichment } from "./enrichment.ts";
import type { LibraryProgress, LibrarySummary } from "./progress.ts";
import { namedGames, type ReportedGame } from "./report.ts";
import { type SteamImportDeps, steamImport } from "./steam-import.ts";
import { prepareTables } from "./tables.ts";

export interface LibraryImport {
  run(): Promise<LibrarySummary>;
  status(): LibraryProgress;
  /** When progress was last made, ISO 8601; null before the import starts. */
  lastProgressAt(): string | null;
}

export interface LibraryImportOptions
  extends Omit<SteamImportDeps & EnrichmentDeps & DatabaseImportDeps, "onProgress"> {
  userId: string;
  /** The profile, in any form of `parseProfile`. */
  steamId: string;
  /** Called with every game of the enriched file once all are imported. */
  onGames?: (games: readonly ReportedGame[]) => void;
}

/** Runs the three stages in sequence in this process, and reports progress. */
export function createLibraryImport({ userId, steamId, onGames, ...deps }: LibraryImportOptions): LibraryImport {
  let progress: LibraryProgress = { phase: "starting", done: 0, total: null };
  let progressAt: string | null = null;

  function report(next: LibraryProgress) {
    progress = next;
    progressAt = new Date().toISOString();
  }

  return {
    async run() {
      // Before Steam and IGDB are asked: what is wrong with the tables is not mended by a later stage.
      await prepareTables(deps.store, deps.tables);
      report({ phase: "steam_import", done: 0, total: null });
      const library = await steamImport({ user_id: userId, steam_id64: steamId }, deps);
      const { s3_location, game_count } = library;
      report({ phase: "igdb_enrichment", done: 0, total: game_count });
      const enriched = await igdbEnrichment(
        { user_id: userId, s3_location },
        { ...deps, onProgress: (done, total) => report({ phase: "igdb_enrichment", done, total }) },
      );
      const { s3_enriched_location, stats } = enriched;
      report({ phase: "database_import", done: 0, total: game_count });
      const imported = await databaseImport(
        { user_id: userId, s3_enriched_location },
        { ...deps, onProgress: (done, total) => report({ phase: "database_import", done, total }) },
      );
      const games = readEnrichedCsv(await deps.objects.get(s3_enriched_location));
      onGames?.(games);
      report({ phase: "done", done: game_count, total: game_count });
      return {
        steam_id64: library.steam_id64,
        s3_location,
        s3_enriched_location,
        game_count,
        skipped: { count: library.skipped_count, first: library.skipped },
        unmatched: namedGames(games, "UNMATCHED"),
        ignored: namedGames(games, "IGNORED"),
        enrichment: stats,
        import: imported.stats,
      };
    },
    status: () => progress,
    lastProgressAt: () => progressAt,
  };
}
