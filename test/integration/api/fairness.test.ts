import type { IncomingMessage } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Database } from "../../../src/db/database.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { record, useCatalog } from "../sql/catalog.ts";
import { serve } from "./harness.ts";

/** How clients share the database: turns, limits and the time budget. Each client is an address behind a trusted proxy. */

const trustedProxies = 1;

/** A database that answers at once for apps below 1,000, and for others when the test says so. */
function controlledDatabase() {
  const held: (() => void)[] = [];
  const started: number[] = [];
  const db: Database = {
    driver: "postgres",
    async rpc(_name, args) {
      const { appid } = (args as { request: { appid: number } }).request;
      started.push(appid);
      if (appid >= 1_000) await new Promise<void>((resolve) => held.push(resolve));
      return null;
    },
    close: async () => {},
  };
  return { db, started, answer: () => held.splice(0).forEach((resolve) => void resolve()) };
}

describe("clients of the API", () => {
  test("answers a client at once while the slow questions of another wait; those of a client that left are dropped", async () => {
    const { db, started, answer } = controlledDatabase();
    onTestFinished(answer);
    const limits = { maxWaitingPerClient: 3, concurrency: 4 };
    const { get, server, base } = await serve({ db }, { trustedProxies }, onTestFinished, {}, limits);
    let [arrived, left] = [0, 0];
    server.server.on("request", (request: IncomingMessage) => {
      arrived += 1;
      if (/100[45]\//.test(request.url ?? "")) request.on("close", () => ++left);
    });
    const leaving = new AbortController();
    const slow = [1_001, 1_002, 1_003, 1_004, 1_005].map(async (appid, index) => {
      // In order of arrival.
      await expect.poll(() => arrived, { interval: 5 }).toBe(index);
      const headers = { "x-forwarded-for": "203.0.113.1" };
      return await fetch(`${base}/v1/apps/${appid}/branches`, {
        headers,
        signal: appid > 1_003 ? leaving.signal : null,
      }).then(
        ({ status }) => status,
        () => "left",
      );
    });
    await expect.poll(() => arrived, { interval: 5 }).toBe(5);
    // Two run and three wait: one more of this client is refused, while other clients are served.
    const refused = await get("/v1/apps/1006/branches", { "x-forwarded-for": "203.0.113.1" });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
    expect(await refused.json()).toMatchObject({
      detail: "Too many requests of this address wait for the database; try again later.",
    });
    expect((await get("/v1/apps/7/branches", { "x-forwarded-for": "203.0.113.2" })).status).toBe(404);
    expect((await get("/v1/apps/8/branches", { "x-forwarded-for": "2001:db8::2" })).status).toBe(404);

    leaving.abort();
    await expect.poll(() => left, { interval: 5 }).toBe(2);
    answer();
    await expect.poll(() => started.length, { interval: 5 }).toBe(5);
    answer();
    expect(await Promise.all(slow)).toEqual([404, 404, 404, "left", "left"]);
    expect(started.toSorted((a, b) => a - b)).toEqual([7, 8, 1_001, 1_002, 1_003]);
  });
});

forEachDatabase(
  "the time budget of a request",
  (open) => {
    const catalog = useCatalog(open);

    test("answers 503 when it is over, with the wait counted, and leaves no statement running", async () => {
      await catalog.store(record(10, 500));
      const limits = { budgetMs: 1_500, concurrency: 4 };
      const { get } = await serve(catalog.database, { trustedProxies }, onTestFinished, {}, limits);
      const addresses = [1, 1, 1, 1, 2, 2, 2, 2].map((last) => ({ "x-forwarded-for": `203.0.113.${last}` }));
      const readAll = (path: string) => Promise.all(addresses.map((address) => get(path, address)));
      // Opens the connections, which takes part of the budget. Another URL than later, which would be answered from memory.
      await readAll("/v1/apps/10?");
      const release = await lockApps(catalog.sql);
      onTestFinished(release);
      const startedAt = performance.now();
      const answers = await readAll("/v1/apps/10");
      for (const answer of answers) {
        expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
      }
      const details = await Promise.all(
        answers.map(async (answer) => ((await answer.json()) as { detail: string }).detail),
      );
      // Of a statement that ran, a loaded machine may learn too late that the server cancelled it: "unavailable".
      const busy = details.filter((detail) => detail === "The database is busy; try again later.");
      expect(busy.length).toBeGreaterThanOrEqual(4);
      // Four run and four wait; one limit after the other would take twice the budget.
      expect(performance.now() - startedAt).toBeLessThan(2 * limits.budgetMs);
      const running =
        "select count(*)::int from pg_stat_activity where datname = current_database() and query like '%catalog_app%' and state = 'active' and pid <> pg_backend_pid()";
      await expect.poll(() => catalog.sql(running)).toEqual([{ count: 0 }]);
      await release();
      expect((await get("/v1/apps/10")).status).toBe(200);
    });
  },
  ["postgres"],
);

/** Locks the table of apps, in a transaction of the test's own connection; returns what unlocks it. */
async function lockApps(sql: (query: string) => Promise<unknown>): Promise<() => Promise<void>> {
  await sql("begin");
  await sql("lock table apps in access exclusive mode");
  return async () => void (await sql("rollback"));
}
