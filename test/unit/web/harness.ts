import { pino } from "pino";
import { onTestFinished, vi } from "vitest";
import { createWebClient, type Endpoint, type ReserveQuota, type WebClientOptions } from "../../../src/web/client.ts";

/** Replaces the clock until the test ends. Only {@link drive} and vitest move it. */
export function startClock(now = "2026-03-01T12:00:00Z"): void {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
    now: new Date(now),
  });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

/** Advances the clock from timer to timer until the work settles. */
export async function drive<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  for (let idle = 0; !isOver; ) {
    idle = vi.getTimerCount() === 0 ? idle + 1 : 0;
    if (idle > 50) throw new Error("no timer is set and the work is not done");
    await vi.advanceTimersToNextTimerAsync();
  }
  return work;
}

/** The error of a call that must fail. */
export async function failure(work: Promise<unknown>): Promise<unknown> {
  const [result] = await drive(Promise.allSettled([work]));
  if (result.status === "fulfilled") throw new Error(`expected a failure, got: ${JSON.stringify(result.value)}`);
  return result.reason;
}

/** Runs a few turns of the event loop without advancing the clock. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export const urls: Record<Endpoint, string> = {
  steam_web_api: "https://api.steampowered.com/IStoreService/GetAppList/v1/",
  steam_store_api: "https://store.steampowered.com/api/appdetails",
  steamspy: "https://steamspy.com/api.php",
  steamspy_all: "https://steamspy.com/api.php",
  igdb: "https://api.igdb.com/v4/external_games",
  twitch: "https://id.twitch.tv/oauth2/token",
};

/** An answer to a request. `hang` rejects when the request is aborted, as fetch does. */
export type Answer = Response | Error | "hang";

export interface Sent {
  /** By the clock of `performance.now()`. */
  at: number;
  request: Request;
}

/** A fake API as a `fetch`. `answer` gets the index of the request, from 0. */
export function createApi(
  answer: (index: number, request: Request) => Answer | Promise<Answer> = () => Response.json({}),
) {
  const sent: Sent[] = [];
  let open = 0;
  let mostOpen = 0;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    sent.push({ at: performance.now(), request: request.clone() });
    open += 1;
    mostOpen = Math.max(mostOpen, open);
    try {
      const result = await answer(sent.length - 1, request);
      if (result instanceof Error) throw result;
      return result === "hang" ? await hang(request.signal) : result;
    } finally {
      open -= 1;
    }
  };
  return { fetch, sent, mostOpen: () => mostOpen };
}

function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

/** Captures log lines, without the redaction of the service's logger. */
export function createLog() {
  const lines: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => lines.push(line) });
  const at = (level: "warn" | "debug") =>
    lines.map((line) => JSON.parse(line)).filter((line) => line.level === logger.levels.values[level]);
  return { logger, lines, at };
}

const minuteMs = 60_000;
export const dayMs = 24 * 60 * minuteMs;

export const limits = {
  steamWebApi: { count: 100_000, periodMs: dayMs },
  steamStoreApi: { count: 200, periodMs: 5 * minuteMs },
  steamSpy: { count: 60, periodMs: minuteMs },
  steamSpyAll: { count: 1, periodMs: minuteMs },
  igdb: { count: 4, periodMs: 1_000 },
};

export function createClient(options: Partial<WebClientOptions> = {}) {
  return createWebClient({
    limits,
    retryAttempts: 3,
    reserve: async ({ block }) => block,
    logger: createLog().logger,
    ...options,
  });
}

/** Quota counters as in the database: shared by clients, and kept when one restarts. */
export function createUsage() {
  const used = new Map<string, number>();
  const asked: Parameters<ReserveQuota>[0][] = [];
  const reserve: ReserveQuota = async (request) => {
    asked.push(request);
    const { endpoint, periodStart, limit, block } = request;
    const key = `${endpoint} ${periodStart}`;
    const before = used.get(key) ?? 0;
    const granted = Math.max(0, Math.min(block, limit - before));
    used.set(key, before + granted);
    return granted;
  };
  return { reserve, used, asked };
}

/** Maximum number of starts in any span [t, t + periodMs). */
export function mostWithin(starts: readonly number[], periodMs: number): number {
  const sorted = starts.toSorted((a, b) => a - b);
  return Math.max(0, ...sorted.map((from) => sorted.filter((at) => at >= from && at < from + periodMs).length));
}
