import { createReadStream } from "node:fs";
import { jsonLine } from "./cells.ts";
import type { FileSink } from "./file-sink.ts";
import type { Column, JsonLines, TableWriter } from "./table-file.ts";

/** NDJSON: one JSON object a line, with every column. Times are ISO 8601, lists and JSON values as themselves. */
export function writeNdjson(columns: readonly Column[], sink: FileSink): TableWriter {
  return {
    async write(rows) {
      if (rows.length === 0) return;
      await sink.write(Buffer.from(`${rows.map((row) => jsonLine(columns, row)).join("\n")}\n`));
    },
    async end() {},
  };
}

/** Not by `readline`, for which U+2028 inside a text ends a line, too. */
export async function* readNdjson(path: string): JsonLines {
  let rest = "";
  for await (const chunk of createReadStream(path, "utf8")) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
