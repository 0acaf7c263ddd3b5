import { sleep } from "../../../src/process/time.ts";
import { ApicalypseError, parseApicalypse, project, type Query } from "./apicalypse.ts";
import { createWebFaults, faultName, spoil, type WebFaults } from "./faults.ts";
import { createWebLog, type WebCall, type WebLog } from "./request-log.ts";
import { type Answer, jsonAnswer, type SimulatedWebApi, type WebRequest } from "./web-api.ts";

export { generateIgdbGames } from "./generate-igdb.ts";

export interface IgdbLabel {
  id: number;
  name: string;
  slug: string;
  abbreviation?: string;
}

/** A game as IGDB keeps it. Times are Unix seconds, below 0 before 1970. */
export interface IgdbEntry {
  id: number;
  name: string;
  slug: string;
  summary?: string;
  first_release_date?: number;
  cover?: { id: number; image_id: string };
  game_type?: number;
  genres?: IgdbLabel[];
  platforms?: IgdbLabel[];
}

/** What another shop calls a game. */
export interface IgdbExternalGame {
  id: number;
  uid: string;
  /** 1 is Steam. */
  external_game_source: number;
  /** The id of the game; some rows have none. */
  game?: number;
}

export interface IgdbDump {
  games: IgdbEntry[];
  externalGames: IgdbExternalGame[];
}

export interface SimulatedIgdbOptions extends Partial<IgdbDump> {
  clientId?: string;
  clientSecret?: string;
  /** How long a token lasts. Default: 57 days. */
  tokenSeconds?: number;
  /** How long each answer of the API takes, so that requests are open at the same time. Default: no time. */
  latencyMs?: number;
  /** What it tolerates. Default: IGDB's four requests a second and eight open. */
  perSecond?: number;
  open?: number;
  /** Milliseconds of a clock that only runs forward. Default: `performance.now()`, which follows a fake clock. */
  now?: () => number;
}

export interface IgdbQuery extends Query {
  endpoint: "external_games" | "games";
}

export interface SimulatedIgdb {
  /** Twitch's tokens and IGDB's API: `asRoutes(...igdb.apis)`, `asFetch(...igdb.apis)`. */
  apis: SimulatedWebApi[];
  /** What it serves from now on; may be changed and replaced between requests. */
  dump: IgdbDump;
  clientId: string;
  clientSecret: string;
  /** Kinds are `token`, `external_games`, `games` and `other`; `page` is that of the offset, `appid` the first uid. */
  log: WebLog;
  faults: WebFaults;
  /** Every query that was understood, in order. */
  queries: IgdbQuery[];
  /** Every token ever given, the newest last. */
  tokens: readonly string[];
  /** The tokens that are accepted now. */
  liveTokens(): string[];
  /** Makes all tokens invalid, now or after so many more queries. */
  revoke(options?: { after: number }): void;
  /** The most requests that were open at the same time, and how many were refused as too many. */
  mostOpen(): number;
  refusedAsTooMany(): number;
}

const maxLiveTokens = 25;
const defaultTokenSeconds = 4_924_800;

/**
 * IGDB v4 (`POST https://api.igdb.com/v4/external_games` and `/games`) and Twitch's tokens (`POST https://id.twitch.tv/oauth2/token`), as far as
 * the documentation of both goes: at most 500 rows, 401 without a live token of the same client, 400 for a query that it does not understand,
 * 429 beyond its limits; an application has at most 25 live tokens, and one more makes the oldest invalid.
 */
export function createSimulatedIgdb(options: SimulatedIgdbOptions = {}): SimulatedIgdb {
  const { games = [], externalGames = [], tokenSeconds = defaultTokenSeconds, latencyMs = 0 } = options;
  const { perSecond = 4, open: maxOpen = 8, now = () => performance.now() } = options;
  const log = createWebLog();
  const faults = createWebFaults();
  const tokens: string[] = [];
  const expiresAt = new Map<string, number>();
  const starts: number[] = [];
  let open = 0;
  let mostOpen = 0;
  let tooMany = 0;
  let revokeAfter = Number.POSITIVE_INFINITY;

  const liveTokens = () => tokens.filter((token) => (expiresAt.get(token) ?? 0) > now());

  function answerToken({ method, body }: WebRequest): Answer {
    const call = { kind: "token" };
    const fault = faults.strike(call);
    log.add(call, fault && faultName(fault));
    return spoil(fault, method === "POST" ? tokenFor(new URLSearchParams(body)) : twitchAnswer(404, "not found"));
  }

  function tokenFor(form: URLSearchParams): Answer {
    if (form.get("client_id") !== igdb.clientId) return twitchAnswer(400, "invalid client");
    if (form.get("client_secret") !== igdb.clientSecret) return twitchAnswer(403, "invalid client secret");
    if (form.get("grant_type") !== "client_credentials") return twitchAnswer(400, "invalid grant type");
    for (const oldest of liveTokens().slice(0, 1 - maxLiveTokens)) expiresAt.delete(oldest);
    const token = `token${String(tokens.length + 1).padStart(3, "0")}${"x".repeat(22)}`;
    tokens.push(token);
    expiresAt.set(token, now() + tokenSeconds * 1_000);
    return jsonAnswer({ access_token: token, expires_in: tokenSeconds, token_type: "bearer" });
  }

  async function answerQuery(request: WebRequest): Promise<Answer> {
    if (revokeAfter <= 0) igdb.revoke();
    revokeAfter -= 1;
    const query = understood(request);
    const call = query instanceof ApicalypseError ? { kind: "other" } : callOf(query);
    const fault = faults.strike(call);
    log.add(call, fault && faultName(fault));
    const isTooMuch = isTooMany();
    open += 1;
    mostOpen = Math.max(mostOpen, open);
    if (latencyMs > 0) await sleep(latencyMs);
    open -= 1;
    if (isTooMuch) return { status: 429, body: '{"message":"Too Many Requests"}' };
    if (!isAllowed(request)) return { status: 401, body: authorizationFailure };
    return spoil(fault, query instanceof ApicalypseError ? syntaxError(query) : rowsFor(query));
  }

  function isTooMany(): boolean {
    const at = now();
    while (starts[0] !== undefined && at - starts[0] >= 1_000) starts.shift();
    const isRefused = starts.length >= perSecond || open >= maxOpen;
    if (isRefused) tooMany += 1;
    else starts.push(at);
    return isRefused;
  }

  function isAllowed({ headers }: WebRequest): boolean {
    const token = /^Bearer (\S+)$/.exec(String(headers.authorization))?.[1];
    return headers["client-id"] === igdb.clientId && token !== undefined && liveTokens().includes(token);
  }

  function rowsFor(query: IgdbQuery): Answer {
    igdb.queries.push(query);
    const byId = new Map(igdb.dump.games.map((game) => [game.id, game]));
    const rows: object[] =
      query.endpoint === "games"
        ? igdb.dump.games
        : igdb.dump.externalGames.map(({ game, ...row }) => ({
            ...row,
            ...(game !== undefined && { game: byId.get(game) ?? game }),
          }));
    const wanted = [...query.where].map(([field, values]) => [field, new Set<unknown>(values)] as const);
    const found = rows.filter((row) =>
      wanted.every(([field, values]) => values.has((row as Record<string, unknown>)[field])),
    );
    const ordered = (found as { id: number }[]).sort((a, b) => a.id - b.id);
    return jsonAnswer(ordered.slice(query.offset, query.offset + query.limit).map((row) => project(row, query.fields)));
  }

  const igdb: SimulatedIgdb = {
    apis: [
      { host: "id.twitch.tv", path: "/oauth2/token", answer: answerToken },
      { host: "api.igdb.com", path: "/v4/", answer: answerQuery },
    ],
    dump: { games, externalGames },
    clientId: options.clientId ?? "abcdefghijklmnopqrstuvwxyz0123",
    clientSecret: options.clientSecret ?? "0123secretsecretsecretsecret45",
    log,
    faults,
    queries: [],
    tokens,
    liveTokens,
    revoke({ after } = { after: 0 }) {
      revokeAfter = after > 0 ? after : Number.POSITIVE_INFINITY;
      if (after === 0) expiresAt.clear();
    },
    mostOpen: () => mostOpen,
    refusedAsTooMany: () => tooMany,
  };
  return igdb;
}

/** The values that a field of each endpoint can be asked for; one of another type finds nothing at IGDB, and is refused here. */
const whereTypes: Record<IgdbQuery["endpoint"], Record<string, "string" | "number">> = {
  external_games: { id: "number", uid: "string", external_game_source: "number", category: "number" },
  games: { id: "number", name: "string", slug: "string" },
};

function understood({ method, url, body }: WebRequest): IgdbQuery | ApicalypseError {
  try {
    const endpoint = url.pathname.slice("/v4/".length);
    if (method !== "POST" || (endpoint !== "games" && endpoint !== "external_games")) {
      throw new ApicalypseError(`No such endpoint: ${method} ${url.pathname}`);
    }
    const query = parseApicalypse(body);
    for (const [field, values] of query.where) {
      const type = whereTypes[endpoint][field];
      if (values.some((value) => typeof value !== type))
        throw new ApicalypseError(`Expecting another value of '${field}'`);
    }
    return { endpoint, ...query };
  } catch (error) {
    if (error instanceof ApicalypseError) return error;
    throw error;
  }
}

function callOf({ endpoint, where, offset, limit }: IgdbQuery): WebCall {
  return { kind: endpoint, page: Math.floor(offset / limit), appid: Number(where.get("uid")?.[0] ?? 0) };
}

function twitchAnswer(status: number, message: string): Answer {
  return { status, body: JSON.stringify({ status, message }) };
}

function syntaxError({ message }: ApicalypseError): Answer {
  return { status: 400, body: JSON.stringify([{ title: "Syntax Error", status: 400, cause: message }]) };
}

const authorizationFailure = JSON.stringify({
  message: "Authorization Failure. Have you tried:",
  "Tip 1": "Ensure you are sending Authorization and Client-ID as headers.",
  "Tip 2": "Ensure Authorization value starts with 'Bearer ', including the space",
  "Tip 3": "Ensure Authorization value ends with the App Access Token you generated, NOT your Client Secret.",
});
