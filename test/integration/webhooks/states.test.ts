import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createPoster } from "../../../src/webhooks/post.ts";
import {
  createWebhookStore,
  type NewWebhook,
  type WebhookRow,
  type WebhookStore,
} from "../../../src/webhooks/store.ts";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { startDeliverer, type TestDeliverer, type TestDelivererOptions } from "../../support/webhooks/deliverers.ts";
import { type Receiver, startReceiver } from "../../support/webhooks/receiver.ts";
import { emptyTables } from "../sql/catalog.ts";

/** What becomes of a webhook whose receiver fails, and what a webhook keeps from being deleted. */

let database: TestDatabase;
let store: WebhookStore;
let receiver: Receiver;
let worker: TestDeliverer | undefined;

beforeAll(async () => {
  database = await openTestDatabase("postgres");
  store = createWebhookStore(database.db, { call: (work) => work() });
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.sql(emptyTables);
  await database.sql("insert into apps (appid, name, type) values (10, 'Portal', 'game')");
  receiver = await startReceiver();
});
afterEach(async () => {
  await worker?.deliverer.stop();
  worker = undefined;
  await receiver.close();
});

const rename = (...names: string[]) =>
  database.sql(
    `insert into app_changes (appid, change_number, field, old, new) select 10, 5, 'name', '"old"', to_jsonb(name) from unnest($1::text[]) name`,
    [names],
  );
const names = () => receiver.received.map(({ body }) => (JSON.parse(body) as { data: { new: string } }).data.new);

async function add(given: Partial<NewWebhook> = {}): Promise<string> {
  const id = randomUUID();
  await store.add({
    id,
    url: receiver.url,
    secret: "whsec_AAAA",
    format: "standard",
    filters: {},
    after: null,
    ...given,
  });
  return id;
}
const start = (options: TestDelivererOptions = {}) => {
  worker = startDeliverer(database.db, options);
};
async function row(id: string): Promise<WebhookRow> {
  const found = (await store.list()).find((each) => each.id === id);
  if (!found) throw new Error("removed");
  return found;
}
const until = (id: string, wanted: Partial<WebhookRow>) =>
  expect.poll(() => row(id), { interval: 20 }).toMatchObject(wanted);

describe("a webhook", () => {
  test("begins with the next event, or after the one that is named", async () => {
    await rename("before");
    const [later, all] = [await add(), await add({ after: 0 })];
    await rename("after");
    start();
    await until(later, { delivered: 1 });
    await until(all, { delivered: 2, state: "live", attempts: 0, lag_seconds: 0 });
    expect(names().toSorted()).toEqual(["after", "after", "before"]);
    expect(worker?.outcomes).toEqual(["delivered", "delivered", "delivered"]);
  });

  test("gets an event as soon as it is committed, where the database notifies", async () => {
    const id = await add();
    start({ listens: true, settings: { pollMs: 500 } });
    await rename("one");
    await until(id, { delivered: 1 });
    await rename("two");
    // It listens by now, and would otherwise look again only after 5 s.
    await expect.poll(() => receiver.received.length, { interval: 20, timeout: 2_500 }).toBe(2);
  });

  test("that is added, removed or revived while others are delivered to is noticed", async () => {
    const first = await add();
    start();
    const second = await add();
    await rename("one");
    await until(first, { delivered: 1 });
    await until(second, { delivered: 1 });
    await store.remove(first);
    await expect
      .poll(async () => {
        await rename("more");
        return (await row(second)).delivered > 2;
      })
      .toBe(true);
    const secondHas = (await row(second)).delivered;
    expect(receiver.received.length).toBeLessThan(2 * secondHas);
  });

  test("that fails has its error, its attempts and its lag, and none of its events is skipped", async () => {
    receiver.behave = () => "server_error";
    const id = await add();
    await rename("one", "two");
    start({ settings: { delivery: { backoff: { firstMs: 20, maxMs: 20 } } } });
    await expect.poll(async () => (await row(id)).attempts).toBeGreaterThan(2);
    expect(await row(id)).toMatchObject({
      state: "failing",
      last_error: "answered 500 Internal Server Error",
      delivered: 0,
    });
    const [{ counts } = { counts: null }] = await database.sql<{ counts: unknown }>(
      "select pics_webhook_counts() as counts",
    );
    expect(counts).toEqual({ total: 1, failing: 1, dead: 0, disabled: 0, lag_seconds: expect.any(Number) });
    receiver.behave = () => "ok";
    await until(id, { state: "live", delivered: 2, last_error: null, lag_seconds: 0 });
    expect(names()).toEqual(["one", "two"]);
  });

  test("is dead after days of failures, and `retry` revives it where it stopped", async () => {
    receiver.behave = () => "reset";
    const id = await add();
    await rename("one");
    start({ settings: { delivery: { backoff: { firstMs: 5, maxMs: 5 }, deadAfter: { ms: 60, attempts: 5 } } } });
    await until(id, { state: "dead" });
    const requests = worker?.outcomes.length;
    await rename("two");
    receiver.behave = () => "ok";
    await worker?.deliverer.stop();
    expect(worker?.outcomes.length).toBe(requests);
    await store.revive(id);
    start();
    await until(id, { state: "live", delivered: 2 });
    expect(names()).toEqual(["one", "two"]);
  });

  test("waits as long as its receiver asks for", async () => {
    let asked = 0;
    receiver.behave = () => (asked++ === 0 ? "busy" : "ok");
    const id = await add();
    await rename("one");
    // The backoff alone would outlast the test.
    start({ settings: { delivery: { backoff: { firstMs: 60_000, maxMs: 60_000 } } } });
    await until(id, { state: "live", delivered: 1 });
    expect(worker?.outcomes).toEqual(["limited", "delivered"]);
  });

  test("of Discord gets up to 10 events a message, in order, and its rate limit is kept to", async () => {
    let asked = 0;
    receiver.behave = () => (asked++ === 1 ? "busy" : "ok");
    const id = await add({ format: "discord" });
    await rename(...Array.from({ length: 12 }, (_, index) => `N${index}`));
    start();
    await until(id, { state: "live", delivered: 12 });
    const messages = receiver.received.map(({ body }) => JSON.parse(body) as { embeds: { title: string }[] });
    expect(messages.map(({ embeds }) => embeds.length)).toEqual([10, 2]);
    expect(messages[0]?.embeds[0]).toMatchObject({ title: "Portal", description: "has another name; it was old" });
    expect(worker?.outcomes).toEqual(["delivered", "limited", "delivered"]);
  });

  test("is disabled when its receiver answers 410 Gone", async () => {
    const server = createServer((_, response) => response.writeHead(410).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const id = await add({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
    await rename("one");
    start();
    await until(id, { state: "disabled", attempts: 1 });
    expect(worker?.outcomes).toEqual(["gone"]);
  });
});

describe("HISTORY_DAYS", () => {
  const trim = () => database.db.rpc("pics_trim_changes", { request: { days: 7, max: 100 } });
  const left = async () =>
    (await database.sql<{ name: string }>("select new #>> '{}' as name from app_events order by id")).map(
      ({ name }) => name,
    );

  test("deletes nothing that a live webhook has not passed, and all of it once that is dead", async () => {
    await rename("passed");
    const id = await add();
    await rename("waiting", "too");
    await database.sql("update app_changes set detected_at = now() - interval '30 days'");
    await trim();
    expect(await left()).toEqual(["waiting", "too"]);
    await database.sql("update webhooks set cursor = (select min(id) | 65535 from app_events)");
    await trim();
    expect(await left()).toEqual(["too"]);
    await database.sql("update webhooks set dead_at = now()");
    await trim();
    expect(await left()).toEqual([]);
    // Revived, it goes on with what there is.
    await rename("new");
    await store.revive(id);
    start();
    await until(id, { delivered: 1, lag_seconds: 0 });
    expect(
      await store.add({ id: randomUUID(), url: receiver.url, secret: "", format: "standard", filters: {}, after: 1 }),
    ).toEqual({
      deleted_up_to: expect.any(Number),
    });
  });
});

describe("a request to a webhook", () => {
  test("follows no redirect, ends in time, reads little of the answer, and outlives a connection that was closed", async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(request.url ?? "");
      request.resume();
      if (request.url === "/moved") response.writeHead(302, { location: "http://169.254.169.254/latest" }).end();
      else if (request.url === "/endless") {
        response.writeHead(200);
        const more = setInterval(() => response.write("x".repeat(1_000)), 1);
        response.on("close", () => clearInterval(more));
      } else if (request.url === "/close") {
        response.end("ok");
        setImmediate(() => request.socket.destroy());
      } else if (request.url === "/stalled") response.writeHead(202).write("begun");
      else if (request.url !== "/silent") response.writeHead(500, { "retry-after": "7" }).end("why");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const poster = createPoster({ allowPrivate: true, timeoutMs: 1_500 });
    onTestFinished(() => {
      poster.close();
      server.closeAllConnections();
      server.close();
    });
    const post = (path: string) => poster.post({ url: base + path, headers: {}, body: "{}" });
    expect(await post("/moved")).toMatchObject({ status: 302, location: "http://169.254.169.254/latest" });
    expect(await post("/error")).toMatchObject({ status: 500, retryAfterMs: 7_000, body: "why" });
    const endless = await post("/endless");
    expect(endless).toMatchObject({ status: 200 });
    expect(endless.kind === "answered" && endless.body.length).toBe(4_096);
    for (let i = 0; i < 5; i++) expect(await post("/close")).toMatchObject({ status: 200 });
    expect(await post("/silent")).toEqual({ kind: "timeout", reason: "no answer within 1.5 s" });
    // The status decides, also where the body never ends.
    expect(await post("/stalled")).toMatchObject({ status: 202, body: "begun" });
    expect(seen).not.toContain("/latest");
  });
});
