import { SteamError } from "../../../src/process/errors.ts";
import { sleep } from "../../../src/process/time.ts";
import type { PicsOptions } from "../../../src/steam/pics.ts";

/** A Steam in memory, behind the port of the session: `createPics` on top of it is the product's own. */
export interface MemorySteam {
  session: PicsOptions["session"];
  /** Appid → change number. */
  apps: Map<number, number>;
  current: number;
  /** ChangesSince reaches this far back; past it comes the force flag. */
  window: number;
  /** When each ChangesSince came, in milliseconds of the test's clock, and where it counted from. */
  polls: { atMs: number; since: number }[];
  /** Apps whose text cannot be read. */
  broken: Set<number>;
  /** How often each app was asked for, and when. */
  fetches: { atMs: number; appid: number }[];
  /** Metadata requests so far. */
  sweeps: number;
  /** While set, this kind of request ends in a time-out after so long. */
  silent: { kind: "changes" | "metadata" | "product_info" | "tag_names"; afterMs: number } | null;
  latencyMs: number;
  /** Of metadata requests; null for that of all. */
  sweepLatencyMs: number | null;
  /** A new version of the app, which need not have existed. */
  change(appid: number): number;
}

interface Request {
  since_change_number?: number;
  meta_data_only?: boolean;
  apps?: { appid: number }[];
  appids?: number[];
  tagids?: number[];
}

export function createMemorySteam(): MemorySteam {
  const steam: MemorySteam = {
    session: {
      ready: async () => {},
      status: () => ({ connected: true, connected_since: null, reconnect_attempts: 0, last_error: null }),
      request: <Reply>(message: object, body: object, { signal }: { signal?: AbortSignal | undefined } = {}) =>
        answer(message, body, signal) as Promise<Reply[]>,
    },
    apps: new Map(),
    current: 1_000,
    window: 5_000,
    polls: [],
    broken: new Set(),
    fetches: [],
    sweeps: 0,
    silent: null,
    latencyMs: 50,
    sweepLatencyMs: null,
    change(appid) {
      steam.current += 1;
      steam.apps.set(appid, steam.current);
      return steam.current;
    },
  };

  async function answer(message: object, request: Request, signal: AbortSignal | undefined): Promise<object[]> {
    const kind = kindOf(message, request);
    if (kind === "changes") steam.polls.push({ atMs: Date.now(), since: request.since_change_number ?? 0 });
    if (kind === "metadata") steam.sweeps += 1;
    if (kind === "product_info") {
      for (const { appid } of request.apps ?? []) steam.fetches.push({ atMs: Date.now(), appid });
    }
    const isSilent = steam.silent?.kind === kind;
    const latencyMs = (kind === "metadata" ? steam.sweepLatencyMs : null) ?? steam.latencyMs;
    await sleep(isSilent ? (steam.silent?.afterMs ?? 0) : latencyMs, signal);
    if (isSilent) throw new SteamError("timeout", "no complete reply from Steam");
    if (kind === "changes") return [changesSince(request.since_change_number ?? 0)];
    if (kind === "tag_names") return [{ tags: [] }];
    if (kind === "access_tokens") return [{ app_access_tokens: [], app_denied_tokens: request.appids }];
    return [productInfo(request.apps ?? [], kind === "metadata")];
  }

  function changesSince(since: number) {
    const isTooFar = since > 0 && since < steam.current - steam.window;
    const listed = since === 0 || isTooFar ? [] : [...steam.apps].filter(([, change]) => change > since);
    return {
      current_change_number: steam.current,
      since_change_number: since,
      force_full_update: false,
      force_full_app_update: isTooFar,
      app_changes: listed.map(([appid, change_number]) => ({ appid, change_number, needs_token: false })),
    };
  }

  function productInfo(asked: { appid: number }[], metadataOnly: boolean) {
    const known = asked.filter(({ appid }) => steam.apps.has(appid));
    return {
      apps: known.map(({ appid }) => ({
        appid,
        change_number: steam.apps.get(appid),
        buffer: metadataOnly ? null : Buffer.from(steam.broken.has(appid) ? "{" : textOf(appid)),
      })),
      unknown_appids: asked.filter(({ appid }) => !steam.apps.has(appid)).map(({ appid }) => appid),
    };
  }
  return steam;
}

function kindOf(message: object, request: Request) {
  if ("method" in message) return "tag_names";
  if (request.since_change_number !== undefined) return "changes";
  if (request.appids) return "access_tokens";
  return request.meta_data_only ? "metadata" : "product_info";
}

const textOf = (appid: number) => `"appinfo"\n{\n"appid" "${appid}"\n"common"\n{\n"name" "App ${appid}"\n}\n}\0`;
