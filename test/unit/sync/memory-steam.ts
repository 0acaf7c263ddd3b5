import { SteamError } from "../../../src/process/errors.ts";
import { sleep } from "../../../src/process/time.ts";
import type { PicsOptions } from "../../../src/steam/pics.ts";

/** Steam in memory, behind the session's interface: `createPics` on top of it is the product's own. */
export interface MemorySteam {
  session: PicsOptions["session"];
  /** Appid → change number. */
  apps: Map<number, number>;
  current: number;
  /** Each ChangesSince: its time in milliseconds of the test's clock, and the number it asked for. */
  polls: { atMs: number; since: number }[];
  /** The kind of each request, in order. */
  kinds: string[];
  /** While set, this kind of request times out after this time. */
  silent: { kind: "changes" | "product_info" | "tag_names" | "category_names"; afterMs: number } | null;
  latencyMs: number;
  /** A new version of the app, which need not have existed. */
  change(appid: number): number;
}

interface Request {
  since_change_number?: number;
  apps?: { appid: number }[];
  appids?: number[];
  tagids?: number[];
}

export function createMemorySteam(): MemorySteam {
  const steam: MemorySteam = {
    session: {
      ready: async () => {},
      status: () => ({
        ...{ connected: true, connected_since: null, reconnect_attempts: 0 },
        ...{ last_error: null, last_error_at: null, away_since: null, next_attempt_at: null },
      }),
      request: <Reply>(message: object, body: object, { signal }: { signal?: AbortSignal | undefined } = {}) =>
        answer(message, body, signal) as Promise<Reply[]>,
    },
    apps: new Map(),
    current: 1_000,
    polls: [],
    kinds: [],
    silent: null,
    latencyMs: 50,
    change(appid) {
      steam.current += 1;
      steam.apps.set(appid, steam.current);
      return steam.current;
    },
  };

  async function answer(message: object, request: Request, signal: AbortSignal | undefined): Promise<object[]> {
    const kind = kindOf(message, request);
    steam.kinds.push(kind);
    if (kind === "changes") steam.polls.push({ atMs: Date.now(), since: request.since_change_number ?? 0 });
    const isSilent = steam.silent?.kind === kind;
    await sleep(isSilent ? (steam.silent?.afterMs ?? 0) : steam.latencyMs, signal);
    if (isSilent) throw new SteamError("timeout", "no complete reply from Steam");
    if (kind === "changes") return [changesSince(request.since_change_number ?? 0)];
    if (kind === "tag_names") return [{ tags: [] }];
    if (kind === "category_names") return [{ categories: [] }];
    if (kind === "access_tokens") return [{ app_access_tokens: [], app_denied_tokens: request.appids }];
    return [productInfo(request.apps ?? [])];
  }

  function changesSince(since: number) {
    const listed = since === 0 ? [] : [...steam.apps].filter(([, change]) => change > since);
    return {
      current_change_number: steam.current,
      since_change_number: since,
      force_full_update: false,
      force_full_app_update: false,
      app_changes: listed.map(([appid, change_number]) => ({ appid, change_number, needs_token: false })),
      package_changes: [],
    };
  }

  function productInfo(requested: { appid: number }[]) {
    const known = requested.filter(({ appid }) => steam.apps.has(appid));
    return {
      apps: known.map(({ appid }) => ({
        appid,
        change_number: steam.apps.get(appid),
        buffer: Buffer.from(textOf(appid)),
      })),
      unknown_appids: requested.filter(({ appid }) => !steam.apps.has(appid)).map(({ appid }) => appid),
    };
  }
  return steam;
}

function kindOf(message: object, request: Request) {
  if ("method" in message) return request.tagids ? "tag_names" : "category_names";
  if (request.since_change_number !== undefined) return "changes";
  if (request.appids) return "access_tokens";
  return "product_info";
}

const textOf = (appid: number) => `"appinfo"\n{\n"appid" "${appid}"\n"common"\n{\n"name" "App ${appid}"\n}\n}\0`;
