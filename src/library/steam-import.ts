import { z } from "zod";
import { text } from "../catalog/values.ts";
import { WebError } from "../process/errors.ts";
import type { WebClient } from "../web/client.ts";
import { writeRawCsv } from "./csv.ts";
import { ImportRejectedError, SettingRejectedError } from "./errors.ts";
import type { SteamImportEvent, SteamImportResponse } from "./events.ts";
import { rawKey } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";
import { appid, type LibraryGame, minutes } from "./rows.ts";

export interface SteamImportDeps {
  web: WebClient;
  objects: ObjectStore;
  apiKey: string | null;
  signal: AbortSignal;
  now?: () => Date;
}

const url = "https://api.steampowered.com/IPlayerService/GetOwnedGames/v1/";

/** Absent and invalid playtimes are read as 0. */
const playtime = minutes.catch(0);

const ownedGame = z.object({
  appid: z.number().int(),
  name: z.string().optional(),
  playtime_forever: playtime,
  playtime_windows_forever: playtime,
  playtime_mac_forever: playtime,
  playtime_linux_forever: playtime,
  playtime_deck_forever: playtime,
  playtime_2weeks: playtime,
  /** Unix seconds, 0 when never played. */
  rtime_last_played: z.number().int().min(0).max(253_402_300_799).catch(0),
  img_icon_url: z.string().optional(),
});

/**
 * A private profile answers 200 with an empty `response`; an empty library has `game_count: 0` (seen in real replies).
 */
const ownedGames = z.object({
  response: z.object({ game_count: z.number().int().optional(), games: z.array(ownedGame).optional() }),
});

/**
 * First stage: writes a Steam library to a raw CSV file. An empty library is valid and becomes a file without games.
 *
 * @throws {ImportRejectedError} when the profile is private or does not exist, or Steam refuses the key.
 * @throws {WebError} when Steam gives no answer; a retry may help.
 */
export async function steamImport(event: SteamImportEvent, deps: SteamImportDeps): Promise<SteamImportResponse> {
  const { user_id, steam_id64, execution_id } = event;
  const games = await libraryOf(steam_id64, deps);
  const key = rawKey(user_id, execution_id, deps.now?.() ?? new Date());
  const location = await deps.objects.put(key, writeRawCsv(games), "text/csv; charset=utf-8");
  return { success: true, user_id, s3_location: location, game_count: games.length };
}

async function libraryOf(steamId64: string, { web, apiKey, signal }: SteamImportDeps): Promise<LibraryGame[]> {
  if (apiKey === null)
    throw new SettingRejectedError("Reading a Steam library needs a Web API key; set STEAM_API_KEY.");
  const searchParams = {
    steamid: steamId64,
    include_appinfo: "1",
    include_played_free_games: "1",
    skip_unvetted_apps: "false",
  };
  const request = { url, searchParams, headers: { "x-webapi-key": apiKey }, signal };
  const { response } = await web.json("steam_web_api", request, ownedGames).catch((error: unknown) => {
    throw permanentFailure(error, steamId64) ?? error;
  });
  if (response.game_count === undefined && response.games === undefined) {
    throw new ImportRejectedError(
      `The games of Steam profile ${steamId64} are not public; its owner has to make the game details public.`,
    );
  }
  const { games = [], game_count = games.length } = response;
  if (games.length !== game_count) {
    throw new WebError(
      "invalid",
      `Steam announced ${game_count} games of ${steamId64} and listed ${games.length}`,
      200,
    );
  }
  // An id that fits no column would fail the whole library, at each retry.
  const storable = games.filter((game) => appid.safeParse(game.appid).success);
  // Most played first: where two apps share one game, the played one decides the status of the library item.
  return storable.map(gameOf).sort((a, b) => b.playtime_forever - a.playtime_forever || a.appid - b.appid);
}

/** The permanent failure behind an error; null for transient ones. */
function permanentFailure(error: unknown, steamId64: string): ImportRejectedError | null {
  if (!(error instanceof WebError)) return null;
  if (error.fault === "denied")
    return new SettingRejectedError(`Steam refuses the key in STEAM_API_KEY (${error.status}).`);
  // Without a status the request was never sent: the key contains characters that are invalid in a header.
  if (error.fault === "refused" && error.status === null) return new SettingRejectedError(error.message);
  if (error.fault === "refused")
    return new ImportRejectedError(`Steam profile ${steamId64} does not exist (${error.status}).`);
  return null;
}

function gameOf(owned: z.output<typeof ownedGame>): LibraryGame {
  const { rtime_last_played: lastPlayed } = owned;
  return {
    appid: owned.appid,
    name: text(owned.name) ?? "",
    playtime_forever: owned.playtime_forever,
    playtime_windows: owned.playtime_windows_forever,
    playtime_mac: owned.playtime_mac_forever,
    playtime_linux: owned.playtime_linux_forever,
    playtime_deck: owned.playtime_deck_forever,
    playtime_2weeks: owned.playtime_2weeks,
    last_played_at: lastPlayed === 0 ? null : new Date(lastPlayed * 1000).toISOString(),
    img_icon_url: iconUrl(owned.appid, text(owned.img_icon_url)),
  };
}

/** URL of an icon; Steam sends only the hash of the image. */
function iconUrl(appid: number, hash: string | null): string | null {
  return hash === null ? null : `https://media.steampowered.com/steamcommunity/public/images/apps/${appid}/${hash}.jpg`;
}
