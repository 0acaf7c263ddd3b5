import { readCsv, writeCsv } from "./csv-file.ts";
import type { FileFormat } from "./manifest.ts";
import { readNdjson, writeNdjson } from "./ndjson-file.ts";
import { readParquet, writeParquet } from "./parquet-file.ts";
import type { TableFormat } from "./table-file.ts";

export const formats: Readonly<Record<FileFormat, TableFormat>> = {
  parquet: { write: writeParquet, read: readParquet },
  ndjson: { write: writeNdjson, read: readNdjson },
  csv: { write: writeCsv, read: readCsv },
};
