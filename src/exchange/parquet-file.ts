import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead, type SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { type Cell, type ColumnType, jsonLine, type Row } from "./cells.ts";
import type { FileSink } from "./file-sink.ts";
import type { Column, JsonLines, TableWriter } from "./table-file.ts";

/**
 * Parquet, compressed with zstd: int32, int64, double, boolean, string, timestamps in UTC with microseconds, lists, and the logical type JSON.
 * Every column may hold nulls.
 */

/**
 * Rows of a group, which is held in memory as a whole: as many as DuckDB writes, or fewer where rows are long. Groups depend on the rows
 * alone, so that equal tables make equal files.
 */
const maxGroupRows = 122_880;
const maxGroupBytes = 16 * 2 ** 20;
/** What a cell takes besides its text. */
const cellBytes = 8;

const optional = { repetition_type: "OPTIONAL" } as const;
const leaves: Record<Exclude<ColumnType, `list<${string}>`>, Omit<SchemaElement, "name">> = {
  int32: { type: "INT32" },
  int64: { type: "INT64" },
  double: { type: "DOUBLE" },
  boolean: { type: "BOOLEAN" },
  text: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
  timestamp: {
    type: "INT64",
    converted_type: "TIMESTAMP_MICROS",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
  },
  json: { type: "BYTE_ARRAY", converted_type: "JSON", logical_type: { type: "JSON" } },
};
/** While rows are written: the library would encode values of a converted type JSON, which are JSON already. */
const bytesOfJson = { type: "BYTE_ARRAY" } as const;

function schemaOf(columns: readonly Column[], json: Omit<SchemaElement, "name">): SchemaElement[] {
  const root: SchemaElement = { name: "schema", num_children: columns.length };
  const elements = columns.flatMap((column) =>
    column.type === "json" ? [{ name: column.name, ...optional, ...json }] : elementsOf(column),
  );
  return [root, ...elements];
}

function elementsOf({ name, type }: Column): SchemaElement[] {
  const element = /^list<(int32|int64|text)>$/.exec(type)?.[1] as "int32" | "int64" | "text" | undefined;
  if (element === undefined) return [{ name, ...optional, ...leaves[type as keyof typeof leaves] }];
  return [
    { name, ...optional, num_children: 1, converted_type: "LIST", logical_type: { type: "LIST" } },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", ...optional, ...leaves[element] },
  ];
}

/** @param groupBytes most bytes of a row group, estimated; tests make it small. */
export function writeParquet(columns: readonly Column[], sink: FileSink, groupBytes = maxGroupBytes): TableWriter {
  const bytes = new ByteWriter(2 ** 20);
  const parquet = new ParquetWriter({
    writer: bytes,
    schema: schemaOf(columns, bytesOfJson),
    codec: "ZSTD",
    compressors: { ZSTD: (input) => zstdCompressSync(input) },
    createdBy: "steam-pics-sync",
  });
  let group: Row[] = [];
  let bytesHeld = 0;

  /** The library writes into a buffer, which is emptied here. */
  async function flush(): Promise<void> {
    await sink.write(bytes.getBytes().slice());
    bytes.index = 0;
  }

  async function writeGroup(): Promise<void> {
    if (group.length === 0) return;
    const columnData = columns.map(({ name, type }, index) => ({
      name,
      data: group.map((row) => physical(type, row[index] ?? null)),
      // Bounds of JSON texts are of no use, and are not cut.
      statistics: type !== "json",
    }));
    parquet.write({ columnData, rowGroupSize: group.length });
    group = [];
    bytesHeld = 0;
    await flush();
  }

  return {
    async write(rows) {
      for (const row of rows) {
        group.push(row);
        bytesHeld += sizeOf(row);
        if (group.length >= maxGroupRows || bytesHeld >= groupBytes) await writeGroup();
      }
    },
    async end() {
      await writeGroup();
      parquet.schema = schemaOf(columns, leaves.json);
      parquet.finish();
      await flush();
    },
  };
}

function physical(type: ColumnType, cell: Cell): unknown {
  return type === "json" && cell !== null ? Buffer.from(cell as string) : cell;
}

function sizeOf(row: Row): number {
  let size = 0;
  for (const cell of row) {
    size += cellBytes;
    if (typeof cell === "string") size += cell.length;
    else if (Array.isArray(cell)) size += sizeOf(cell);
  }
  return size;
}

/** Keeps a byte order mark, with which a text may begin. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const textOf = (bytes: Uint8Array) => bytes && utf8.decode(bytes);

/** Reads one row group at a time. */
export async function* readParquet(path: string, columns: readonly Column[]): JsonLines {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  let rowStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    let rows: Row[] = [];
    await parquetRead({
      file,
      metadata,
      columns: columns.map(({ name }) => name),
      rowStart,
      rowEnd,
      rowFormat: "array",
      compressors: { ZSTD: (input) => zstdDecompressSync(input) },
      // As they are in the file: the defaults would cut microseconds, and read JSON into numbers of less precision.
      parsers: { timestampFromMicroseconds: (micros) => micros, jsonFromBytes: textOf, stringFromBytes: textOf },
      onComplete: (read) => {
        rows = read;
      },
    });
    for (const row of rows) yield jsonLine(columns, row);
    rowStart = rowEnd;
  }
}
