/**
 * Sends PICS requests: two queues with a rate limit each, retry after a reconnect, counts.
 *
 * Requests for change numbers and access tokens have a queue of their own: thousands of ids make a small reply, and SteamDB's backend sends
 * all of them at once (facts of its public source). All others share one queue, with fair priorities. A rate limit is
 * the time between the starts of two requests, and replies may overlap up to the concurrency.
 */
import PQueue from "p-queue";
import { SteamError } from "../process/errors.ts";
import type { SteamMessage } from "./connection.ts";
import { FairQueue, type FairQueueOptions } from "./fair-queue.ts";
import type { RequestKind, RequestResult, SteamRequestKind } from "./port.ts";
import type { SteamSession } from "./session.ts";

export interface RequestsOptions {
  session: Pick<SteamSession, "ready" | "request" | "status">;
  /** Between the starts of two requests; 0 = none. */
  requestDelayMs: number;
  /** The same for requests without texts (`metadata`, `access_tokens`), which have turns of their own; default `requestDelayMs`. */
  metadataDelayMs?: number;
  /** Requests in flight, of each queue. */
  concurrency: number;
  /** Of each attempt. */
  timeoutMs: number;
  /** Called with the messages of every reply, as steam-user decodes them, for measurements. */
  onReply?: (kind: RequestKind, messages: readonly unknown[]) => void;
  /** Called after every attempt, for metrics. */
  onAnswer?: (kind: RequestKind, result: RequestResult, seconds: number) => void;
}

export interface Requests {
  /**
   * Sends a request when it is its turn, and retries it for as long as the connection is lost under it. Without a
   * connection requests wait outside the queue, so that the rate limit holds after the logon too. `more` as in
   * `SteamRequestOptions`.
   */
  send<Reply>(
    kind: SteamRequestKind,
    body: object,
    signal: AbortSignal | undefined,
    more?: (reply: Reply) => boolean,
  ): Promise<Reply[]>;
  /** Fetches a text over HTTP, with a limit of its own: four at a time. */
  fetchHttp<T>(fetch: () => Promise<T>, signal: AbortSignal | undefined): Promise<T>;
  /** Attempts so far. */
  counts(): Record<RequestKind, number>;
}

const messages: Record<SteamRequestKind, SteamMessage> = {
  changes: { request: 8901, reply: 8902 },
  metadata: { request: 8903, reply: 8904 },
  product_info: { request: 8903, reply: 8904 },
  access_tokens: { request: 8905, reply: 8906 },
  tag_names: { method: "Store.GetLocalizedNameForTags#1" },
  category_names: { method: "StoreBrowse.GetStoreCategories#1" },
};
const httpConcurrency = 4;
/** A request that was in flight each of this many times when Steam sent something unreadable is at fault, and fails. */
const maxUnreadableReplies = 3;

export function createRequests(options: RequestsOptions): Requests {
  const { session, requestDelayMs, metadataDelayMs = requestDelayMs, concurrency, timeoutMs } = options;
  const { onAnswer = () => {}, onReply = () => {} } = options;
  const paced = (delayMs: number) => (delayMs > 0 ? { interval: delayMs, intervalCap: 1, strict: true } : {});
  const createQueue = (delayMs: number) =>
    new PQueue<FairQueue, FairQueueOptions>({ concurrency, queueClass: FairQueue, ...paced(delayMs) });
  const queue = createQueue(requestDelayMs);
  const smallQueue = createQueue(metadataDelayMs);
  // What asks for ids alone takes no turns of the texts.
  const isSmall = (kind: SteamRequestKind) => kind === "metadata" || kind === "access_tokens";
  const httpQueue = new PQueue({ concurrency: httpConcurrency });
  const counts: Record<RequestKind, number> = {
    changes: 0,
    metadata: 0,
    product_info: 0,
    access_tokens: 0,
    tag_names: 0,
    category_names: 0,
    http_payload: 0,
  };

  /** Counts an attempt and its result. */
  async function counted<T>(kind: RequestKind, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    counts[kind] += 1;
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

  return {
    async send<Reply>(
      kind: SteamRequestKind,
      body: object,
      signal: AbortSignal | undefined,
      more?: (reply: Reply) => boolean,
    ) {
      const request = () => session.request<Reply>(messages[kind], body, { signal, timeoutMs, ...(more && { more }) });
      // Without a connection nothing is sent, so there is no attempt to count.
      const attempt = () => (session.status().connected ? counted(kind, signal, request) : request());
      for (let unreadable = 0; ; ) {
        await session.ready(signal);
        try {
          const replies = await (isSmall(kind) ? smallQueue : queue).add(attempt, { kind, signal });
          onReply(kind, replies);
          return replies;
        } catch (error) {
          if (!(error instanceof SteamError) || error.fault !== "disconnected") throw error;
          if (error.cause instanceof SteamError && error.cause.fault === "protocol") unreadable += 1;
          if (unreadable === maxUnreadableReplies) throw error.cause;
        }
      }
    },
    fetchHttp: (fetch, signal) => httpQueue.add(() => counted("http_payload", signal, fetch), { signal }),
    counts: () => ({ ...counts }),
  };
}

function resultOf(error: unknown): RequestResult {
  // "silent" is concluded from several replies, each of them a result "ok".
  return error instanceof SteamError && error.fault !== "silent" ? error.fault : "protocol";
}
