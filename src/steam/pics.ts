/**
 * The PICS protocol over a session: requests as Steam's own client sends them, replies as the port promises them.
 *
 * All requests share one queue, so that they keep one pace: it is the time between their starts, and replies may overlap
 * up to the concurrency. Message layouts are those of steammessages_clientserver_appinfo.proto.
 */
import PQueue from "p-queue";
import type { Logger } from "pino";
import { SteamError } from "../process/errors.ts";
import {
  type AppInfoMessage,
  decodeText,
  type FetchHttpPayload,
  fetchHttpPayload as fetchOverHttp,
  type HttpOffer,
  httpPayloadUrl,
  toPayload,
  unzip,
} from "./payload.ts";
import type { AppPayload, Pics, RequestKind, RequestResult } from "./port.ts";
import type { SteamMessage, SteamSession } from "./session.ts";

export interface PicsOptions {
  session: Pick<SteamSession, "ready" | "request" | "status">;
  logger: Logger;
  /** Between the starts of two requests; 0 = none. */
  requestDelayMs: number;
  /** Requests in flight. */
  concurrency: number;
  /** Of each attempt. */
  timeoutMs: number;
  fetchHttpPayload?: FetchHttpPayload;
  /** Told of every reply, its messages as steam-user decodes them, for measurements. */
  onReply?: (kind: RequestKind, messages: readonly unknown[]) => void;
  /** Told of every attempt, for metrics. */
  onAnswer?: (kind: RequestKind, result: RequestResult, seconds: number) => void;
}

interface ChangesReply {
  current_change_number: number | null;
  since_change_number: number | null;
  force_full_update: boolean | null;
  force_full_app_update: boolean | null;
  app_changes: { appid: number; change_number: number | null; needs_token: boolean | null }[];
}

export interface ProductInfoReply {
  apps: AppInfoMessage[];
  unknown_appids: number[];
  response_pending: boolean | null;
  http_min_size: number | null;
  http_host: string | null;
}

interface AccessTokensReply {
  app_access_tokens: { appid: number; access_token: string | null }[];
  app_denied_tokens: number[];
}

interface TagNamesReply {
  tags: { tagid: number; english_name: string | null; name: string | null }[];
}

const messages: Record<Exclude<RequestKind, "http_payload">, SteamMessage> = {
  changes: { request: 8901, reply: 8902 },
  metadata: { request: 8903, reply: 8904 },
  product_info: { request: 8903, reply: 8904 },
  access_tokens: { request: 8905, reply: 8906 },
  tag_names: { method: "Store.GetLocalizedNameForTags#1" },
};
/** A poll must not wait behind a backlog of payloads, nor payloads behind a sweep. */
const priorities: Record<keyof typeof messages, number> = {
  changes: 2,
  product_info: 1,
  access_tokens: 1,
  tag_names: 1,
  metadata: 0,
};
const maxTagsPerRequest = 200;
const httpConcurrency = 4;
/** A request that was in flight each time when Steam sent something unreadable is to blame, after so many times. */
const maxUnreadableReplies = 3;
const maxId = 2 ** 31 - 1;

export function createPics(options: PicsOptions): Pics {
  const { session, logger, requestDelayMs, concurrency, timeoutMs, fetchHttpPayload = fetchOverHttp } = options;
  const { onAnswer = () => {}, onReply = () => {} } = options;
  const queue = new PQueue({
    concurrency,
    ...(requestDelayMs > 0 && { interval: requestDelayMs, intervalCap: 1, strict: true }),
  });
  const httpQueue = new PQueue({ concurrency: httpConcurrency });
  const requests: Record<RequestKind, number> = {
    changes: 0,
    metadata: 0,
    product_info: 0,
    access_tokens: 0,
    tag_names: 0,
    http_payload: 0,
  };

  /** Counts an attempt and its end. */
  async function counted<T>(kind: RequestKind, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    requests[kind] += 1;
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1_000;
    try {
      const answer = await attempt();
      onAnswer(kind, "ok", seconds());
      return answer;
    } catch (error) {
      onAnswer(kind, signal?.aborted ? "aborted" : resultOf(error), seconds());
      throw error;
    }
  }

  /**
   * Sends a request when it is its turn, and again for as long as the connection is lost under it. While Steam is away
   * requests wait outside the queue, so that the pace holds after the logon too.
   */
  async function send<Reply>(
    kind: keyof typeof messages,
    body: object,
    signal: AbortSignal | undefined,
    more?: (reply: Reply) => boolean,
  ): Promise<Reply[]> {
    for (let unreadable = 0; ; ) {
      await session.ready(signal);
      const request = () => session.request<Reply>(messages[kind], body, { signal, timeoutMs, ...(more && { more }) });
      // Without a connection nothing is sent.
      const attempt = () => (session.status().connected ? counted(kind, signal, request) : request());
      try {
        const replies = await queue.add(attempt, { priority: priorities[kind], signal });
        onReply(kind, replies);
        return replies;
      } catch (error) {
        if (!(error instanceof SteamError) || error.fault !== "disconnected") throw error;
        if (error.cause instanceof SteamError && error.cause.fault === "protocol") unreadable += 1;
        if (unreadable === maxUnreadableReplies) throw error.cause;
      }
    }
  }

  async function askProductInfo(kind: "product_info" | "metadata", apps: object[], signal?: AbortSignal) {
    const body = { apps, packages: [], ...(kind === "metadata" && { meta_data_only: true }) };
    const replies = await send<ProductInfoReply>(kind, body, signal, (reply) => Boolean(reply.response_pending));
    return {
      apps: new Map(replies.flatMap((reply) => reply.apps).map((app) => [app.appid, app])),
      unknown: replies.flatMap((reply) => reply.unknown_appids),
      offer: {
        host: replies.find((reply) => reply.http_host)?.http_host ?? null,
        minSizeBytes: replies.find((reply) => reply.http_min_size)?.http_min_size ?? null,
      },
    };
  }

  async function readApp(app: AppInfoMessage, offer: HttpOffer, signal?: AbortSignal): Promise<AppPayload> {
    if (app.buffer) return toPayload(app, decodeText(app, app.buffer, logger), null);
    const url = httpPayloadUrl(app, offer);
    if (!url) return toPayload(app, null, "Steam sent no buffer and offers none over HTTP");
    const fetchIt = () => counted("http_payload", signal, () => fetchHttpPayload(url, signal));
    try {
      const body = await unzip(await httpQueue.add(fetchIt, { signal }));
      return toPayload(app, decodeText(app, body, logger), null);
    } catch (error) {
      signal?.throwIfAborted();
      const detail = error instanceof Error ? error.message : String(error);
      return toPayload(app, null, `${url} could not be fetched: ${detail}`);
    }
  }

  return {
    ready: (signal) => session.ready(signal),

    async changesSince(since, signal) {
      // Packages are asked for although nobody reads them, because every known client does.
      const body = { since_change_number: since, send_app_info_changes: true, send_package_info_changes: true };
      const [reply] = await send<ChangesReply>("changes", body, signal);
      if (reply?.current_change_number == null) throw new SteamError("protocol", "a reply without a change number");
      return {
        currentChangeNumber: reply.current_change_number,
        sinceChangeNumber: reply.since_change_number ?? since,
        forceFullUpdate: reply.force_full_update ?? false,
        forceFullAppUpdate: reply.force_full_app_update ?? false,
        // What is no id of a column would fail the whole poll, again and again.
        apps: reply.app_changes
          .filter(({ appid }) => isId(appid))
          .map((change) => ({
            appid: change.appid,
            changeNumber: change.change_number ?? 0,
            needsToken: change.needs_token ?? false,
          })),
      };
    },

    async metadata(appids, signal) {
      const ids = uniqueIds(appids);
      if (ids.length === 0) return { apps: [], unknown: [] };
      const asked = ids.map((appid) => ({ appid }));
      const { apps, unknown } = await askProductInfo("metadata", asked, signal);
      const numbers = [...apps.values()].map((app) => ({ appid: app.appid, changeNumber: app.change_number ?? 0 }));
      return { apps: numbers, unknown };
    },

    async productInfo(wanted, signal) {
      const withToken = wanted.filter(({ accessToken }) => accessToken);
      const tokens = new Map(withToken.map(({ appid, accessToken }) => [Number(appid), accessToken]));
      const ids = uniqueIds(wanted.map(({ appid }) => appid));
      if (ids.length === 0) return { apps: [], unknown: [] };
      const asked = ids.map((appid) => {
        const token = tokens.get(appid);
        return token ? { appid, access_token: token } : { appid };
      });
      const { apps, unknown, offer } = await askProductInfo("product_info", asked, signal);
      const unknownIds = new Set(unknown);
      const answered = ids.filter((appid) => !unknownIds.has(appid));
      const payloads = answered.map((appid) => {
        const app = apps.get(appid);
        return app ? readApp(app, offer, signal) : unmentioned(appid);
      });
      return { apps: await Promise.all(payloads), unknown };
    },

    async accessTokens(appids, signal) {
      const ids = uniqueIds(appids);
      if (ids.length === 0) return { granted: new Map(), denied: [] };
      const replies = await send<AccessTokensReply>("access_tokens", { packageids: [], appids: ids }, signal);
      const granted = new Map<number, string>();
      for (const { appid, access_token } of replies.flatMap((reply) => reply.app_access_tokens)) {
        if (access_token) granted.set(appid, access_token);
      }
      return { granted, denied: replies.flatMap((reply) => reply.app_denied_tokens) };
    },

    async tagNames(tagIds, signal) {
      const ids = uniqueIds(tagIds);
      const chunks: number[][] = [];
      for (let i = 0; i < ids.length; i += maxTagsPerRequest) chunks.push(ids.slice(i, i + maxTagsPerRequest));
      const ask = (tagids: number[]) => send<TagNamesReply>("tag_names", { language: "english", tagids }, signal);
      const replies = await Promise.all(chunks.map(ask));
      const names = new Map<number, string>();
      for (const { tagid, english_name, name } of replies.flat().flatMap((reply) => reply.tags)) {
        const known = english_name || name;
        if (known) names.set(tagid, known);
      }
      return names;
    },

    status: () => ({ ...session.status(), requests: { ...requests } }),
  };
}

/** Ids as numbers, each once; Steam answers an id once, however often it is asked. Throws TypeError for what is no id. */
function uniqueIds(ids: readonly (number | string)[]): number[] {
  const unique = new Set<number>();
  for (const id of ids) {
    const number = Number(id);
    if (!isId(number)) throw new TypeError(`not an id: ${JSON.stringify(id)}`);
    unique.add(number);
  }
  return [...unique];
}

/** What a request over HTTP fails with is told apart here, what a session's fails with is told already. */
function resultOf(error: unknown): RequestResult {
  if (error instanceof SteamError) return error.fault;
  if (error instanceof Error && error.name === "TimeoutError") return "timeout";
  return error instanceof TypeError ? "disconnected" : "protocol";
}

function isId(number: number): boolean {
  return Number.isInteger(number) && number >= 1 && number <= maxId;
}

function unmentioned(appid: number): AppPayload {
  const text = "Steam's reply did not mention it";
  return { appid, changeNumber: 0, missingToken: false, onlyPublic: false, text: null, error: text };
}
