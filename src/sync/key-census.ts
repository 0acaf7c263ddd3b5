import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { readPaths } from "../catalog/unread-keys.ts";
import type { CatalogStore } from "../db/catalog-store.ts";
import type { KeyCountReply, KeyCounts } from "../db/sync-calls.ts";

/**
 * Census of the keys of Steam's app info that the extractor does not read: counted in memory, written to `steam_keys`
 * at intervals. That is how a field that Steam adds is noticed on its first day. It is no part of the sync: nothing
 * here fails a batch, and counts of a killed process are lost.
 */
export interface KeyCensus {
  /** Counts the unread keys of one app info, each path once. Starts a flush within the interval. */
  count(appid: number, paths: readonly string[]): void;
  /** Writes what was counted, and logs keys that are new. Never rejects: what fails is sent again with the next flush. */
  flush(): Promise<void>;
  /** Flushes, and sums up the first load in one line. Counting may go on afterwards. */
  stop(): Promise<void>;
}

export interface KeyCensusDeps {
  store: Pick<CatalogStore, "countKeys">;
  logger: Logger;
  /** Longest time between a count and its flush, which rewrites a row for every path counted: some hundreds. */
  intervalMs?: number;
}

const defaultIntervalMs = 60_000;
/** Paths come from outside. Longer ones are cut, and more of them between two flushes are not counted. */
const maxPathLength = 200;
const maxPaths = 2_000;
const maxLogged = 20;

export function createKeyCensus({ store, logger, intervalMs = defaultIntervalMs }: KeyCensusDeps): KeyCensus {
  let counts: PathCounts = new Map();
  /** Sent, and not known to be written: its request id makes a repeat harmless. */
  let unsent: KeyCounts | null = null;
  /** Sent once: an older version may have counted them. Blocks are left out: a text in place of one is not read. */
  let read: readonly string[] = readPaths.map((path) => path.replaceAll("#", "*"));
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> = Promise.resolve();
  const report = createReport(logger);

  function arm(): void {
    timer ??= setTimeout(() => void flush(), intervalMs).unref();
  }

  async function sendUnsent(): Promise<void> {
    if (unsent === null) return;
    const reply = await store.countKeys(unsent);
    report.written(unsent, reply);
    unsent = null;
  }

  async function send(): Promise<void> {
    try {
      await sendUnsent();
      if (counts.size === 0) return;
      const keys = [...counts].map(([path, counted]) => ({ path, ...counted }));
      unsent = { requestId: randomUUID(), keys, read };
      counts = new Map();
      read = [];
      await sendUnsent();
    } catch (error) {
      report.failed(error);
      arm();
    }
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    flushing = flushing.then(send);
    return flushing;
  }

  return {
    count(appid, paths) {
      for (const path of paths) if (!add(counts, path, appid)) report.dropped();
      if (counts.size > 0) arm();
    },
    flush,
    async stop() {
      await flush();
      clearTimeout(timer);
      timer = undefined;
      report.firstLoad();
    },
  };
}

type PathCounts = Map<string, { payloads: number; appid: number }>;

/** Returns whether there was room for the path. */
function add(counts: PathCounts, given: string, appid: number): boolean {
  const path = counts.has(given) ? given : cleanPath(given);
  const counted = counts.get(path);
  if (counted) counted.payloads += 1;
  else if (counts.size < maxPaths) counts.set(path, { payloads: 1, appid });
  else return false;
  return true;
}

/** A path that Postgres accepts inside jsonb, and that a terminal shows as it is: no control or format characters. */
function cleanPath(path: string): string {
  return path.slice(0, maxPathLength).toWellFormed().replace(/\p{C}/gu, "\uFFFD");
}

/** What the log says: each new key once, in one line per flush; one line for a whole first load, when all are new. */
function createReport(logger: Logger) {
  let inFirstLoad = 0;
  let isFull = false;

  function warnFull(fields: object): void {
    if (!isFull) logger.warn(fields, `the census holds ${maxPaths} keys: further ones are not counted`);
    isFull = true;
  }

  function firstLoad(): void {
    if (inFirstLoad === 0) return;
    const known =
      "keys of Steam's app info that the extractor does not read; steam_keys lists them, and new ones are logged";
    logger.info({ keys: inFirstLoad }, `the first load found ${known}`);
    inFirstLoad = 0;
  }

  return {
    firstLoad,
    written({ keys }: KeyCounts, { added, first_load, refused }: KeyCountReply): void {
      if (refused > 0) warnFull({ refused });
      if (first_load) inFirstLoad += added.length;
      else firstLoad();
      if (first_load || added.length === 0) return;
      const appids = new Map(keys.map(({ path, appid }) => [path, appid]));
      const named = added.slice(0, maxLogged).map((path) => ({ path, appid: appids.get(path) }));
      const more = added.length - named.length;
      logger.info(
        { keys: named, ...(more > 0 && { more }) },
        "Steam sends new keys, which the extractor does not read",
      );
    },
    dropped: () => warnFull({}),
    failed(error: unknown): void {
      logger.warn(
        { err: error },
        "unread keys could not be counted in the database; they are sent with the next count",
      );
    },
  };
}
