import { createHmac, randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventView } from "../../../src/catalog/event-views.ts";
import type { EventPage } from "../../../src/db/catalog-queries.ts";
import { createCatalogReader } from "../../../src/db/catalog-reader.ts";
import { sleep } from "../../../src/process/time.ts";
import { createWebhookStore, type EventFilters } from "../../../src/webhooks/store.ts";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { createRandom, type Random } from "../../support/steam/random.ts";
import { startDeliverer, type TestDeliverer } from "../../support/webhooks/deliverers.ts";
import { type Behaviour, type Received, type Receiver, startReceiver } from "../../support/webhooks/receiver.ts";

/**
 * Random histories, receivers that fail in every way, and deliverers that are killed: each receiver has every event that fits its filters, and
 * of each app in order. `SEED=` tries other sequences, `STEPS=` longer ones.
 */
const seed = Number(process.env.SEED ?? 19);
const steps = Number(process.env.STEPS ?? 16);

const appids = [10, 20, 30, 40, 50, 60];
const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** Some that are decided in memory, and some that only the database can decide. */
const filterChoices: EventFilters[] = [
  {},
  { events: ["build"], branch: "public" },
  { events: ["renamed", "released", "tags"] },
  { appids: [10, 30] },
  { types: ["dlc"] },
  { relations: [["developer", "Valve"]] },
  { min_reviews: 100 },
];

const maxFailures = 25;
const behaviours: readonly (readonly [number, Behaviour])[] = [
  [20, "ok"],
  [2, "server_error"],
  [1, "busy"],
  [2, "reset"],
  [1, "silent"],
  [2, "lost_error"],
  [2, "lost_reset"],
];

let database: TestDatabase;
let late: pg.Client;
const receivers: Receiver[] = [];

beforeAll(async () => {
  database = await openTestDatabase("postgres");
  late = new pg.Client({ connectionString: database.url ?? "" });
  await late.connect();
  await database.sql(`insert into apps (appid, name, type)
    select 10 * i, 'App ' || i, case when i % 3 = 0 then 'dlc' else 'game' end from generate_series(1, 6) i`);
  await database.sql("insert into developers (id, name) values (1, 'Valve')");
  await database.sql("insert into app_developers (appid, developer_id) values (10, 1), (60, 1)");
  await database.sql(
    "insert into game_metadata (appid, positive_reviews, negative_reviews) values (20, 90, 10), (40, 1, 1)",
  );
});
afterAll(async () => {
  await late.end();
  for (const receiver of receivers) await receiver.close();
  await database.close();
});

const insertChanges = `insert into app_changes (appid, change_number, field, old, new)
  select (c ->> 0)::integer, 500, c ->> 1, c -> 2, c -> 3 from jsonb_array_elements($1::jsonb) with ordinality as given(c, place) order by place`;

function randomChange(random: Random): unknown[] {
  const branch = random.pick(["public", "beta"]);
  const [field, old, now] = random.pick([
    ["name", "A", random.hex(6)],
    ["branches", [{ branch, build_id: "1" }], [{ branch, build_id: random.hex(4) }]],
    ["release_state", "prerelease", "released"],
    ["homepage_url", "a", "b"],
    ["dlc", [1, 2], [2, 3]],
  ] as const);
  return [random.pick(appids), field, old, now];
}

/** Writes changes; sometimes in a transaction that commits only after later ones have. Returns what commits it. */
async function writeChanges(random: Random, count: number): Promise<() => Promise<unknown>> {
  const changes = () => JSON.stringify(Array.from({ length: count }, () => randomChange(random)));
  const isLate = random.chance(0.3);
  if (isLate) {
    await late.query("begin");
    await late.query(insertChanges, [changes()]);
  }
  await database.sql(insertChanges, [changes()]);
  return isLate ? () => late.query("commit") : async () => {};
}

const eventOf = ({ body }: Received) => (JSON.parse(body) as { data: EventView }).data;

/** As a receiver verifies it, without a library: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function isSigned({ headers, body }: Received): boolean {
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  return headers["webhook-signature"] === `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
}

async function allEvents(filters: EventFilters): Promise<EventView[]> {
  const reader = createCatalogReader(database.db);
  const found: EventView[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page = (await reader.events({ ...filters, max: 500, after })) as EventPage;
    found.push(...page.items);
    after = page.next;
  }
  return found;
}

/** Until some more messages have arrived, or nothing happens, as after a kill. */
async function someDeliveries(more: number): Promise<void> {
  const total = () => receivers.reduce((sum, { received }) => sum + received.length, 0);
  const wanted = total() + more;
  for (const deadline = Date.now() + 150; total() < wanted && Date.now() < deadline; ) await sleep(5);
}

/** Each message once, as it arrived first. */
function firstArrivals({ received }: Receiver): EventView[] {
  const events = received.map(eventOf);
  return [...new Map(events.toReversed().map((event) => [event.id, event])).values()].toReversed();
}

test(`every receiver has every event at least once and those of an app in order, however deliverers and receivers fail (SEED=${seed})`, async () => {
  const random = createRandom(seed);
  const store = createWebhookStore(database.db, { call: (work) => work() });
  const hooks = [];
  for (const filters of filterChoices) {
    const receiver = await startReceiver();
    // Failures end at last, so that the run does.
    let failures = 0;
    receiver.behave = () => {
      const behaviour = failures < maxFailures ? random.weighted(behaviours) : "ok";
      if (behaviour !== "ok") failures += 1;
      return behaviour;
    };
    receivers.push(receiver);
    const id = randomUUID();
    await store.add({ id, url: receiver.url, secret, format: "standard", filters, after: 0 });
    hooks.push({ id, filters, receiver });
  }

  const limits = { leaseMs: 150, timeoutMs: 60 };
  let running: TestDeliverer[] = [startDeliverer(database.db, limits)];
  let kills = 0;
  for (let step = 0; step < steps; step++) {
    // Once more than a page.
    const commit = await writeChanges(random, step === 3 ? 120 : random.int(1, 5));
    await someDeliveries(random.int(0, 40));
    if (random.chance(0.2)) {
      for (const each of running) each.kill();
      kills += running.length;
      running = [startDeliverer(database.db, limits)];
    } else if (random.chance(0.15)) {
      // One that is stopped in order releases its lease, and another one waits for it.
      running.push(startDeliverer(database.db, limits));
      await running.shift()?.deliverer.stop();
    }
    await someDeliveries(random.int(0, 10));
    await commit();
  }

  const [last] = await database.sql<{ id: number }>("select max(id) as id from app_events");
  const isDone = async () =>
    (await store.list()).every(({ cursor, lag_seconds }) => cursor >= (last?.id ?? 0) && lag_seconds === 0);
  await expect.poll(isDone, { timeout: 20_000, interval: 50 }).toBe(true);
  for (const each of running) await each.deliverer.stop();

  expect(kills).toBeGreaterThan(0);
  for (const { id, filters, receiver } of hooks) {
    const expected = await allEvents(filters);
    const arrived = firstArrivals(receiver);
    expect(arrived.map((event) => event.id).toSorted((a, b) => a - b)).toEqual(expected.map((event) => event.id));
    for (const appid of appids) {
      const ids = arrived.filter((event) => event.appid === appid).map((event) => event.id);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    }
    expect(receiver.received.every(isSigned)).toBe(true);
    for (const message of receiver.received)
      expect(message.headers["webhook-id"]).toBe(`evt_${eventOf(message).id}_${id}`);
    expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(expected.length);
  }
  // What failures repeat, or the test would show nothing.
  const [first] = hooks;
  expect(first?.receiver.received.length).toBeGreaterThan((await allEvents({})).length);
});
