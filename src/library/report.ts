import { stringify } from "csv-stringify/sync";
import type { EnrichedGame } from "./rows.ts";

/** The report of an import for a person: which games did not match, and in a CSV file what became of each. */

export type ReportedGame = Pick<EnrichedGame, "appid" | "name" | "classification" | "match_status" | "igdb"> & {
  /** Why it is ignored or not matched, in a few words. */
  reason?: string | null;
};

/** Games of one kind: their number, and the first of them as `Portal 2 (620): reason`. */
export interface NamedGames {
  count: number;
  first: string[];
}

const maxNamed = 10;

/** The games with a status. The file has the most played first. */
export function namedGames(games: readonly ReportedGame[], status: ReportedGame["match_status"]): NamedGames {
  const found = games.filter((game) => game.match_status === status);
  return { count: found.length, first: found.slice(0, maxNamed).map(describe) };
}

function describe({ appid, name, reason }: ReportedGame): string {
  const title = name === "" ? `App ${appid}` : `${name} (${appid})`;
  return reason ? `${title}: ${reason}` : title;
}

/**
 * The report on every game as CSV (RFC 4180, header first). It is made to be opened in a spreadsheet, so a name that
 * would be read as a formula (`=…`, `+…`) gets an apostrophe in front.
 */
export function writeReport(games: readonly ReportedGame[]): string {
  const rows = games.map((game) => ({
    appid: game.appid,
    name: game.name,
    classification: game.classification,
    status: game.match_status,
    reason: game.reason ?? "",
    matched_name: game.igdb?.name ?? "",
  }));
  const columns = ["appid", "name", "classification", "status", "reason", "matched_name"];
  return stringify(rows, { header: true, columns, escape_formulas: true, record_delimiter: "\n" });
}
