/** Whole databases as text, so that two of them can be compared, whichever transport filled them. */

export type Sql = (query: string) => Promise<Record<string, unknown>[]>;

/** Table → its rows, each as one JSON text, sorted. */
export type Dump = Map<string, string[]>;

/** They speak of one run and not of Steam: what was answered to which request, and who works. */
const tablesOfRuns = ["leader_leases", "pics_replies", "workers"];

/** Columns that say when something happened, or who holds a row: only whether they are set is compared. */
const columnsOfRuns = new Set([
  "created_at",
  "updated_at",
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
  "detected_at",
  "repaired_at",
]);

/** Names have ids in the order in which they were seen, so a row that points at one gets the name instead. */
const namedTables = ["developer", "publisher", "franchise"].map((one) => ({ one, many: `${one}s` }));

/** Every table of the schema `public` but those that speak of one run. */
export async function dumpDatabase(sql: Sql): Promise<Dump> {
  await sql("set time zone 'UTC'");
  const tables = await sql(
    "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1",
  );
  const dump: Dump = new Map();
  for (const { name } of tables as { name: string }[]) {
    if (tablesOfRuns.includes(name)) continue;
    const rows = (await sql(queryOf(name))) as { row: Record<string, unknown> }[];
    dump.set(name, rows.map(({ row }) => textOf(row)).sort());
  }
  return dump;
}

/** What is in one dump and not in the other, at most `limit` lines a table. Empty when they agree. */
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

function textOf(row: Record<string, unknown>): string {
  const entries = Object.entries(row).map(([column, value]) => [
    column,
    columnsOfRuns.has(column) ? value !== null : value,
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}
