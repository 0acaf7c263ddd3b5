import { type DatabaseImportDeps, databaseImport } from "./database-import.ts";
import { type EnrichmentDeps, igdbEnrichment } from "./enrichment.ts";
import type { LibraryProgress, LibrarySummary } from "./progress.ts";
import { type SteamImportDeps, steamImport } from "./steam-import.ts";

export interface LibraryImport {
  run(): Promise<LibrarySummary>;
  status(): LibraryProgress;
  /** ISO 8601; null before the first. */
  lastProgressAt(): string | null;
}

export interface LibraryImportOptions
  extends Omit<SteamImportDeps & EnrichmentDeps & DatabaseImportDeps, "onProgress"> {
  userId: string;
  steamId64: string;
}

/** The three stages one after the other, in this process. */
export function createLibraryImport({ userId, steamId64, ...deps }: LibraryImportOptions): LibraryImport {
  let progress: LibraryProgress = { phase: "starting", done: 0, total: null };
  let progressAt: string | null = null;

  function at(next: LibraryProgress) {
    progress = next;
    progressAt = new Date().toISOString();
  }

  return {
    async run() {
      at({ phase: "steam_import", done: 0, total: null });
      const { s3_location, game_count } = await steamImport({ user_id: userId, steam_id64: steamId64 }, deps);
      at({ phase: "igdb_enrichment", done: 0, total: game_count });
      const enriched = await igdbEnrichment(
        { user_id: userId, s3_location },
        { ...deps, onProgress: (done, total) => at({ phase: "igdb_enrichment", done, total }) },
      );
      const { s3_enriched_location, stats } = enriched;
      at({ phase: "database_import", done: 0, total: game_count });
      const imported = await databaseImport(
        { user_id: userId, s3_enriched_location },
        { ...deps, onProgress: (done, total) => at({ phase: "database_import", done, total }) },
      );
      at({ phase: "done", done: game_count, total: game_count });
      return { s3_location, s3_enriched_location, game_count, enrichment: stats, import: imported.stats };
    },
    status: () => progress,
    lastProgressAt: () => progressAt,
  };
}
