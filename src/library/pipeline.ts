import { type DatabaseImportDeps, databaseImport } from "./database-import.ts";
import { type EnrichmentDeps, igdbEnrichment } from "./enrichment.ts";
import type { LibraryProgress, LibrarySummary } from "./progress.ts";
import { type SteamImportDeps, steamImport } from "./steam-import.ts";

export interface LibraryImport {
  run(): Promise<LibrarySummary>;
  status(): LibraryProgress;
  /** When progress was last made, ISO 8601; null before the import starts. */
  lastProgressAt(): string | null;
}

export interface LibraryImportOptions
  extends Omit<SteamImportDeps & EnrichmentDeps & DatabaseImportDeps, "onProgress"> {
  userId: string;
  steamId64: string;
}

/** Runs the three stages in sequence in this process, and reports progress. */
export function createLibraryImport({ userId, steamId64, ...deps }: LibraryImportOptions): LibraryImport {
  let progress: LibraryProgress = { phase: "starting", done: 0, total: null };
  let progressAt: string | null = null;

  function report(next: LibraryProgress) {
    progress = next;
    progressAt = new Date().toISOString();
  }

  return {
    async run() {
      report({ phase: "steam_import", done: 0, total: null });
      const { s3_location, game_count } = await steamImport({ user_id: userId, steam_id64: steamId64 }, deps);
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
      report({ phase: "done", done: game_count, total: game_count });
      return { s3_location, s3_enriched_location, game_count, enrichment: stats, import: imported.stats };
    },
    status: () => progress,
    lastProgressAt: () => progressAt,
  };
}
