import { labelKinds } from "../../catalog/list-views.ts";
import type { ChangeView } from "../../catalog/views.ts";
import { DatabaseError } from "../../process/errors.ts";
import { sleep } from "../../process/time.ts";
import type { ServerDeps } from "../deps.ts";
import { formatEvent } from "../event-stream.ts";
import { createMessageQueue, type MessageQueue } from "./message-queue.ts";
import type { Throughput } from "./throughput.ts";

const statusIntervalMs = 1_000;
const countsIntervalMs = 5_000;
/** Tags, genres and categories rarely change. */
const namesIntervalMs = 300_000;
const initialChanges = 40;
/** A client with more unread events is disconnected; its browser reconnects. */
const maxQueued = 300;

type EventDeps = Pick<ServerDeps, "status" | "reader" | "feed"> & { throughput: Throughput };

/** The events of all open pages: produced and formatted once, and sent to each, so that many pages cost the database no more than one. */
export interface DashboardEvents {
  /**
   * First the latest event of each kind, then new ones: `status` every second with the new samples of `throughput`; `names` (tags, genres
   * and categories by id) before `changes` as they are stored; `activity` and `catalog`, which the database counts, every 5 seconds.
   */
  follow(signal: AbortSignal): AsyncGenerator<string>;
}

/** Runs while at least one page is open. */
interface Producer {
  pages: Set<MessageQueue<string>>;
  /** Aborted by {@link Producer.stop}, and by a defect. */
  signal: AbortSignal;
  /** What a page that opens now is sent first. */
  latest(): string[];
  stop(): void;
}

export function createDashboardEvents(deps: EventDeps): DashboardEvents {
  let current: Producer | null = null;

  return {
    async *follow(signal) {
      if (signal.aborted) return;
      const queue = createMessageQueue<string>(maxQueued);
      signal.addEventListener("abort", () => queue.close(), { once: true });
      if (current === null || current.signal.aborted) current = startProducer(deps);
      const producer = current;
      for (const event of producer.latest()) queue.push(event);
      producer.pages.add(queue);
      try {
        yield* queue;
      } finally {
        producer.pages.delete(queue);
        if (producer.pages.size === 0) producer.stop();
      }
    },
  };
}

/** What the producers of events share. */
interface Broadcast extends EventDeps {
  signal: AbortSignal;
  /** Sends to all open pages. */
  send(event: string, data: unknown): void;
  /** The same, and to each page that opens later, until the next event with this key. */
  keep(event: string, data: unknown, key?: string): void;
  /** The newest changes, oldest first. */
  changes: ChangeView[];
  /** Time of the last sample of `throughput` that was sent. */
  sampledUntil: number;
}

/** The producers are independent: while the database is unreachable, `status` continues. A defect ends the streams of all pages. */
function startProducer(deps: EventDeps): Producer {
  const stopped = new AbortController();
  const pages = new Set<MessageQueue<string>>();
  const kept = new Map<string, string>();
  const sendText = (text: string) => {
    for (const page of pages) page.push(text);
  };
  const broadcast: Broadcast = {
    ...deps,
    signal: stopped.signal,
    changes: [],
    sampledUntil: 0,
    send: (event, data) => sendText(formatEvent({ event, data })),
    keep(event, data, key = event) {
      const text = formatEvent({ event, data });
      if (kept.get(key) === text) return;
      kept.set(key, text);
      sendText(text);
    },
  };
  const producers = [sendStatus(broadcast), sendCounts(broadcast), sendChanges(broadcast), renewNames(broadcast)];
  Promise.all(producers).catch((error: unknown) => {
    stopped.abort();
    for (const page of pages) page.close(error);
  });
  return {
    pages,
    signal: stopped.signal,
    latest() {
      const { changes, throughput, sampledUntil } = broadcast;
      const samples = throughput.after(0).filter(([at]) => at <= sampledUntil);
      return [
        ...kept.values(),
        ...(samples.length > 0 ? [formatEvent({ event: "throughput", data: samples })] : []),
        ...(changes.length > 0 ? [formatEvent({ event: "changes", data: changes })] : []),
      ];
    },
    stop: () => stopped.abort(),
  };
}

async function sendStatus(broadcast: Broadcast): Promise<void> {
  const { status, throughput, signal, send, keep } = broadcast;
  for (; !signal.aborted; await pause(statusIntervalMs, signal)) {
    keep("status", status());
    const samples = throughput.after(broadcast.sampledUntil);
    broadcast.sampledUntil = samples.at(-1)?.[0] ?? broadcast.sampledUntil;
    if (samples.length > 0) send("throughput", samples);
  }
}

async function sendCounts({ reader, signal, keep }: Broadcast): Promise<void> {
  for (; !signal.aborted; await pause(countsIntervalMs, signal)) {
    const open = reader();
    if (open === null) continue;
    await ignoreDatabaseErrors(async () => keep("activity", await open.activity()));
    await ignoreDatabaseErrors(async () => keep("catalog", await open.summary()));
  }
}

async function sendChanges(broadcast: Broadcast): Promise<void> {
  const { feed, signal } = broadcast;
  let lastId: number | null = null;
  while (lastId === null && !signal.aborted) {
    await ignoreDatabaseErrors(async () => {
      lastId = await sendLatestChanges(broadcast);
    });
    if (lastId === null) await pause(statusIntervalMs, signal);
  }
  for await (const changes of feed.follow(lastId, signal)) addChanges(broadcast, changes);
}

/** @returns the id of the newest change; null while the database is not open. */
async function sendLatestChanges(broadcast: Broadcast): Promise<number | null> {
  const open = broadcast.reader();
  if (open === null) return null;
  const latest = await open.changes({ max: initialChanges });
  await ignoreDatabaseErrors(() => sendNames(broadcast));
  addChanges(broadcast, latest.changes.toReversed());
  return latest.last_id;
}

function addChanges(broadcast: Broadcast, changes: ChangeView[]): void {
  broadcast.changes = [...broadcast.changes, ...changes].slice(-initialChanges);
  broadcast.send("changes", changes);
}

async function sendNames({ reader, keep }: Broadcast): Promise<void> {
  for (const kind of labelKinds) {
    const labels = await reader()?.labels(kind);
    if (labels === undefined) return;
    keep("names", { kind, names: Object.fromEntries(labels.map(({ id, name }) => [id, name])) }, `names of ${kind}`);
  }
}

async function renewNames(broadcast: Broadcast): Promise<void> {
  const { signal } = broadcast;
  for (;;) {
    await pause(namesIntervalMs, signal);
    if (signal.aborted) return;
    await ignoreDatabaseErrors(() => sendNames(broadcast));
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, signal).catch(() => {});
}

/** An unreachable database must not end the stream: the producer tries again in its next round. */
async function ignoreDatabaseErrors(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
  }
}
