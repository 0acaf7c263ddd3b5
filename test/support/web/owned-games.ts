import { createWebFaults, faultName, spoil, type WebFaults } from "./faults.ts";
import { createWebLog, type WebLog } from "./request-log.ts";
import { type Answer, htmlAnswer, jsonAnswer, type SimulatedWebApi, type WebRequest } from "./web-api.ts";

/** A game as GetOwnedGames sends it. Playtimes are minutes; times are Unix seconds, 0 for never. */
export interface OwnedGame {
  appid: number;
  name?: string;
  playtime_2weeks?: number;
  playtime_forever: number;
  img_icon_url?: string;
  has_community_visible_stats?: boolean;
  has_leaderboards?: boolean;
  playtime_windows_forever: number;
  playtime_mac_forever: number;
  playtime_linux_forever: number;
  playtime_deck_forever: number;
  rtime_last_played: number;
  content_descriptorids?: number[];
  playtime_disconnected: number;
}

export interface OwnedLibrary {
  games: OwnedGame[];
  /** Appids sent only with `include_played_free_games`. */
  free?: number[];
  /** Appids sent only with `skip_unvetted_apps=false`. */
  unvetted?: number[];
  /** A wrong `game_count`. */
  gameCount?: number;
}

export interface SimulatedOwnedGames extends SimulatedWebApi {
  /** By SteamID64; other profiles are missing. */
  libraries: Map<string, OwnedLibrary | "private" | "missing">;
  log: WebLog;
  faults: WebFaults;
}

/**
 * Simulation of IPlayerService/GetOwnedGames/v1: `{"response":{}}` for a private profile,
 * `{"response":{"game_count":0}}` for an empty library, 400 for a missing profile, 401 with HTML for a wrong key (`key`
 * or the header `x-webapi-key`). Names and icons need `include_appinfo`.
 */
export function createSimulatedOwnedGames(options: {
  libraries?: SimulatedOwnedGames["libraries"];
  /** The accepted key. Default: any. */
  apiKey?: string;
}): SimulatedOwnedGames {
  const { libraries = new Map(), apiKey } = options;
  const log = createWebLog();
  const faults = createWebFaults();
  const steam: SimulatedOwnedGames = {
    host: "api.steampowered.com",
    path: "/IPlayerService/GetOwnedGames/v1",
    libraries,
    log,
    faults,
    answer(request) {
      const call = { kind: "owned_games" };
      const fault = faults.strike(call);
      log.add(call, fault && faultName(fault));
      return spoil(fault, answerOf(steam.libraries, apiKey, request));
    },
  };
  return steam;
}

function answerOf(
  libraries: SimulatedOwnedGames["libraries"],
  apiKey: string | undefined,
  request: WebRequest,
): Answer {
  const { searchParams: query } = request.url;
  const key = query.get("key") ?? request.headers["x-webapi-key"] ?? "";
  if (apiKey === undefined ? key === "" : key !== apiKey) return htmlAnswer(401, "Unauthorized");
  const library = libraries.get(query.get("steamid") ?? "") ?? "missing";
  if (library === "missing") return htmlAnswer(400, "Bad Request");
  return jsonAnswer({ response: library === "private" ? {} : response(library, query) });
}

function response({ games, free = [], unvetted = [], gameCount }: OwnedLibrary, query: URLSearchParams): object {
  const isOn = (name: string, otherwise: boolean) => ["1", "true"].includes(query.get(name) ?? String(otherwise));
  const hidden = new Set([
    ...(isOn("include_played_free_games", false) ? [] : free),
    ...(isOn("skip_unvetted_apps", true) ? unvetted : []),
  ]);
  const shown = games.filter((game) => !hidden.has(game?.appid));
  const game_count = gameCount ?? shown.length;
  if (shown.length === 0) return { game_count };
  return { game_count, games: isOn("include_appinfo", false) ? shown : shown.map(withoutAppInfo) };
}

function withoutAppInfo({
  name,
  img_icon_url,
  has_community_visible_stats,
  content_descriptorids,
  ...rest
}: OwnedGame) {
  return rest;
}
