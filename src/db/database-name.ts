import type { DatabaseConfig } from "../process/config.ts";

/** Names the database for messages, without user and password. */
export function nameOf(database: DatabaseConfig): string {
  if (database.driver === "pglite") return `the folder ${database.dataDir}`;
  const url = new URL(database.url);
  if (database.driver === "supabase") return `Supabase (${url.host})`;
  return `Postgres (${url.host || url.searchParams.get("host") || "localhost"}${url.pathname})`;
}
