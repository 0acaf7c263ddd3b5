import PQueue from "p-queue";
import type { EventView } from "../catalog/event-views.ts";
import { discordMessage, maxEmbeds } from "./discord.ts";
import { eventMessage, type Message } from "./message.ts";
import type { Webhook } from "./store.ts";

/** The requests of a page of events, and their order. */

/** What one request delivers. */
export interface Parcel {
  /** In the order of their ids. */
  events: readonly [EventView, ...EventView[]];
  /** Parcels of one lane are delivered one after the other; different lanes overtake each other. */
  lane: number;
  /** Signed at the moment at which it is sent. */
  message(now: Date): Message;
}

/** One event a request, in order per app; or for Discord up to 10 a message, in order. */
export function parcelsOf(webhook: Pick<Webhook, "id" | "secret" | "format">, events: readonly EventView[]): Parcel[] {
  if (webhook.format === "standard") {
    return events.map((event) => ({
      events: [event],
      lane: event.appid,
      message: (now) => eventMessage(webhook, event, now),
    }));
  }
  const parcels: Parcel[] = [];
  for (let at = 0; at < events.length; at += maxEmbeds) {
    const [first, ...others] = events.slice(at, at + maxEmbeds);
    if (first) parcels.push({ events: [first, ...others], lane: 0, message: () => discordMessage([first, ...others]) });
  }
  return parcels;
}

export interface LaneOptions<Failure> {
  /** Lanes at the same time. */
  concurrency: number;
  /** Null once it is delivered. */
  send: (parcel: Parcel) => Promise<Failure | null>;
  /** Begins no parcel once it has aborted. */
  signal: AbortSignal;
}

/**
 * Sends parcels, in order within each lane. The first failure lets those end that are under way, and begins no other.
 *
 * @param pending loses each parcel that is delivered.
 * @returns the first failure, null without any.
 */
export async function sendInLanes<Failure>(
  pending: Set<Parcel>,
  { concurrency, send, signal }: LaneOptions<Failure>,
): Promise<Failure | null> {
  let failure: Failure | null = null;
  const queue = new PQueue({ concurrency });
  for (const parcels of Map.groupBy(pending, ({ lane }) => lane).values()) {
    void queue.add(async () => {
      for (const parcel of parcels) {
        if (failure !== null || signal.aborted) return;
        const failed = await send(parcel);
        if (failed !== null) {
          failure ??= failed;
          return;
        }
        pending.delete(parcel);
      }
    });
  }
  await queue.onIdle();
  return failure;
}
