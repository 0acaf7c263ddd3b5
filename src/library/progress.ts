import type { EnrichmentStats, ImportStats } from "./events.ts";

/** Progress of the import of one library. */
export interface LibraryProgress {
  phase: "starting" | "steam_import" | "igdb_enrichment" | "database_import" | "done";
  /** Games processed in this phase. */
  done: number;
  /** Games of this phase in total; null until Steam has answered. */
  total: number | null;
}

export interface LibrarySummary {
  s3_location: string;
  s3_enriched_location: string;
  game_count: number;
  enrichment: EnrichmentStats;
  import: ImportStats;
}
