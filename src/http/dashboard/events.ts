import type { EventView } from "../../catalog/event-views.ts";
import { DatabaseError } from "../../process/errors.ts";
import { sleep } from "../../process/time.ts";
import type { ServerDeps } from "../deps.ts";
import { formatEvent } from "../event-stream.ts";
import { createMessageQueue, type MessageQueue } from "./message-queue.ts";
import type { DashboardMessages, ServiceFacts } from "./messages.ts";
import type { Throughput } from "./throughput.ts";

const statusIntervalMs = 1_000;
const countsIntervalMs = 5_000;
const storedIntervalMs = 2_000;
/** Newest events that a page is sent when it opens. */
const initialEvents = 100;
const storedApps = 12;
/** A client with more unread messages is disconnected; its browser reconnects. */
const maxQueued = 300;

type EventDeps = Pick<ServerDeps, "status" | "reader" | "eventFeeds"> & {
  throughput: Throughput;
  service: ServiceFacts;
};

/** The event stream of all open pages: produced and formatted once, and sent to each, so that many pages cost the database no more than one. */
export interface DashboardEvents {
  /** First the latest message of each kind, then new ones; {@link DashboardMessages} has the kinds. */
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

/** What the producers of messages share. */
interface Broadcast extends EventDeps {
  signal: AbortSignal;
  /** Sends to all open pages. */
  send<Name extends keyof DashboardMessages>(name: Name, data: DashboardMessages[Name]): void;
  /** The same, and to each page that opens later, until the next message of this name. */
  keep<Name extends keyof DashboardMessages>(name: Name, data: DashboardMessages[Name]): void;
  /** The newest events, oldest first. */
  events: EventView[];
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
    events: [],
    sampledUntil: 0,
    send: (event, data) => sendText(formatEvent({ event, data })),
    keep(event, data) {
      const text = formatEvent({ event, data });
      if (kept.get(event) === text) return;
      kept.set(event, text);
      sendText(text);
    },
  };
  broadcast.keep("service", deps.service);
  const producers = [sendStatus(broadcast), sendCounts(broadcast), sendEvents(broadcast), sendStored(broadcast)];
  Promise.all(producers).catch((error: unknown) => {
    stopped.abort();
    for (const page of pages) page.close(error);
  });
  return {
    pages,
    signal: stopped.signal,
    latest() {
      const { events, throughput, sampledUntil } = broadcast;
      const samples = throughput.after(0).filter(([at]) => at <= sampledUntil);
      return [
        ...kept.values(),
        ...(samples.length > 0 ? [formatEvent({ event: "throughput", data: samples })] : []),
        ...(events.length > 0 ? [formatEvent({ event: "events", data: events })] : []),
      ];
    },
    stop: () => stopped.abort(),
  };
}

async function sendStatus(broadcast: Broadcast): Promise<void> {
  const { status, throughput, signal, send, keep } = broadcast;
  for (; !signal.aborted; await pause(statusIntervalMs, signal)) {
    keep("status", { ...status(), now: new Date().toISOString() });
    const samples = throughput.after(broadcast.sampledUntil);
    broadcast.sampledUntil = samples.at(-1)?.[0] ?? broadcast.sampledUntil;
    if (samples.length > 0) send("throughput", samples);
  }
}

async function sendCounts({ reader, service, signal, keep }: Broadcast): Promise<void> {
  for (; !signal.aborted; await pause(countsIntervalMs, signal)) {
    const open = reader();
    if (open === null) continue;
    if (service.history) {
      await ignoreDatabaseErrors(async () => keep("activity", await open.activity()));
      await ignoreDatabaseErrors(async () => keep("day", await open.day()));
    }
    await ignoreDatabaseErrors(async () => keep("catalog", await open.summary()));
  }
}

/** What is stored has no events while a catalog is loaded, nor without a history. */
async function sendStored({ reader, status, service, signal, keep }: Broadcast): Promise<void> {
  let stored = -1;
  for (; !signal.aborted; await pause(storedIntervalMs, signal)) {
    const { bulk, apps_stored } = status();
    const isLoading = bulk !== null && bulk.phase !== "done";
    const open = reader();
    if (open === null || apps_stored === stored || (service.history && !isLoading)) continue;
    await ignoreDatabaseErrors(async () => {
      const page = await open.apps({ sort: "updated", descending: true, max: storedApps });
      if (!("unknown" in page)) keep("stored", page.apps);
      stored = apps_stored;
    });
  }
}

async function sendEvents(broadcast: Broadcast): Promise<void> {
  const { eventFeeds, service, signal } = broadcast;
  if (!service.history) return;
  let lastId: number | null = null;
  while (lastId === null && !signal.aborted) {
    await ignoreDatabaseErrors(async () => {
      lastId = await sendLatestEvents(broadcast);
    });
    if (lastId === null) await pause(statusIntervalMs, signal);
  }
  for await (const events of eventFeeds.follow({}, lastId, signal)) addEvents(broadcast, events);
}

/** @returns the id of the newest event; null while the database is not open. */
async function sendLatestEvents(broadcast: Broadcast): Promise<number | null> {
  const open = broadcast.reader();
  if (open === null) return null;
  const latest = await open.events({ max: initialEvents });
  if ("unknown" in latest) return null;
  addEvents(broadcast, latest.items.toReversed());
  return latest.last_id;
}

function addEvents(broadcast: Broadcast, events: EventView[]): void {
  broadcast.events = [...broadcast.events, ...events].slice(-initialEvents);
  broadcast.send("events", events);
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
