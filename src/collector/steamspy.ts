import { z } from "zod";
import { int, text } from "../catalog/values.ts";
import { WebError } from "../process/errors.ts";
import { int32Max } from "../process/limits.ts";
import type { WebClient } from "../web/client.ts";
import type { DueGame, GameDetails, GameNumbers, PageGame } from "./store.ts";

/**
 * SteamSpy's two requests and the parsing of their answers. SteamSpy answers 200 to nearly everything. Numbers come as numbers,
 * strings, null or "", an empty object as `[]` (source: its answers). A blank answer has neither a name nor a developer: SteamSpy sends
 * it for games that it does not know, but in an outage for all others too, so it is believed only where nothing contradicts it.
 */
const api = "https://steamspy.com/api.php";

/** Games on every page of `all` but the last. */
export const gamesPerPage = 1_000;
/** More blank games than this on a page, if they are most of it, are an outage. Of 2,811 games on real pages one is blank. */
const maxBlank = 20;
/** Placeholder appid of games that SteamSpy hides. */
const hiddenAppid = 999_999;

type Entry = Record<string, unknown>;

const anObject = z.record(z.string(), z.unknown());
const anObjectOrNone = z
  .union([anObject, z.array(z.unknown()).length(0)])
  .transform((value): Entry => (Array.isArray(value) ? {} : value));

export interface GamesPage {
  games: PageGame[];
  /** Entries on the page, unreadable ones included. */
  entries: number;
}

/**
 * Fetches a page of all games, numbered from 0, most owned first; a page past the end has no entries. Skips entries that are not games.
 *
 * @throws {WebError} `invalid` when no entry is readable, `unreachable` when most games are blank; else as {@link WebClient.json}.
 */
export async function gamesPage(web: WebClient, page: number, signal: AbortSignal): Promise<GamesPage> {
  const searchParams = { request: "all", page: String(page) };
  const reply = Object.entries(await web.json("steamspy_all", { url: api, searchParams, signal }, anObjectOrNone));
  const games = reply.flatMap(([key, value]) => {
    const entry = anObject.safeParse(value).data;
    const appid = integer(entry?.appid);
    return entry && appid && appid !== hiddenAppid && String(appid) === key
      ? { ...numbersOf(appid, entry), named: !isBlank(entry) }
      : [];
  });
  if (games.length === 0 && reply.length > 0) {
    throw new WebError(
      "invalid",
      `SteamSpy's page ${page} of all games contains no game; expected objects keyed by appid`,
      200,
    );
  }
  const blank = games.filter(({ named }) => !named).length;
  if (blank > maxBlank && blank > games.length / 2) {
    const message = `${blank} of ${games.length} games on SteamSpy's page ${page} have neither a name nor a developer`;
    throw new WebError("unreachable", message, 200);
  }
  return { games, entries: reply.length };
}

/**
 * Fetches the details of one game; null when SteamSpy does not know it or hides it.
 *
 * @throws {WebError} `invalid` when it answers for another app; `unreachable` when the answer is blank although the game is `listed`;
 * else as {@link WebClient.json}.
 */
export async function gameDetails(
  web: WebClient,
  { appid, listed }: Pick<DueGame, "appid" | "listed">,
  signal: AbortSignal,
): Promise<GameDetails | null> {
  const searchParams = { request: "appdetails", appid: String(appid) };
  const entry = await web.json("steamspy", { url: api, searchParams, signal }, anObjectOrNone);
  const answered = integer(entry.appid);
  if (answered === hiddenAppid) return null;
  const isEmpty = Object.keys(entry).length === 0;
  if (answered !== appid && !isEmpty) {
    throw new WebError(
      "invalid",
      `SteamSpy was asked for app ${appid} and answered for ${JSON.stringify(entry.appid)}`,
      200,
    );
  }
  if (isBlank(entry)) {
    if (!listed) return null;
    const message = `SteamSpy's details of app ${appid} have neither a name nor a developer, but its list of all games has the game`;
    throw new WebError("unreachable", message, 200);
  }
  return {
    ...numbersOf(appid, entry),
    genre: cleanText(entry.genre),
    languages: cleanText(entry.languages),
    tags_json: votes(entry.tags),
  };
}

function numbersOf(appid: number, entry: Entry): GameNumbers {
  return {
    appid,
    developer: cleanText(entry.developer),
    publisher: cleanText(entry.publisher),
    owners_estimate: cleanText(entry.owners),
    positive_reviews: integer(entry.positive),
    negative_reviews: integer(entry.negative),
    score_rank: integer(entry.score_rank),
    average_playtime_forever: integer(entry.average_forever),
    average_playtime_2weeks: integer(entry.average_2weeks),
    price: integer(entry.price),
  };
}

function isBlank({ name, developer }: Entry): boolean {
  return cleanText(name) === null && cleanText(developer) === null;
}

function cleanText(value: unknown): string | null {
  return typeof value === "string" ? text(value) : null;
}

/** A non-negative Postgres `integer`, sent as a number or as a string; null for anything else. */
function integer(value: unknown): number | null {
  return typeof value === "number" || typeof value === "string" ? int(String(value), 0, int32Max) : null;
}

/** Votes by tag: `{"Action": 5448, …}`; SteamSpy sends `[]` for none. Names are not trimmed, as Steam's are not (`Dystopian `, tag 5030). */
function votes(value: unknown): Record<string, number> {
  const entries = Object.entries(anObject.safeParse(value).data ?? {});
  return Object.fromEntries(
    entries.flatMap(([tag, count]) => {
      const number = integer(count);
      return text(tag) !== null && number !== null ? [[tag.replaceAll("\0", "").toWellFormed(), number]] : [];
    }),
  );
}
