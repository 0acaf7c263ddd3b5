import { CsvError, parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import { ImportRejectedError } from "./errors.ts";
import { type EnrichedGame, enrichedGame, igdbGame, type LibraryGame, libraryGame } from "./rows.ts";

/**
 * Reader and writer of the two CSV files between the stages (RFC 4180, LF).
 *
 * Truncation is detected even at a row boundary: each row carries its number and the row count, and an empty library is
 * one row `0,0`. Values are written verbatim, without protection against formula injection, because the round trip must
 * be lossless. An empty cell of a nullable column is null.
 */

/** The first columns of every row. */
const position = { row_number: number(), row_count: number() };

const rawCells = z.object({
  ...position,
  appid: number(),
  name: z.string(),
  playtime_forever: numberOrNull(),
  playtime_windows: numberOrNull(),
  playtime_mac: numberOrNull(),
  playtime_linux: numberOrNull(),
  playtime_deck: numberOrNull(),
  playtime_2weeks: numberOrNull(),
  last_played_at: textOrNull(),
  img_icon_url: textOrNull(),
});

const enrichedCells = rawCells.extend({
  classification: z.string(),
  match_status: z.string(),
  matched_by: textOrNull(),
  igdb_id: numberOrNull(),
  igdb_name: textOrNull(),
  igdb_slug: textOrNull(),
  igdb_summary: textOrNull(),
  igdb_release_date: textOrNull(),
  igdb_cover_url: textOrNull(),
  igdb_game_type: numberOrNull(),
  igdb_genres: json(),
  igdb_platforms: json(),
  reason: textOrNull().default(null),
});
/** Columns that files of older versions lack. They are the last ones. */
const laterColumns = new Set(["reason"]);

export function writeRawCsv(games: readonly LibraryGame[]): string {
  return write(Object.keys(rawCells.shape), games);
}

export function writeEnrichedCsv(games: readonly EnrichedGame[]): string {
  const flat = games.map(({ igdb, ...game }) => ({
    ...game,
    ...Object.fromEntries(Object.entries(igdb ?? {}).map(([name, value]) => [`igdb_${name}`, value])),
  }));
  return write(Object.keys(enrichedCells.shape), flat);
}

/**
 * @throws {ImportRejectedError} with the line of the first fault, when the file is truncated or was not written by
 * {@link writeRawCsv}.
 */
export function readRawCsv(text: string): LibraryGame[] {
  return read(text, rawCells, ({ row_number, row_count, ...game }) => libraryGame.parse(game));
}

/** @throws {ImportRejectedError} like {@link readRawCsv}. */
export function readEnrichedCsv(text: string): EnrichedGame[] {
  return read(text, enrichedCells, ({ row_number, row_count, ...cells }) => {
    const own = Object.entries(cells).filter(([name]) => !name.startsWith("igdb_"));
    const igdb = Object.keys(igdbGame.shape).map((name) => [name, cells[`igdb_${name}` as keyof typeof cells]]);
    return enrichedGame.parse({
      ...Object.fromEntries(own),
      igdb: cells.igdb_id === null ? null : Object.fromEntries(igdb),
    });
  });
}

/** Not detected from the file, so that a lone CR inside a value is preserved. */
const lineEnd = "\n";
/** The row of an empty library. */
const emptyRow = { row_number: 0, row_count: 0 };

function write(columns: string[], rows: readonly object[]): string {
  const numbered = rows.map((row, index) => ({ ...row, row_number: index + 1, row_count: rows.length }));
  return stringify(numbered.length > 0 ? numbered : [emptyRow], { header: true, columns, record_delimiter: lineEnd });
}

function read<Cells extends z.ZodType<{ row_number: number; row_count: number }>, Row>(
  text: string,
  cells: Cells & { shape: object },
  toRow: (cells: z.output<Cells>) => Row,
): Row[] {
  const [header, ...lines] = records(text);
  const columns = columnsOf(header?.record ?? [], Object.keys(cells.shape));
  if (text === write(columns, [])) return [];
  if (lines.length === 0) throw new ImportRejectedError("Line 1: the file is truncated after its header.");
  const rows = lines.map(({ record, line }, index) => {
    try {
      const parsed = cells.parse(Object.fromEntries(record.map((cell, at) => [columns[at], cell])));
      if (parsed.row_number !== index + 1)
        throw new ImportRejectedError(`row ${parsed.row_number} follows row ${index}`);
      if (index === lines.length - 1 && parsed.row_count !== lines.length) {
        throw new ImportRejectedError(`the file ends after row ${lines.length} of ${parsed.row_count}`);
      }
      return toRow(parsed);
    } catch (error) {
      throw new ImportRejectedError(`Line ${line}: ${faultOf(error)}.`);
    }
  });
  if (!text.endsWith(lineEnd))
    throw new ImportRejectedError(`Line ${lines.at(-1)?.line}: the file is truncated within this line.`);
  return rows;
}

/** The columns of a file: today's, or those of an older version. */
function columnsOf(header: readonly string[], today: string[]): string[] {
  const columns = [today, today.filter((name) => !laterColumns.has(name))].find(
    (each) => each.join() === header.join(),
  );
  if (!columns) throw new ImportRejectedError(`Line 1: unexpected columns; expected ${today.join(",")}.`);
  return columns;
}

function records(text: string): { record: string[]; line: number }[] {
  try {
    const found: { record: string[]; line: number }[] = [];
    parse(text, {
      record_delimiter: lineEnd,
      on_record: (record: string[], { lines }) => {
        found.push({ record, line: lines });
        return null;
      },
    });
    return found;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new ImportRejectedError(
      `Line ${error.lines ?? "?"}: the file is truncated or not valid CSV (${error.code}).`,
    );
  }
}

function faultOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    return error.issues
      .map(({ path, message }) => `${path.join(".")}: ${message}`)
      .slice(0, 3)
      .join("; ");
  }
  return error instanceof Error ? error.message : String(error);
}

function number() {
  return z.string().regex(/^\d+$/, "expected a whole number").transform(Number);
}

function numberOrNull() {
  return z
    .string()
    .regex(/^\d*$/, "expected a whole number")
    .transform((cell) => (cell === "" ? null : Number(cell)));
}

function textOrNull() {
  return z.string().transform((cell) => (cell === "" ? null : cell));
}

function json() {
  return z.string().transform((cell, context): unknown => {
    try {
      return cell === "" ? null : JSON.parse(cell);
    } catch {
      context.addIssue({ code: "custom", message: "expected JSON" });
      return z.NEVER;
    }
  });
}
