import type { SSEMessage } from "@fastify/sse";
import { labelKinds } from "../../catalog/views.ts";
import { DatabaseError } from "../../process/errors.ts";
import { sleep } from "../../process/time.ts";
import type { ServerParts } from "../parts.ts";
import type { Throughput } from "./throughput.ts";

/**
 * All that the page shows, as one stream: `status` every second with the new samples of `throughput`, `changes` as they land with the
 * `names` that their ids stand for before them, and now and then `activity` and `catalog`, which the database counts. Nothing waits for
 * anything else; what cannot be had comes later.
 */
const statusEveryMs = 1_000;
const countsEveryMs = 5_000;
const firstChanges = 40;
const maxWaiting = 300;

type Parts = Pick<ServerParts, "status" | "reader" | "feed">;

export async function* dashboardEvents(
  { status, reader, feed }: Parts,
  throughput: Throughput,
  signal: AbortSignal,
): AsyncGenerator<SSEMessage> {
  const waiting: SSEMessage[] = [];
  let arrived = Promise.withResolvers<void>();
  let isOver = false;
  const end = () => {
    isOver = true;
    arrived.resolve();
  };
  const send = (event: string, data: unknown) => {
    if (isOver) return;
    waiting.push({ event, data });
    // A reader that takes nothing any more is let go; a browser comes back when it can.
    if (waiting.length > maxWaiting) end();
    arrived.resolve();
  };

  async function tellStatus() {
    for (let since = 0; !signal.aborted; await pause(statusEveryMs)) {
      send("status", status());
      const samples = throughput.after(since);
      since = samples.at(-1)?.[0] ?? since;
      if (samples.length > 0) send("throughput", samples);
    }
  }
  async function tellCounts() {
    for (; !signal.aborted; await pause(countsEveryMs)) {
      const open = reader();
      if (open === null) continue;
      await ifPossible(async () => send("activity", await open.activity()));
      await ifPossible(async () => send("catalog", await open.summary()));
    }
  }
  async function tellNames() {
    for (const kind of labelKinds) {
      const labels = (await reader()?.labels(kind)) ?? [];
      send("names", { kind, names: Object.fromEntries(labels.map(({ id, name }) => [id, name])) });
    }
  }
  async function tellChanges() {
    let after: number | null = null;
    while (after === null && !signal.aborted) {
      await ifPossible(async () => {
        const latest = await reader()?.changes({ max: firstChanges });
        if (latest === undefined) return;
        await ifPossible(tellNames);
        send("changes", latest.changes.toReversed());
        after = latest.last_id;
      });
      if (after === null) await pause(statusEveryMs);
    }
    for await (const changes of feed.follow(after, signal)) send("changes", changes);
  }
  async function pause(ms: number) {
    await sleep(ms, signal).catch(() => {});
  }

  signal.addEventListener("abort", end, { once: true });
  let fault: unknown = null;
  Promise.all([tellStatus(), tellCounts(), tellChanges()]).catch((error: unknown) => {
    fault = error;
    end();
  });
  while (!isOver) {
    await arrived.promise;
    arrived = Promise.withResolvers();
    yield* waiting.splice(0);
  }
  if (fault !== null) throw fault;
}

/** A database that is away is no reason to end the stream. */
async function ifPossible(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
  }
}
