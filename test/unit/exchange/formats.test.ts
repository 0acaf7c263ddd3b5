import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync } from "hyparquet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cell, type ColumnType, columnTypes, jsonLine, timeText } from "../../../src/exchange/cells.ts";
import { createFileSink, sha256Of } from "../../../src/exchange/file-sink.ts";
import { formats } from "../../../src/exchange/formats.ts";
import { fileFormats } from "../../../src/exchange/manifest.ts";
import { writeParquet } from "../../../src/exchange/parquet-file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "formats-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const columns = columnTypes.map((type, index) => ({ name: `c_${index}`, type }));

/** Values of each type that a format could change. */
const values: Record<ColumnType, Cell[]> = {
  int32: [0, -2_147_483_648, 2_147_483_647],
  int64: [0n, -(2n ** 63n), 2n ** 63n - 1n],
  double: [0, 1.5, -1e300],
  boolean: [true, false, true],
  text: ["", "null", 'a "b", \r\n\u2028 \t \\ 日本語 😀', " spaces ", "[1]", "1e5", "\r", "\uFEFFx"],
  timestamp: [0n, 1_795_902_000_000_001n, -1n, 253_402_300_799_999_999n],
  json: ["{}", "[]", '{"10": "x", "2": 1.10, "big": 12345678901234567890}', '"a\\nb"', "12345678901234567890"],
  "list<int32>": [[], [1, -2], [null]],
  "list<int64>": [[], [2n ** 63n - 1n], [null, 1n]],
  "list<text>": [[], ["a,b", 'c"d', "{}", "null", ""], [null]],
};
const most = Math.max(...Object.values(values).map((each) => each.length));
const rows = Array.from({ length: most + 1 }, (_, row) => columns.map(({ type }) => values[type][row] ?? null));
const lines = rows.map((row) => jsonLine(columns, row));

const many = Array.from({ length: 100 }, (_, index) => rows[index % rows.length] ?? []);

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

async function write(name: string, format: (typeof fileFormats)[number], pages: Cell[][][]) {
  const sink = await createFileSink(join(folder, name));
  const writer = formats[format].write(columns, sink);
  for (const page of pages) await writer.write(page);
  await writer.end();
  return await sink.finish();
}

describe.each(fileFormats)("a file of %s", (format) => {
  const read = async (name: string) => await all(formats[format].read(join(folder, name), columns));

  it("reads back as it was written", async () => {
    await write(`whole.${format}`, format, [rows]);
    expect(await read(`whole.${format}`)).toEqual(lines);
  });

  it("depends on the rows alone, and not on the pages they come in", async () => {
    const { sha256, bytes } = await write(
      `pages.${format}`,
      format,
      rows.map((row) => [row]),
    );
    expect(sha256).toBe(await sha256Of(join(folder, `whole.${format}`)));
    expect(bytes).toBe(readFileSync(join(folder, `pages.${format}`)).length);
  });

  it("may have no rows", async () => {
    await write(`empty.${format}`, format, []);
    expect(await read(`empty.${format}`)).toEqual([]);
  });

  it("is read in parts", async () => {
    // Longer than a chunk of a stream, which ends inside a character of several bytes.
    const long = Array.from({ length: 5 }, (_, n) =>
      columns.map(({ type }) => (type === "text" ? `${n}${"日é".repeat(9_000)}` : null)),
    );
    await write(`long.${format}`, format, [long]);
    expect(await read(`long.${format}`)).toEqual(long.map((row) => jsonLine(columns, row)));
  });
});

it("a file of Parquet has row groups of bounded size, which depend on the rows alone", async () => {
  const hashes = new Set<string>();
  for (const pageRows of [1, 100]) {
    const path = join(folder, `groups-${pageRows}.parquet`);
    const sink = await createFileSink(path);
    const writer = writeParquet(columns, sink, 2_000);
    for (let from = 0; from < 100; from += pageRows) await writer.write(many.slice(from, from + pageRows));
    await writer.end();
    hashes.add((await sink.finish()).sha256);
    const { row_groups } = await parquetMetadataAsync(await asyncBufferFromFile(path));
    expect(row_groups.length).toBeGreaterThan(5);
    expect(await all(formats.parquet.read(path, columns))).toEqual(many.map((row) => jsonLine(columns, row)));
  }
  expect(hashes.size).toBe(1);
});

describe("timeText", () => {
  it.each([
    [0n, "1970-01-01T00:00:00.000000Z"],
    [-1n, "1969-12-31T23:59:59.999999Z"],
    [1_795_902_000_123_456n, "2026-11-28T21:40:00.123456Z"],
  ])("writes %s microseconds as %s", (micros, text) => {
    expect(timeText(micros)).toBe(text);
  });
});
