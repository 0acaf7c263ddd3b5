import pg from "pg";

/** Runs a query as psql does in its aligned format, with times in UTC: the table that documents show. */
export async function psql(url: string, query: string): Promise<string> {
  const client = new pg.Client({
    connectionString: url,
    // Texts, as the server sends them.
    types: { getTypeParser: () => (text: string | Buffer) => String(text) },
  });
  await client.connect();
  try {
    await client.query("set timezone = 'UTC'");
    const { fields, rows } = await client.query<(string | null)[]>({ text: query, rowMode: "array" });
    return table(
      fields.map(({ name, dataTypeID }) => ({ name, isNumber: numbers.has(dataTypeID) })),
      rows.map((row) => row.map((value) => value ?? "")),
    );
  } finally {
    await client.end();
  }
}

const numbers = new Set<number>([
  pg.types.builtins.INT2,
  pg.types.builtins.INT4,
  pg.types.builtins.INT8,
  pg.types.builtins.NUMERIC,
  pg.types.builtins.FLOAT8,
]);

function table(columns: { name: string; isNumber: boolean }[], rows: string[][]): string {
  const widths = columns.map(({ name }, index) => Math.max(name.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const centered = (text: string, width: number) =>
    text.padStart(text.length + Math.floor((width - text.length) / 2)).padEnd(width);
  const lines = [
    columns.map(({ name }, index) => centered(name, widths[index] ?? 0)),
    ...rows.map((row) =>
      row.map((value, index) =>
        columns[index]?.isNumber ? value.padStart(widths[index] ?? 0) : value.padEnd(widths[index] ?? 0),
      ),
    ),
  ].map((cells) => ` ${cells.join(" | ")}`.trimEnd());
  const rule = widths.map((width) => "-".repeat(width + 2)).join("+");
  const count = rows.length === 1 ? "(1 row)" : `(${rows.length} rows)`;
  return [lines[0], rule, ...lines.slice(1), count].join("\n");
}
