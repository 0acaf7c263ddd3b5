import type { SSEMessage } from "@fastify/sse";
import { labelKinds } from "../../catalog/list-views.ts";
import { DatabaseError } from "../../process/errors.ts";
import { sleep } from "../../process/time.ts";
import type { ServerDeps } from "../deps.ts";
import { createMessageQueue } from "./message-queue.ts";
import type { Throughput } from "./throughput.ts";

const statusIntervalMs = 1_000;
const countsIntervalMs = 5_000;
const initialChanges = 40;
/** A client with more unread messages is disconnected; its browser reconnects. */
const maxQueued = 300;

type EventDeps = Pick<ServerDeps, "status" | "reader" | "feed"> & { throughput: Throughput };

interface Connection extends EventDeps {
  signal: AbortSignal;
  send(event: string, data: unknown): void;
}

/**
 * The events of one dashboard page, merged into one stream: `status` every second with the new samples of `throughput`; `names` (tags,
 * genres and categories by id) once, before `changes` as they are stored; `activity` and `catalog`, which the database counts, every
 * 5 seconds. The three producers are independent: while the database is unreachable, `status` continues.
 */
export async function* dashboardEvents(deps: EventDeps, signal: AbortSignal): AsyncGenerator<SSEMessage> {
  const queue = createMessageQueue<SSEMessage>(maxQueued);
  const connection: Connection = { ...deps, signal, send: (event, data) => queue.push({ event, data }) };
  signal.addEventListener("abort", () => queue.close(), { once: true });
  Promise.all([sendStatus(connection), sendCounts(connection), sendChanges(connection)]).catch(queue.close);
  yield* queue;
}

async function sendStatus({ status, throughput, signal, send }: Connection): Promise<void> {
  for (let since = 0; !signal.aborted; await pause(statusIntervalMs, signal)) {
    send("status", status());
    const samples = throughput.after(since);
    since = samples.at(-1)?.[0] ?? since;
    if (samples.length > 0) send("throughput", samples);
  }
}

async function sendCounts({ reader, signal, send }: Connection): Promise<void> {
  for (; !signal.aborted; await pause(countsIntervalMs, signal)) {
    const open = reader();
    if (open === null) continue;
    await ignoreDatabaseErrors(async () => send("activity", await open.activity()));
    await ignoreDatabaseErrors(async () => send("catalog", await open.summary()));
  }
}

async function sendChanges(connection: Connection): Promise<void> {
  const { feed, signal, send } = connection;
  let lastId: number | null = null;
  while (lastId === null && !signal.aborted) {
    await ignoreDatabaseErrors(async () => {
      lastId = await sendLatestChanges(connection);
    });
    if (lastId === null) await pause(statusIntervalMs, signal);
  }
  for await (const changes of feed.follow(lastId, signal)) send("changes", changes);
}

/** @returns the id of the newest change; null while the database is not open. */
async function sendLatestChanges({ reader, send }: Connection): Promise<number | null> {
  const open = reader();
  if (open === null) return null;
  const latest = await open.changes({ max: initialChanges });
  await ignoreDatabaseErrors(async () => {
    for (const kind of labelKinds) {
      const labels = await open.labels(kind);
      send("names", { kind, names: Object.fromEntries(labels.map(({ id, name }) => [id, name])) });
    }
  });
  send("changes", latest.changes.toReversed());
  return latest.last_id;
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
