import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createCatalogReader } from "../src/db/catalog-reader.ts";
import type { Database, SqlDatabase } from "../src/db/database.ts";
import { createLeaderLease } from "../src/db/leader-lease.ts";
import { openPglite } from "../src/db/pglite.ts";
import { createDeliverer } from "../src/webhooks/deliverer.ts";
import { createPoster } from "../src/webhooks/post.ts";
import { createWebhookStore } from "../src/webhooks/store.ts";
import { copyPgliteTemplate, silent } from "../test/support/templates.ts";
import { median, table } from "./support/figures.ts";

/**
 * Events to many webhooks on the embedded database, all at once, beside a loop of plain `fetch` posts of the same size to the same receiver:
 * one loop for each webhook. Both in turns, so that other load on the machine affects both; the ratio counts.
 *
 *     node bench/webhooks.ts [WEBHOOKS] [EVENTS]
 */
export interface WebhooksBench {
  webhooks: number;
  events: number;
  rounds: { delivered: number; plain: number }[];
  /** Calls of the database in the last round. */
  calls: Record<string, number>;
}

const rounds = 3;
const apps = 40;

export async function benchWebhooks({ webhooks = 100, events = 200 } = {}): Promise<WebhooksBench> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "bench-webhooks-"));
  stack.defer(() => rm(folder, { recursive: true }));
  await copyPgliteTemplate(join(folder, "data"), true);
  const db = await openPglite({ dataDir: join(folder, "data"), logger: silent });
  stack.defer(() => db.close());
  const receiver = new Worker(new URL("./support/bare-receiver.ts", import.meta.url));
  stack.defer(async () => void (await receiver.terminate()));
  const [port] = await once(receiver, "message");
  const url = `http://127.0.0.1:${port}/`;

  await db.query(
    `insert into apps (appid, name, type) select i, 'App ' || i, 'game' from generate_series(1, ${apps}) i`,
  );
  const store = createWebhookStore(db, { call: (work) => work() });
  for (let i = 0; i < webhooks; i++) {
    const secret = `whsec_${Buffer.alloc(32, i).toString("base64")}`;
    await store.add({ id: randomUUID(), url, secret, format: "standard", filters: {}, after: null });
  }

  const result: WebhooksBench = { webhooks, events, rounds: [], calls: {} };
  for (let round = 0; round < rounds; round++) {
    result.calls = {};
    const seconds = await deliverySeconds(countCalls(db, result.calls), db, { webhooks, events });
    const body = await bodyLike(db);
    const plain = await plainSeconds(url, body, { webhooks, events });
    result.rounds.push({ delivered: (webhooks * events) / seconds, plain: (webhooks * events) / plain });
  }
  return result;
}

/** From the commit of the events to the last delivery. */
async function deliverySeconds(
  db: Database,
  sql: SqlDatabase,
  { webhooks, events }: { webhooks: number; events: number },
): Promise<number> {
  const retry = { call: <T>(work: () => Promise<T>) => work() };
  const poster = createPoster({ allowPrivate: true });
  let left = webhooks * events;
  let finish: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const deliverer = createDeliverer({
    store: createWebhookStore(db, retry),
    reader: createCatalogReader(db),
    retry,
    poster,
    lease: createLeaderLease(db, retry, { role: "webhooks", workerId: randomUUID(), leaseMs: 90_000 }),
    logger: silent,
    onOutcome(outcome) {
      if (outcome !== "delivered") throw new Error(`${outcome}`);
      left -= 1;
      if (left === 0) finish();
    },
  });
  void deliverer.run();
  deliverer.wanted(true);
  // All deliveries wait for events by then.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const startedAt = performance.now();
  await sql.query(
    `insert into app_changes (appid, change_number, field, old, new)
     select 1 + i % ${apps}, i, 'name', '"old"', to_jsonb('new ' || i) from generate_series(1, $1::integer) i`,
    [events],
  );
  await done;
  const seconds = (performance.now() - startedAt) / 1_000;
  await deliverer.stop();
  poster.close();
  return seconds;
}

function countCalls(db: SqlDatabase, calls: Record<string, number>): Database {
  return {
    ...db,
    rpc(name, ...rest) {
      calls[name] = (calls[name] ?? 0) + 1;
      return db.rpc(name, ...rest);
    },
  };
}

async function bodyLike(db: Database): Promise<string> {
  const page = await createCatalogReader(db).events({ max: 1 });
  return JSON.stringify({ type: "app.renamed", timestamp: "", data: "items" in page ? page.items[0] : null });
}

async function plainSeconds(
  url: string,
  body: string,
  { webhooks, events }: { webhooks: number; events: number },
): Promise<number> {
  const startedAt = performance.now();
  const loop = async () => {
    for (let i = 0; i < events; i++) {
      const response = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: webhooks }, loop));
  return (performance.now() - startedAt) / 1_000;
}

export function formatWebhooks({ webhooks, events, rounds, calls }: WebhooksBench): string {
  const ratio = median(rounds.map(({ delivered, plain }) => delivered / plain));
  const rows = rounds.map(({ delivered, plain }, index) => [String(index + 1), delivered, plain, delivered / plain]);
  const counted = Object.entries(calls).map(([name, count]) => `${name} ${count}`);
  return [
    `${events} events to ${webhooks} webhooks, signed, on the embedded database: ${ratio.toFixed(2)} of the rate of plain fetch posts.`,
    "",
    table(["round", "deliveries/s", "fetch posts/s", "ratio"], rows),
    "",
    `Calls of the database for ${(webhooks * events).toLocaleString("en-US")} deliveries: ${counted.join(", ")}.`,
  ].join("\n");
}

if (import.meta.main) {
  const [webhooks = 100, events = 200] = process.argv.slice(2).map(Number);
  console.log(formatWebhooks(await benchWebhooks({ webhooks, events })));
}
