/** Dumps of whole databases as text, to compare two of them, whichever transport filled them. */

export type Sql = (query: string) => Promise<Record<string, unknown>[]>;

/** Table → its rows, each as one JSON text, sorted. */
export type Dump = Map<string, string[]>;

/** Tables about runs and not about Steam: replies by request id, leases, workers, and how often keys were read. */
const tablesOfRuns = ["leader_leases", "pics_claims", "pics_replies", "pics_sizes", "steam_keys", "workers"];

/** Timestamps and leases, which differ between runs: only whether they are null is compared. */
const columnsOfRuns = new Set([
  "created_at",
  "updated_at",
  "fetched_at",
  "last_pics_sync",
  "pending_since",
  "next_attempt_at",
  "lease_id",
  "lease_until",
  "lease_change",
  "bulk_started_at",
  "bulk_completed_at",
  "last_verified_at",
  "last_reconciled_at",
  "installed_at",
  "denied_at",
  "named_at",
  "detected_at",
  "repaired_at",
]);

/** Tables whose ids depend on the order of insertion; references are compared by name instead. */
const namedTables = ["developer", "publisher", "franchise"].map((one) => ({ one, many: `${one}s` }));

/** Dumps every table of the schema `public` except {@link tablesOfRuns}. */
export async function dumpDatabase(sql: Sql): Promise<Dump> {
  await sql("set time zone 'UTC'");
  const tables = await sql(
    "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1",
  );
  const dump: Dump = new Map();
  for (const { name } of tables as { name: string }[]) {
    if (tablesOfRuns.includes(name)) continue;
    const rows = (await sql(queryOf(name))) as { row: Record<string, unknown> }[];
    dump.set(name, rows.map(({ row }) => textOf(name, row)).sort());
  }
  return dump;
}

/** Rows that are in one dump only, at most `limit` lines per table; empty when the dumps are equal. */
export function differencesOf(expected: Dump, actual: Dump, limit = 5): string[] {
  return [...new Set([...expected.keys(), ...actual.keys()])].flatMap((table) => {
    const wanted = new Set(expected.get(table));
    const found = new Set(actual.get(table));
    const missing = [...wanted]
      .filter((row) => !found.has(row))
      .slice(0, limit)
      .map((row) => `${table} lacks ${row}`);
    const surplus = [...found]
      .filter((row) => !wanted.has(row))
      .slice(0, limit)
      .map((row) => `${table} has ${row}`);
    const doubled = (actual.get(table)?.length ?? 0) - found.size;
    return [...missing, ...surplus, ...(doubled > 0 ? [`${table} has ${doubled} rows twice`] : [])];
  });
}

function queryOf(table: string): string {
  for (const { one, many } of namedTables) {
    if (table === many) return `select to_jsonb(t) - 'id' as row from ${many} t`;
    if (table !== `app_${many}`) continue;
    return `select to_jsonb(t) - '${one}_id' || jsonb_build_object('name', n.name) as row
      from ${table} t join ${many} n on n.id = t.${one}_id`;
  }
  return `select to_jsonb(t) as row from "${table}" t`;
}

function textOf(table: string, row: Record<string, unknown>): string {
  // When Steam says that a branch was updated.
  const ofRuns = (column: string) => columnsOfRuns.has(column) && table !== "app_branches";
  const entries = Object.entries(row).map(([column, value]) => [column, ofRuns(column) ? value !== null : value]);
  return JSON.stringify(Object.fromEntries(entries));
}
