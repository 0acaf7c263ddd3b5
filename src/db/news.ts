import { EventEmitter, once } from "node:events";
import { sleep } from "../process/time.ts";
import type { Database } from "./database.ts";

/**
 * Waits for commits that change the catalog. Where the connection can listen, the database's notification ends the wait
 * at once; elsewhere (PostgREST, poolers) a timeout does, and the caller polls. It listens only while a caller waits. A
 * notification may arrive during a caller's poll: so the wait after a notification is short, and the next poll finds
 * what it was about.
 *
 * @returns a wait of at most `ms`; where the database is listened to and has been silent, of at most ten times that.
 */
export function createNews(db: Pick<Database, "listen">): (ms: number, signal?: AbortSignal) => Promise<void> {
  const arrivals = new EventEmitter().setMaxListeners(0);
  let waiters = 0;
  let lastNoticeAt = Number.NEGATIVE_INFINITY;
  let state: "idle" | "listening" | "live" | "unable" = db.listen ? "idle" : "unable";

  async function listen(): Promise<void> {
    state = "listening";
    const end = new AbortController();
    const watch = setInterval(() => waiters === 0 && end.abort(), idleMs);
    watch.unref();
    const onNotice = () => {
      lastNoticeAt = performance.now();
      arrivals.emit("news");
    };
    const onListening = () => {
      state = "live";
      lastNoticeAt = performance.now();
    };
    try {
      const isAble = await db.listen?.({ onListening, onNotice, signal: end.signal });
      state = isAble ? "idle" : "unable";
    } catch {
      // The next wait tries again; the calls of the service tell of an outage.
      state = "idle";
    } finally {
      clearInterval(watch);
    }
  }

  return async (ms, signal) => {
    waiters += 1;
    if (state === "idle") void listen();
    const over = new AbortController();
    const ends = AbortSignal.any([over.signal, ...(signal ? [signal] : [])]);
    const isSilent = state === "live" && performance.now() - lastNoticeAt > silenceMs;
    try {
      await Promise.race([sleep(isSilent ? liveFactor * ms : ms, ends), once(arrivals, "news", { signal: ends })]);
    } finally {
      over.abort();
      waiters -= 1;
    }
  };
}

/** Channel of the notification that `pics_announce_changes` sends with the commit of each transaction that writes changes. */
export const newsChannel = "pics_changes";
const liveFactor = 10;
/** Longer than a poll takes. */
const silenceMs = 2_000;
/** Between two checks whether a caller still waits. */
const idleMs = 10_000;
