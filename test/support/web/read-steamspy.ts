/**
 * Test oracle: the expected rows of `game_metadata`, computed from SteamSpy's raw answers. It shares no code with the collector, so
 * that both have the same fault only by chance.
 */
import { detailsAnswer, type SteamSpyDump } from "./steamspy.ts";

/** The columns but for `appid` and `last_updated`. */
export interface ExpectedMetadata {
  developer: string | null;
  publisher: string | null;
  owners_estimate: string | null;
  owners_doubtful: boolean | null;
  positive_reviews: number | null;
  negative_reviews: number | null;
  score_rank: number | null;
  average_playtime_forever: number | null;
  average_playtime_2weeks: number | null;
  price: number | null;
  genre: string | null;
  languages: string | null;
  tags_json: Record<string, number> | null;
  fetch_attempts: number;
  fetch_status: "pending" | "success" | "failed" | "not_found";
}

export interface ReadingOptions {
  /** Which pages of `all` were read. Default: all of them. */
  pages?: Iterable<number>;
  /** The apps whose `appdetails` were read after the pages. Default: none. */
  details?: Iterable<number>;
  /** Rows from before; changed and returned. Default: none. */
  onto?: Map<number, ExpectedMetadata>;
}

/** The rows by appid. */
export function readSteamSpyIndependently(
  dump: SteamSpyDump,
  { pages = dump.pages.keys(), details = [], onto = new Map() }: ReadingOptions = {},
): Map<number, ExpectedMetadata> {
  for (const page of pages) expectPage(onto, dump.pages[page] ?? {});
  for (const appid of details) expectDetails(onto, appid, detailsAnswer(dump, appid));
  return onto;
}

/** Adds what a page of `all` writes: everything but genre, languages, tags and the state of the details. */
export function expectPage(rows: Map<number, ExpectedMetadata>, page: object): void {
  for (const [appid, app] of Object.entries(page)) Object.assign(rowOf(rows, Number(appid)), common(app));
}

/** Adds what an answer of `appdetails` writes. */
export function expectDetails(rows: Map<number, ExpectedMetadata>, appid: number, answer: object): void {
  const row = rowOf(rows, appid);
  const sent = answer as Record<string, unknown>;
  if (isUnknown(sent)) {
    row.fetch_status = "not_found";
    return;
  }
  const { genre, languages, tags } = sent;
  const votes = Object.entries(tags as Record<string, number>).map(([tag, count]) => [withoutNul(tag), count]);
  Object.assign(row, common(sent), {
    genre: trimmed(genre),
    languages: trimmed(languages),
    tags_json: Object.fromEntries(votes),
    fetch_attempts: 0,
    fetch_status: "success",
  });
}

function isUnknown(sent: Record<string, unknown>): boolean {
  const isBlank = (value: unknown) => trimmed(value) === null;
  return Object.keys(sent).length === 0 || sent.appid === 999_999 || (isBlank(sent.name) && isBlank(sent.developer));
}

function common(sent: Record<string, unknown>): Partial<ExpectedMetadata> {
  return {
    developer: trimmed(sent.developer),
    publisher: trimmed(sent.publisher),
    owners_estimate: typeof sent.owners === "string" ? withoutNul(sent.owners) || null : null,
    owners_doubtful: isDoubtful(sent),
    positive_reviews: whole(sent.positive),
    negative_reviews: whole(sent.negative),
    score_rank: whole(sent.score_rank),
    average_playtime_forever: whole(sent.average_forever),
    average_playtime_2weeks: whole(sent.average_2weeks),
    price: whole(sent.price),
  };
}

/** More reviews than a tenth of the upper end of the owners; null without that. */
function isDoubtful(sent: Record<string, unknown>): boolean | null {
  const end = /\.\.\s*([\d,]+)/.exec(String(sent.owners ?? ""))?.[1];
  if (end === undefined) return null;
  const reviews = (whole(sent.positive) ?? 0) + (whole(sent.negative) ?? 0);
  return reviews > Number(end.replaceAll(",", "")) / 10;
}

function rowOf(rows: Map<number, ExpectedMetadata>, appid: number): ExpectedMetadata {
  const row = rows.get(appid) ?? emptyMetadata();
  rows.set(appid, row);
  return row;
}

/** A row with only its appid known. */
export function emptyMetadata(): ExpectedMetadata {
  return {
    developer: null,
    publisher: null,
    owners_estimate: null,
    owners_doubtful: null,
    positive_reviews: null,
    negative_reviews: null,
    score_rank: null,
    average_playtime_forever: null,
    average_playtime_2weeks: null,
    price: null,
    genre: null,
    languages: null,
    tags_json: null,
    fetch_attempts: 0,
    fetch_status: "pending",
  };
}

function withoutNul(text: string): string {
  return text.split("\u0000").join("");
}

function trimmed(value: unknown): string | null {
  return typeof value === "string" ? withoutNul(value).trim() || null : null;
}

/** A number, or a string of digits, that is whole and fits `int4`. */
function whole(value: unknown): number | null {
  if (typeof value !== "number" && !(typeof value === "string" && /^-?[0-9]+$/.test(value))) return null;
  const number = Number(value);
  return Number.isInteger(number) && number >= -(2 ** 31) && number < 2 ** 31 ? number : null;
}
