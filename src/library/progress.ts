import type { EnrichmentStats, ImportStats } from "./events.ts";
import type { NamedGames } from "./report.ts";

/** Progress of the import of one library. */
export interface LibraryProgress {
  phase: "starting" | "steam_import" | "igdb_enrichment" | "database_import" | "done";
  /** Games processed in this phase. */
  done: number;
  /** Games of this phase in total; null until Steam has answered. */
  total: number | null;
}

export interface LibrarySummary {
  /** SteamID64 of the profile. */
  steam_id64: string;
  s3_location: string;
  s3_enriched_location: string;
  game_count: number;
  /** Entries of Steam's answer that cannot be read or stored; the first are named. */
  skipped: NamedGames;
  unmatched: NamedGames;
  /** What is no game, or a user ignores. */
  ignored: NamedGames;
  enrichment: EnrichmentStats;
  import: ImportStats;
}
