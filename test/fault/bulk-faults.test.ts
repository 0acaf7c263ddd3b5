import http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isFull } from "../support/full.ts";
import type { Fault } from "../support/steam/faults.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { type BulkOverrides, differences, startBulk } from "../support/sync.ts";

/** A bulk sync of 400 apps completes under each fault, and every app is stored as Steam has it. */
const count = 400;
/** The sweep ends here, in place of 100,000 ids later: five requests. */
const appIdMax = 25_000;

/** Without `FULL=1` half of the scenarios each day: each takes seconds. */
const today = Math.floor(Date.now() / 86_400_000);

/** Anonymous sessions were seen ended with these; steam-user alone comes back only after a few of them. */
const logoffs = [2, 3, 5, 6, 20, 34, 48, 84];

const scenarios: [string, Fault[], BulkOverrides?][] = [
  [
    "replies that never come",
    [
      { kind: "hang", on: "product_info", times: 3 },
      { kind: "hang", on: "metadata", times: 2 },
    ],
    { timeoutMs: 700 },
  ],
  ["replies that never end", [{ kind: "partial_reply", times: 3 }], { timeoutMs: 700 }],
  [
    "dropped connections",
    [
      { kind: "drop", on: "product_info", times: 2, after: 2 },
      { kind: "drop", on: "metadata", after: 3 },
      { kind: "drop", on: "access_tokens" },
    ],
  ],
  [
    "logoffs with any EResult",
    logoffs.map((eresult, index) => ({ kind: "logoff", eresult, on: "product_info", after: index })),
  ],
  [
    "refused logons",
    [
      { kind: "logon_refused", eresult: 84, times: 2 },
      { kind: "logon_refused", eresult: 20 },
      { kind: "drop", on: "product_info", after: 3 },
    ],
  ],
  [
    "unreadable replies",
    [
      { kind: "garbage", how: "multi", after: 1 },
      { kind: "garbage", how: "body", after: 3 },
      { kind: "garbage", how: "frame", after: 5 },
    ],
    { timeoutMs: 700 },
  ],
  ["slow replies", [{ kind: "slow", ms: 150, times: 30 }]],
  [
    "a server list that fails",
    [
      { kind: "cm_list", how: "http_500" },
      { kind: "cm_list", how: "empty" },
      { kind: "cm_list", how: "garbage" },
    ],
  ],
  ["apps without a buffer", [{ kind: "no_buffer", times: 5 }]],
  ["truncated texts", [{ kind: "truncated", times: 5 }]],
  ["apps that a reply leaves out", [{ kind: "omit", on: "product_info", times: 5 }]],
  ["answers older than what was announced", [{ kind: "wrong_older_change_number", on: "product_info", times: 5 }]],
  [
    "payloads over HTTP that fail",
    [
      { kind: "http_payload", status: 404, times: 2 },
      { kind: "http_payload", status: 500, times: 3 },
    ],
  ],
];
const tried = isFull ? scenarios : scenarios.filter((_, index) => index % 2 === today % 2);

describe("bulk sync under faults", () => {
  let steam: SimulatedSteam;
  let database: TestDatabase;
  let undo: (() => void)[];
  const escaped: unknown[] = [];
  const onEscape = (error: unknown) => escaped.push(error);

  beforeAll(async () => {
    steam = await startSimulatedSteam({
      catalog: generateCatalog({ seed: 11, count, maxAppid: 20_000 }),
      httpMinSize: 15_000,
      keepRequests: false,
    });
    undo = [steam.trustHere(), http.setGlobalProxyFromEnv(steam.env)];
    process.on("unhandledRejection", onEscape).on("uncaughtException", onEscape);
    database = await openTestDatabase("postgres");
  });
  afterAll(async () => {
    process.off("unhandledRejection", onEscape).off("uncaughtException", onEscape);
    for (const each of undo) each();
    await steam.close();
    await database.close();
  });

  /** An empty catalog in the same database, which is much faster than a new one. */
  const empty = () =>
    database.sql(`truncate apps, steam_tags, franchises, developers, publishers, sync_status, pics_access_tokens cascade;
                  update pics_sync_state set bulk_completed_at = null, last_change_number = null`);

  it.each(tried)("%s", async (_, faults, overrides = {}) => {
    await empty();
    const remove = faults.map((fault) => steam.faults.add(fault));
    const struckBefore = [...steam.faults.struck.values()].reduce((sum, times) => sum + times, 0);
    const summary = await startBulk(database.db, steam, { batchSize: 40, appIdMax, ...overrides }).done;
    for (const each of remove) each();

    const struck = [...steam.faults.struck.values()].reduce((sum, times) => sum + times, 0) - struckBefore;
    expect(struck).toBeGreaterThanOrEqual(faults.length);
    expect(summary).toMatchObject({ apps_total: count, failed_count: 0 });
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
    expect(escaped).toEqual([]);
  });

  it("records the apps that cannot be stored, and stores all others", async () => {
    await empty();
    // Small ones: large texts come over HTTP, where these faults do not reach.
    const [refused, cut, silent] = [...steam.catalog.apps.values()]
      .filter((app) => app.access === "public" && steam.catalog.body(app, "whole").wire.length < 10_000)
      .map((app) => app.appid);
    if (refused === undefined || cut === undefined || silent === undefined) throw new Error("no apps");
    await database.sql(`alter table apps add constraint poison check (appid <> ${refused})`);
    const remove = [
      steam.faults.add({ kind: "truncated", appids: [cut] }),
      steam.faults.add({ kind: "no_buffer", appids: [silent] }),
    ];
    const summary = await startBulk(database.db, steam, { maxAttempts: 3, appIdMax }).done;
    for (const each of remove) each();

    expect(summary).toMatchObject({ stored: count - 3, failed_count: 3 });
    const failing = await database.sql<{ appid: number; attempts: number; last_error: string }>(
      "select appid, attempts, last_error from sync_status where pics_pending_change is not null order by appid",
    );
    const errors = new Map(failing.map((row) => [row.appid, row]));
    expect([...errors.keys()]).toEqual([refused, cut, silent]);
    for (const { attempts } of failing) expect(attempts).toBe(3);
    expect(errors.get(refused)?.last_error).toContain("23514");
    expect(errors.get(cut)?.last_error).toMatch(/line \d+/);
    expect(errors.get(silent)?.last_error).toBeTruthy();

    const stored = [...steam.catalog.apps.keys()].filter((appid) => !errors.has(appid));
    expect(await differences(database.sql, steam.catalog, stored)).toEqual([]);
    await database.sql("alter table apps drop constraint poison");

    // The next pass tries them afresh.
    expect(await startBulk(database.db, steam, { appIdMax }).done).toMatchObject({ stored: 3, failed_count: 0 });
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });
});
