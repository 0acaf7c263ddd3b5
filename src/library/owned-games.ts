import { z } from "zod";
import { text } from "../catalog/values.ts";
import { appid, type LibraryGame, minutes } from "./rows.ts";

/**
 * Reader of the games in an answer of GetOwnedGames. Any field may be absent, null or invalid (seen in real libraries):
 * that field becomes null. An entry without a usable appid is skipped; it costs no other.
 */

/** Null when Steam does not report it, which is not the same as never played. */
const playtime = minutes
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);
const anyText = z
  .string()
  .optional()
  .catch(undefined)
  .transform((value) => text(value));

const ownedGame = z.object({
  appid,
  name: anyText,
  playtime_forever: playtime,
  playtime_windows_forever: playtime,
  playtime_mac_forever: playtime,
  playtime_linux_forever: playtime,
  playtime_deck_forever: playtime,
  /** Absent when the game was not played in the last two weeks. */
  playtime_2weeks: minutes.nullish().catch(null),
  /** Unix seconds, 0 when never played. */
  rtime_last_played: z.number().int().nullish().catch(null),
  img_icon_url: anyText,
});

export interface ReadGames {
  /** Each app once, most played first. */
  games: LibraryGame[];
  /** What was skipped, each as its number or name and what is wrong with it. */
  skipped: string[];
}

export function readOwnedGames(entries: readonly unknown[]): ReadGames {
  const games = new Map<number, LibraryGame>();
  const skipped: string[] = [];
  for (const entry of entries) {
    const parsed = ownedGame.safeParse(entry);
    if (!parsed.success) {
      skipped.push(describe(entry));
      continue;
    }
    const game = gameOf(parsed.data);
    const listed = games.get(game.appid);
    // An app that is listed twice is one game, with the longer playtime.
    if (!listed || minutesOf(game) > minutesOf(listed)) games.set(game.appid, game);
  }
  // Most played first: where two apps share one game, the played one decides the status of the library item.
  return { games: [...games.values()].sort((a, b) => minutesOf(b) - minutesOf(a) || a.appid - b.appid), skipped };
}

const minutesOf = ({ playtime_forever }: LibraryGame) => playtime_forever ?? 0;

/** No game was played on Steam before its first year. Earlier times are placeholders: 0 for never, 86400 for unknown (Playnite). */
const steamBegan = Date.UTC(2003, 0, 1) / 1_000;
/** The last second that ISO 8601 and Postgres have a year of four digits for. */
const lastSecond = 253_402_300_799;

function gameOf(owned: z.output<typeof ownedGame>): LibraryGame {
  const playedAt = owned.rtime_last_played ?? 0;
  return {
    appid: owned.appid,
    name: owned.name ?? "",
    playtime_forever: owned.playtime_forever,
    playtime_windows: owned.playtime_windows_forever,
    playtime_mac: owned.playtime_mac_forever,
    playtime_linux: owned.playtime_linux_forever,
    playtime_deck: owned.playtime_deck_forever,
    playtime_2weeks: owned.playtime_2weeks === undefined ? 0 : owned.playtime_2weeks,
    last_played_at: playedAt >= steamBegan && playedAt <= lastSecond ? new Date(playedAt * 1000).toISOString() : null,
    img_icon_url: iconUrl(owned.appid, owned.img_icon_url),
  };
}

/** URL of an icon; Steam sends only the hash of the image. */
function iconUrl(appid: number, hash: string | null): string | null {
  return hash === null ? null : `https://media.steampowered.com/steamcommunity/public/images/apps/${appid}/${hash}.jpg`;
}

const maxNameLength = 60;

/** Names an entry that cannot be read: `app 2147483648 "Name": its appid is out of range`. */
function describe(entry: unknown): string {
  const { appid: id, name } = z
    .object({ appid: z.unknown(), name: z.unknown() })
    .catch({ appid: undefined, name: undefined })
    .parse(entry);
  const number = typeof id === "number" ? `app ${id}` : "an entry";
  const quoted =
    typeof name === "string" && name.trim() !== "" ? ` ${JSON.stringify(name.slice(0, maxNameLength))}` : "";
  return `${number}${quoted}: ${typeof id === "number" ? "its appid is out of range" : "it has no appid"}`;
}
