import type { EnrichmentStats, ImportStats } from "./events.ts";

/** How far an import of one library is. */
export interface LibraryProgress {
  phase: "starting" | "steam_import" | "igdb_enrichment" | "database_import" | "done";
  /** Games of this phase. */
  done: number;
  /** Null while nobody knows. */
  total: number | null;
}

export interface LibrarySummary {
  s3_location: string;
  s3_enriched_location: string;
  game_count: number;
  enrichment: EnrichmentStats;
  import: ImportStats;
}
