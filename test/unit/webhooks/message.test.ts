import { createHmac } from "node:crypto";
import { Webhook as Verifier } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import type { EventView } from "../../../src/catalog/event-views.ts";
import { createRedactor } from "../../../src/process/redactor.ts";
import { discordMessage } from "../../../src/webhooks/discord.ts";
import { eventMessage, newSecret, testMessage } from "../../../src/webhooks/message.ts";
import { parcelsOf } from "../../../src/webhooks/parcels.ts";

const event: EventView = {
  id: 65_536,
  event: "build",
  appid: 730,
  name: "Counter-Strike 2",
  type: "game",
  image: "https://shared.fastly.steamstatic.com/header.jpg",
  subject: "public",
  old: "1",
  new: "2",
  change_number: 9,
  change_ids: [1],
  detected_at: "2026-07-01T12:00:00+00:00",
};
const webhook = { id: "3f2a1b00-0000-4000-8000-000000000000", secret: newSecret(), format: "standard" as const };

describe("a message by Standard Webhooks", () => {
  it("is signed as the specification says, over id, time and body", () => {
    const now = new Date();
    const { headers, body } = eventMessage(webhook, event, now);
    expect(headers).toMatchObject({
      "webhook-id": `evt_65536_${webhook.id}`,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    });
    const key = Buffer.from(webhook.secret.slice("whsec_".length), "base64");
    expect(key).toHaveLength(32);
    const text = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    expect(headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", key).update(text).digest("base64")}`);
    expect(new Verifier(webhook.secret).verify(body, headers)).toEqual({
      type: "app.build",
      timestamp: event.detected_at,
      data: event,
    });
    expect(() => new Verifier(newSecret()).verify(body, headers)).toThrow("No matching signature");
  });

  it("has the same id and text when it is sent again, and another time", () => {
    const first = eventMessage(webhook, event, new Date(0));
    const again = eventMessage(webhook, event, new Date(60_000));
    expect(again.body).toBe(first.body);
    expect(again.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
    expect(again.headers["webhook-signature"]).not.toBe(first.headers["webhook-signature"]);
  });

  it("of a test says so", () => {
    const { headers, body } = testMessage(webhook, new Date());
    expect(new Verifier(webhook.secret).verify(body, headers)).toMatchObject({ type: "test" });
  });
});

describe("a message for Discord", () => {
  const events = Array.from({ length: 23 }, (_, index) => ({ ...event, id: index, appid: index }));

  it("has up to 10 events, in order", () => {
    const parcels = parcelsOf({ ...webhook, format: "discord" }, events);
    expect(parcels.map((parcel) => parcel.events.length)).toEqual([10, 10, 3]);
    expect(parcels.flatMap((parcel) => parcel.events)).toEqual(events);
    expect(new Set(parcels.map(({ lane }) => lane)).size).toBe(1);
  });

  it("stays within Discord's limits, and shows names as they are", () => {
    const name = `@everyone [x](https://evil.example) ${"*".repeat(500)}`;
    const long = events.slice(0, 10).map((each) => ({ ...each, name, old: "_".repeat(900), new: "ä".repeat(900) }));
    const { embeds, allowed_mentions } = JSON.parse(discordMessage(long).body);
    expect(allowed_mentions).toEqual({ parse: [] });
    const lengths = embeds.map((embed: Record<string, string>) => [embed.title?.length, embed.description?.length]);
    for (const [title, description] of lengths) {
      expect(title).toBeLessThanOrEqual(256);
      expect(description).toBeLessThanOrEqual(4_096);
    }
    expect(lengths.flat().reduce((sum: number, length: number) => sum + length, 0)).toBeLessThanOrEqual(6_000);
    expect(embeds[0].title).toContain("\\[x\\]\\(https://evil.example\\)");
    expect(embeds[0]).toMatchObject({ url: "https://store.steampowered.com/app/0/", thumbnail: { url: event.image } });
  });
});

describe("secrets of webhooks", () => {
  it("are redacted wherever they would be logged", () => {
    const redact = createRedactor();
    const token = "https://discord.com/api/webhooks/123/Ab-cD_token";
    expect(redact(`key ${webhook.secret}, ${token} failed`)).toBe(
      "key [hidden], https://discord.com/api/webhooks/123/[hidden] failed",
    );
  });
});
