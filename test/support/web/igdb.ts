import { ApicalypseError, parseApicalypse, project, type Query } from "./apicalypse.ts";
import { createWebFaults, faultName, spoil, type WebFaults } from "./faults.ts";
import { createWebLog, type WebCall, type WebLog } from "./request-log.ts";
import { type Answer, jsonAnswer, type SimulatedWebApi, type WebRequest } from "./web-api.ts";

export interface IgdbLabel {
  id: number;
  name: string;
  slug: string;
  abbreviation?: string;
}

/** A game of IGDB. Times are Unix seconds, negative before 1970. */
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

/** The id of a game in a store. */
export interface IgdbExternalGame {
  id: number;
  uid: string;
  /** 1 is Steam. */
  external_game_source: number;
  /** Id of the game; absent in some rows. */
  game?: number;
}

export interface IgdbDump {
  games: IgdbEntry[];
  externalGames: IgdbExternalGame[];
}

export interface SimulatedIgdbOptions extends Partial<IgdbDump> {
  clientId?: string;
  clientSecret?: string;
  /** Lifetime of a token. Default: 57 days. */
  tokenSeconds?: number;
  /** Rate limit in requests per second, by the (fake) clock. Default: IGDB's 4. */
  perSecond?: number;
}

export interface IgdbQuery extends Query {
  endpoint: "external_games" | "games";
}

export interface SimulatedIgdb {
  /** Twitch's tokens and IGDB's API: `asRoutes(...igdb.apis)`, `asFetch(...igdb.apis)`. */
  apis: SimulatedWebApi[];
  /** The data served; may be changed and replaced between requests. */
  dump: IgdbDump;
  clientId: string;
  clientSecret: string;
  /** Kinds are `token`, `external_games`, `games` and `other`; `page` is that of the offset, `appid` the first uid. */
  log: WebLog;
  faults: WebFaults;
  /** Names and uids whose queries, whatever else they ask for, are answered with this status: seen for single names and ids. */
  rejects: Map<string, 400 | 500>;
  /** Every valid query, in order. */
  queries: IgdbQuery[];
  /** Every token ever issued, the newest last. */
  tokens: readonly string[];
  /** The tokens accepted now. */
  liveTokens(): string[];
  /** Invalidates all tokens, now or after that many more queries. */
  revoke(options?: { after: number }): void;
  /** Number of requests refused with 429. */
  refusedAsTooMany(): number;
}

/**
 * Simulation of IGDB v4 (`POST https://api.igdb.com/v4/external_games` and `/games`) and Twitch's tokens (`POST
 * https://id.twitch.tv/oauth2/token`), as documented: at most 500 rows, 401 without a live token of the same client,
 * 400 for a syntax error, 429 above the rate limit.
 */
export function createSimulatedIgdb(options: SimulatedIgdbOptions = {}): SimulatedIgdb {
  const { games = [], externalGames = [], tokenSeconds = defaultTokenSeconds, perSecond = 4 } = options;
  const log = createWebLog();
  const faults = createWebFaults();
  const tokens = createTokens(tokenSeconds);
  const limit = createLimit(perSecond);
  let revokeAfter = Number.POSITIVE_INFINITY;

  function answerQuery(request: WebRequest): Answer {
    if (revokeAfter <= 0) igdb.revoke();
    revokeAfter -= 1;
    const query = parseRequest(request);
    const call = query instanceof ApicalypseError ? { kind: "other" } : callOf(query);
    const fault = faults.strike(call);
    log.add(call, fault && faultName(fault));
    if (!limit.admit()) return { status: 429, body: '{"message":"Too Many Requests"}' };
    if (!isAuthorized(request, igdb)) return { status: 401, body: authorizationFailure };
    if (query instanceof ApicalypseError) return spoil(fault, syntaxError(query));
    igdb.queries.push(query);
    const rejected = [...query.where.values()].flat().find((value) => igdb.rejects.has(String(value)));
    if (rejected !== undefined) return { status: igdb.rejects.get(String(rejected)) ?? 400, body: "[]" };
    return spoil(fault, jsonAnswer(rowsOf(igdb.dump, query)));
  }

  const igdb: SimulatedIgdb = {
    apis: [
      {
        host: "id.twitch.tv",
        path: "/oauth2/token",
        answer(request) {
          const call = { kind: "token" };
          const fault = faults.strike(call);
          log.add(call, fault && faultName(fault));
          return spoil(fault, tokenAnswer(request, igdb, tokens.issue));
        },
      },
      { host: "api.igdb.com", path: "/v4/", answer: answerQuery },
    ],
    dump: { games, externalGames },
    clientId: options.clientId ?? "abcdefghijklmnopqrstuvwxyz0123",
    clientSecret: options.clientSecret ?? "0123secretsecretsecretsecret45",
    log,
    faults,
    rejects: new Map(),
    queries: [],
    tokens: tokens.issued,
    liveTokens: tokens.live,
    revoke({ after } = { after: 0 }) {
      revokeAfter = after > 0 ? after : Number.POSITIVE_INFINITY;
      if (after === 0) tokens.revokeAll();
    },
    refusedAsTooMany: () => limit.refused,
  };
  return igdb;
}

function isAuthorized(
  { headers }: WebRequest,
  { clientId, liveTokens }: Pick<SimulatedIgdb, "clientId" | "liveTokens">,
): boolean {
  const token = /^Bearer (\S+)$/.exec(String(headers.authorization))?.[1];
  return headers["client-id"] === clientId && token !== undefined && liveTokens().includes(token);
}

function tokenAnswer(
  { method, body }: WebRequest,
  { clientId, clientSecret }: Pick<SimulatedIgdb, "clientId" | "clientSecret">,
  issue: () => object,
): Answer {
  if (method !== "POST") return twitchAnswer(404, "not found");
  const form = new URLSearchParams(body);
  if (form.get("client_id") !== clientId) return twitchAnswer(400, "invalid client");
  if (form.get("client_secret") !== clientSecret) return twitchAnswer(403, "invalid client secret");
  if (form.get("grant_type") !== "client_credentials") return twitchAnswer(400, "invalid grant type");
  return jsonAnswer(issue());
}

const defaultTokenSeconds = 4_924_800;

/** The tokens of one application. */
function createTokens(tokenSeconds: number) {
  const issued: string[] = [];
  const expiresAt = new Map<string, number>();
  const live = () => issued.filter((token) => (expiresAt.get(token) ?? 0) > performance.now());
  return {
    issued,
    live,
    issue() {
      const token = `token${String(issued.length + 1).padStart(3, "0")}${"x".repeat(22)}`;
      issued.push(token);
      expiresAt.set(token, performance.now() + tokenSeconds * 1_000);
      return { access_token: token, expires_in: tokenSeconds, token_type: "bearer" };
    },
    revokeAll: () => expiresAt.clear(),
  };
}

/** Sliding window over the starts of the last second. */
function createLimit(perSecond: number) {
  const starts: number[] = [];
  const limit = {
    refused: 0,
    admit(): boolean {
      const at = performance.now();
      while (starts[0] !== undefined && at - starts[0] >= 1_000) starts.shift();
      const isAdmitted = starts.length < perSecond;
      if (isAdmitted) starts.push(at);
      else limit.refused += 1;
      return isAdmitted;
    },
  };
  return limit;
}

function rowsOf(dump: IgdbDump, { endpoint, where, fields, limit, offset }: IgdbQuery): object[] {
  const byId = new Map(dump.games.map((game) => [game.id, game]));
  const rows: { id: number }[] =
    endpoint === "games"
      ? dump.games
      : dump.externalGames.map(({ game, ...row }) => ({
          ...row,
          ...(game !== undefined && { game: byId.get(game) ?? game }),
        }));
  const conditions = [...where].map(([field, values]) => [field, new Set<unknown>(values)] as const);
  return rows
    .filter((row) =>
      conditions.every(([field, values]) => values.has((row as Record<string, unknown> & { id: number })[field])),
    )
    .sort((a, b) => a.id - b.id)
    .slice(offset, offset + limit)
    .map((row) => project(row, fields));
}

/** Type of each filterable field. IGDB answers a value of another type with no rows; here it is an error. */
const whereTypes: Record<IgdbQuery["endpoint"], Record<string, "string" | "number">> = {
  external_games: { id: "number", uid: "string", external_game_source: "number", category: "number" },
  games: { id: "number", name: "string", slug: "string" },
};

function parseRequest({ method, url, body }: WebRequest): IgdbQuery | ApicalypseError {
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
