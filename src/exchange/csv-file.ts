import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { parse } from "csv-parse";
import { stringify } from "csv-stringify/sync";
import { type Cell, type ColumnType, jsonOf, type Row, timeText } from "./cells.ts";
import type { FileSink } from "./file-sink.ts";
import type { Column, JsonLines, TableWriter } from "./table-file.ts";

/**
 * CSV (RFC 4180) with a line of names. Null is an empty cell without quotes, an empty text one with quotes; times are ISO 8601, lists and
 * JSON values are JSON.
 */
export function writeCsv(columns: readonly Column[], sink: FileSink): TableWriter {
  const lines = (rows: readonly Row[]) =>
    Buffer.from(
      stringify(
        rows.map((row) => columns.map(({ type }, index) => text(type, row[index] ?? null))),
        options,
      ),
    );
  let isFirst = true;
  async function write(rows: readonly Row[]) {
    if (isFirst) await sink.write(Buffer.from(stringify([columns.map(({ name }) => name)], options)));
    isFirst = false;
    if (rows.length > 0) await sink.write(lines(rows));
  }
  return { write, end: () => write([]) };
}

/** An empty text is quoted; with `quoted_empty` null would be, too. */
const options = { record_delimiter: "\r\n", quoted_empty: false, quoted_match: /^$/ } as const;

function text(type: ColumnType, cell: Cell): string | null {
  if (cell === null) return null;
  if (type === "timestamp") return timeText(cell as bigint);
  return type === "text" ? (cell as string) : jsonOf(type, cell);
}

export async function* readCsv(path: string, columns: readonly Column[]): JsonLines {
  const parser = parse({
    from: 2,
    record_delimiter: options.record_delimiter,
    cast: (value, { quoting }) => (value === "" && !quoting ? null : value),
  });
  // A fault of the file ends the parser, and with it the loop.
  pipeline(createReadStream(path), parser).catch(() => {});
  for await (const record of parser as AsyncIterable<(string | null)[]>) {
    const fields = columns.map(({ name, type }, index) => `"${name}":${jsonOfText(type, record[index] ?? null)}`);
    yield `{${fields.join(",")}}`;
  }
}

/** Numbers, lists and JSON values are JSON already. */
function jsonOfText(type: ColumnType, value: string | null): string {
  if (value === null) return "null";
  return type === "text" || type === "timestamp" ? JSON.stringify(value) : value;
}
