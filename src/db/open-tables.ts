import { z } from "zod";
import type { Database } from "./database.ts";

/** A table of an older application that the public API roles of a Supabase project reach, because its row-level security is off. */
export interface OpenTable {
  name: string;
  /** `anon: DELETE, INSERT; authenticated: SELECT`. */
  privileges: string;
  /** The SQL statements that close it, as the service closes its own tables. */
  statements: string[];
}

const openTables: z.ZodType<OpenTable[]> = z.array(
  z.object({ name: z.string(), privileges: z.string(), statements: z.array(z.string()) }),
);

/** The service's tables that are open beyond the contract; empty on a server without Supabase's roles. */
export async function findOpenTables(db: Database): Promise<OpenTable[]> {
  return openTables.parse(await db.rpc("pics_open_tables"));
}

/** What is open, and to whom, as one sentence; table names come from this program's own list. */
export function describeOpenTables(tables: readonly OpenTable[]): string {
  const names = tables.map(({ name, privileges }) => `${name} (${privileges})`).join("; ");
  return `tables of an older application are open to all who have the project's public key, since their row-level security is off: ${names}`;
}
