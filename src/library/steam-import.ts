import { z } from "zod";
import { WebError } from "../process/errors.ts";
import type { WebClient } from "../web/client.ts";
import { writeRawCsv } from "./csv.ts";
import { ImportRejectedError, SettingRejectedError } from "./errors.ts";
import type { SteamImportEvent, SteamImportResponse } from "./events.ts";
import { parseProfile } from "./ids.ts";
import { rawKey } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";
import { type ReadGames, readOwnedGames } from "./owned-games.ts";

export interface SteamImportDeps {
  web: WebClient;
  objects: ObjectStore;
  apiKey: string | null;
  signal: AbortSignal;
  now?: () => Date;
}

const gamesUrl = "https://api.steampowered.com/IPlayerService/GetOwnedGames/v1/";
const namesUrl = "https://api.steampowered.com/ISteamUser/ResolveVanityURL/v1/";
const makeKey = "https://steamcommunity.com/dev/apikey makes one";
/** Skipped entries that the response names. */
const maxNamed = 10;

/**
 * A private profile answers 200 with an empty `response`, or with the number of its games alone; an empty library has
 * `game_count: 0` (seen in real replies).
 */
const ownedGames = z.object({
  response: z.object({ game_count: z.number().int().nullish(), games: z.array(z.unknown()).nullish() }),
});

/** `success` is 1 for a match and 42 for none. Source: Steam Web API documentation, EResult. */
const resolvedName = z.object({ response: z.object({ success: z.number(), steamid: z.string().optional() }) });
const found = 1;
const noMatch = 42;

/**
 * First stage: writes a Steam library to a raw CSV file. An empty library is valid and becomes a file without games.
 *
 * @throws {ImportRejectedError} when the profile is private or does not exist, or Steam refuses the key.
 * @throws {WebError} when Steam gives no answer; a retry may help.
 */
export async function steamImport(event: SteamImportEvent, deps: SteamImportDeps): Promise<SteamImportResponse> {
  const { user_id, steam_id64: profile, execution_id } = event;
  const steam = createSteamApi(deps);
  const steamId64 = await steamId64Of(profile, steam);
  const { games, skipped } = await libraryOf(steamId64, steam);
  const key = rawKey(user_id, execution_id, deps.now?.() ?? new Date());
  const location = await deps.objects.put(key, writeRawCsv(games), "text/csv; charset=utf-8");
  return {
    success: true,
    user_id,
    steam_id64: steamId64,
    s3_location: location,
    game_count: games.length,
    skipped_count: skipped.length,
    skipped: skipped.slice(0, maxNamed),
  };
}

interface SteamApi {
  /** @throws {SettingRejectedError} when Steam refuses the key. */
  get<T>(url: string, searchParams: Record<string, string>, shape: z.ZodType<T>): Promise<T>;
}

function createSteamApi({ web, apiKey, signal }: SteamImportDeps): SteamApi {
  if (apiKey === null) {
    throw new SettingRejectedError(`Reading a Steam library needs a Web API key; set STEAM_API_KEY (${makeKey}).`);
  }
  return {
    get(url, searchParams, shape) {
      const request = { url, searchParams, headers: { "x-webapi-key": apiKey }, signal };
      return web.json("steam_web_api", request, shape).catch((error: unknown) => {
        throw refusedKey(error) ?? error;
      });
    },
  };
}

function refusedKey(error: unknown): SettingRejectedError | null {
  if (!(error instanceof WebError)) return null;
  if (error.fault === "denied") {
    return new SettingRejectedError(`Steam refuses the key in STEAM_API_KEY (${error.status}); ${makeKey}.`);
  }
  // Without a status the request was never sent: the key contains characters that are invalid in a header.
  return error.fault === "refused" && error.status === null ? new SettingRejectedError(error.message) : null;
}

/** The SteamID64 of a profile in any form of {@link parseProfile}; Steam is asked for custom names alone. */
async function steamId64Of(given: string, steam: SteamApi): Promise<string> {
  const profile = parseProfile(given);
  if ("fault" in profile) throw new ImportRejectedError(`The Steam profile ${profile.fault}.`);
  if ("steamId64" in profile) return profile.steamId64;
  const { customName } = profile;
  const { response } = await steam.get(namesUrl, { vanityurl: customName }, resolvedName);
  if (response.success === noMatch) {
    throw new ImportRejectedError(
      `No Steam profile has the custom name ${JSON.stringify(customName)}; open the profile and copy its address.`,
    );
  }
  const id = parseProfile(response.steamid ?? "");
  if (response.success === found && "steamId64" in id) return id.steamId64;
  throw new WebError("invalid", `Steam answered a custom name with ${response.success} and no usable SteamID64`, 200);
}

async function libraryOf(steamId64: string, steam: SteamApi): Promise<ReadGames> {
  const searchParams = {
    steamid: steamId64,
    include_appinfo: "1",
    include_played_free_games: "1",
    skip_unvetted_apps: "false",
  };
  const { response } = await steam.get(gamesUrl, searchParams, ownedGames).catch((error: unknown) => {
    if (!(error instanceof WebError) || error.fault !== "refused") throw error;
    throw new ImportRejectedError(`Steam profile ${steamId64} does not exist (${error.status}).`);
  });
  const { games: entries, game_count: announced } = response;
  if (!entries && announced !== 0) {
    throw new ImportRejectedError(
      `The games of Steam profile ${steamId64} are not public; its owner has to set "Game details" to public in the ` +
        "privacy settings of the profile (https://steamcommunity.com/my/edit/settings).",
    );
  }
  const listed = entries?.length ?? 0;
  if (listed !== (announced ?? listed)) {
    throw new WebError("invalid", `Steam announced ${announced} games of ${steamId64} and listed ${listed}`, 200);
  }
  const read = readOwnedGames(entries ?? []);
  // Single entries may be odd; if all are, it is the answer.
  if (listed > 0 && read.games.length === 0) {
    throw new WebError(
      "invalid",
      `Steam listed ${listed} games of ${steamId64}, none readable: ${read.skipped[0]}`,
      200,
    );
  }
  return read;
}
