import { randomBytes } from "node:crypto";
import { Webhook as Signer } from "standardwebhooks";
import type { EventView } from "../catalog/event-views.ts";

/**
 * Messages by the Standard Webhooks specification (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
 * one event each, signed.
 */

export interface Message {
  headers: Record<string, string>;
  body: string;
}

const secretBytes = 32;

/** A new key for signatures. */
export function newSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString("base64")}`;
}

/** The same for every delivery of an event to a webhook, so that a receiver can tell a repeat. */
const messageId = (webhookId: string, eventId: number) => `evt_${eventId}_${webhookId}`;

/** `now`: when it is sent. Receivers reject messages of which that is more than five minutes ago. */
export function eventMessage({ id, secret }: { id: string; secret: string }, event: EventView, now: Date): Message {
  return signed(messageId(id, event.id), secret, bodyOf(event), now);
}

/** A message of type `test`, for `webhook test`. */
export function testMessage({ id, secret }: { id: string; secret: string }, now: Date): Message {
  const timestamp = now.toISOString();
  const data = { webhook: id, message: "A test by `webhook test`: no event." };
  return signed(`test_${now.getTime()}_${id}`, secret, JSON.stringify({ type: "test", timestamp, data }), now);
}

function signed(messageId: string, secret: string, body: string, now: Date): Message {
  return {
    headers: {
      "content-type": "application/json",
      "webhook-id": messageId,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
      "webhook-signature": new Signer(secret).sign(messageId, now, body),
    },
    body,
  };
}

/** Webhooks share the events that are read for all of them, and so their text. */
const bodies = new WeakMap<EventView, string>();

function bodyOf(event: EventView): string {
  const existing = bodies.get(event);
  if (existing !== undefined) return existing;
  const body = JSON.stringify({ type: `app.${event.event}`, timestamp: event.detected_at, data: event });
  bodies.set(event, body);
  return body;
}
