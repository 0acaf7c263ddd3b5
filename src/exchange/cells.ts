/** Types of columns in an export, and their values between a database and a file. */
export const columnTypes = [
  "int32",
  "int64",
  "double",
  "boolean",
  "text",
  /** With time zone; microseconds since 1970. */
  "timestamp",
  "json",
  "list<int32>",
  "list<int64>",
  "list<text>",
] as const;
export type ColumnType = (typeof columnTypes)[number];

/** int64 and timestamps are bigint, json is its text, lists are arrays. */
export type Cell = number | bigint | boolean | string | Cell[] | null;
export type Row = readonly Cell[];

interface Mapping {
  /** SQL of a column as a type that every driver reads in the same way. */
  select(column: string): string;
  /** The cell of what the driver returns for that, null excluded. */
  decode(value: unknown): Cell;
}

const asIs = (value: unknown) => value as Cell;
const jsonList = (value: unknown) => JSON.parse(String(value)) as Cell[];

const mappings: Record<ColumnType, Mapping> = {
  int32: { select: (column) => column, decode: asIs },
  int64: { select: (column) => `${column}::text`, decode: (value) => BigInt(String(value)) },
  double: { select: (column) => `${column}::double precision`, decode: asIs },
  boolean: { select: (column) => column, decode: asIs },
  text: { select: (column) => `${column}::text`, decode: asIs },
  timestamp: {
    // infinity has no place in a file.
    select: (column) =>
      `case when isfinite(${column}) then (extract(epoch from ${column}::timestamptz) * 1000000)::bigint::text end`,
    decode: (value) => BigInt(String(value)),
  },
  // A JSON null is no other value than null to those who read the files.
  json: { select: (column) => `nullif(${column}::jsonb, 'null')::text`, decode: asIs },
  "list<int32>": { select: (column) => `to_json(${column})::text`, decode: jsonList },
  "list<int64>": {
    select: (column) => `to_json(${column}::text[])::text`,
    decode: (value) => jsonList(value).map((each) => (each === null ? null : BigInt(String(each)))),
  },
  "list<text>": { select: (column) => `to_json(${column}::text[])::text`, decode: jsonList },
};

export const selectOf = (type: ColumnType, column: string): string => mappings[type].select(column);

/** Turns a row of the driver into cells, in place. */
export function decodeRow(types: readonly ColumnType[], values: unknown[]): Row {
  for (const [index, type] of types.entries()) {
    const value = values[index];
    values[index] = value === null || value === undefined ? null : mappings[type].decode(value);
  }
  return values as Cell[];
}

/** The type of a column in an export by the one that it has in Postgres (`pg_type.typname`, `typtype`); null for one that has none. */
export function columnTypeOf(name: string, kind: string): ColumnType | null {
  if (kind === "e") return "text";
  return byTypeName[name] ?? null;
}

/** Also the types that columns of an older application's tables may have. */
const byTypeName: Readonly<Record<string, ColumnType>> = {
  int2: "int32",
  int4: "int32",
  int8: "int64",
  float4: "double",
  float8: "double",
  numeric: "double",
  bool: "boolean",
  text: "text",
  varchar: "text",
  bpchar: "text",
  timestamptz: "timestamp",
  timestamp: "timestamp",
  date: "timestamp",
  jsonb: "json",
  json: "json",
  _int2: "list<int32>",
  _int4: "list<int32>",
  _int8: "list<int64>",
  _text: "list<text>",
  _varchar: "list<text>",
};

/** A time as text: ISO 8601 in UTC with microseconds. */
export function timeText(micros: bigint): string {
  const rest = ((micros % 1_000n) + 1_000n) % 1_000n;
  const iso = new Date(Number((micros - rest) / 1_000n)).toISOString();
  return `${iso.slice(0, -1)}${String(rest).padStart(3, "0")}Z`;
}

/** A cell as JSON. */
export function jsonOf(type: ColumnType, cell: Cell): string {
  if (cell === null) return "null";
  switch (type) {
    case "int32":
    case "int64":
    case "double":
    case "boolean":
    case "json":
      return String(cell);
    case "timestamp":
      return `"${timeText(cell as bigint)}"`;
    case "list<int64>":
    case "list<int32>":
      return `[${(cell as Cell[]).map((each) => each ?? "null").join(",")}]`;
    default:
      return JSON.stringify(cell);
  }
}

/** A row as a JSON object in one line, without its end. */
export function jsonLine(columns: readonly { name: string; type: ColumnType }[], row: Row): string {
  const fields = columns.map(({ name, type }, index) => `"${name}":${jsonOf(type, row[index] ?? null)}`);
  return `{${fields.join(",")}}`;
}
