import type { ColumnType, Row } from "./cells.ts";
import type { FileSink } from "./file-sink.ts";

/** The file of one table, in one of the formats (formats.ts). */

export interface Column {
  name: string;
  type: ColumnType;
}

/** Writes the rows of a table, in order. Memory is bounded by a part of the rows, not by the table. */
export interface TableWriter {
  write(rows: readonly Row[]): Promise<void>;
  /** Writes what is left; the sink stays open. */
  end(): Promise<void>;
}

/** Rows of a file as JSON objects, one text each, as `jsonLine` makes them. */
export type JsonLines = AsyncIterable<string>;

export interface TableFormat {
  write(columns: readonly Column[], sink: FileSink): TableWriter;
  /** Throws an error of the parser for a file that it did not write. */
  read(path: string, columns: readonly Column[]): JsonLines;
}
