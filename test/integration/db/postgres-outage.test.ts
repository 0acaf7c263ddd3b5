import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { SqlDatabase } from "../../../src/db/database.ts";
import { openPostgres } from "../../../src/db/postgres.ts";
import { ConfigError } from "../../../src/process/errors.ts";
import type { Cluster } from "../../support/cluster.ts";
import { startCluster, superuser, urlOf } from "../../support/cluster.ts";
import { freePort } from "../../support/free-port.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { silent } from "../../support/templates.ts";

const functions = `
  create or replace function public.ping() returns jsonb language sql as 'select to_jsonb(1)';
  create or replace function public.wait_for(seconds float) returns jsonb language plpgsql as $$
    begin perform pg_sleep(seconds); return '1'; end $$;
`;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

async function open(url: string): Promise<SqlDatabase> {
  const db = await openPostgres({ url, maxConnections: 3, logger: silent });
  onTestFinished(() => db.close());
  return db;
}
const urlWith = (port: number, password: string) => urlOf({ port, password }, superuser, "postgres");

/** The database behind a proxy that can make its connections half-open. */
async function openBehindProxy() {
  const proxy = await startTcpProxy(cluster.address.port);
  onTestFinished(() => proxy.close());
  const db = await open(urlWith(proxy.port, cluster.address.password));
  await db.transaction(functions);
  return { proxy, db };
}

describe("openPostgres", () => {
  test("fails running calls as unreachable when the server crashes, and reconnects once it is back", async () => {
    const { db } = await openBehindProxy();
    const running = [1, 2, 3].map(() => db.rpc("wait_for", { seconds: 20 }));
    await expect.poll(() => sleepingCalls()).toBe(3);
    const results = Promise.allSettled(running);
    await cluster.crash();
    for (const result of await results)
      expect(result).toMatchObject({ status: "rejected", reason: { fault: "unreachable" } });
    await expect(db.rpc("ping")).rejects.toMatchObject({ fault: "unreachable" });
    await cluster.start();
    expect(await db.rpc("ping")).toBe(1);
  });

  test("fails calls on half-open connections as unreachable, and reconnects afterwards", async () => {
    const { proxy, db } = await openBehindProxy();
    await Promise.all([db.rpc("ping"), db.rpc("ping"), db.rpc("ping")]);
    proxy.freeze();
    const calls = [1, 2, 3].map(() => db.rpc("ping", {}, { timeoutMs: 300 }));
    for (const result of await Promise.allSettled(calls))
      expect(result).toMatchObject({ status: "rejected", reason: { fault: "unreachable", code: "ETIMEDOUT" } });
    proxy.thaw();
    expect(await db.rpc("ping")).toBe(1);
  });

  test("closes within its time limit although connections are half-open", async () => {
    const { proxy, db } = await openBehindProxy();
    await Promise.all([db.rpc("ping"), db.rpc("ping")]);
    proxy.freeze();
    const started = performance.now();
    await db.close();
    const took = performance.now() - started;
    expect(took).toBeGreaterThan(1_500);
    expect(took).toBeLessThan(4_000);
  });

  test("reports a call that waits too long for a free connection as retryable, not as an outage", async () => {
    const { db } = await openBehindProxy();
    const busy = [1, 2, 3].map(() => db.rpc("wait_for", { seconds: 1 }));
    await expect(db.rpc("ping", {}, { timeoutMs: 200 })).rejects.toMatchObject({
      fault: "retryable",
      code: "pool_busy",
      message: expect.stringContaining("raise DATABASE_POOL_SIZE"),
    });
    await Promise.all(busy);
    expect(await db.rpc("ping")).toBe(1);
  });

  test("classifies a port without a server as unreachable", async () => {
    const db = await open(urlWith(await freePort(), "x"));
    await expect(db.rpc("ping")).rejects.toMatchObject({ fault: "unreachable", code: "ECONNREFUSED" });
  });

  test("classifies a wrong password as denied, without the password in the message", async () => {
    const db = await open(urlWith(cluster.address.port, "hunter2"));
    const error: unknown = await db.rpc("ping").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ fault: "denied", code: "28P01" });
    expect(String(error)).not.toContain("hunter2");
  });

  test("rejects a malformed URL as a ConfigError, without the URL in the message", async () => {
    const error: unknown = await open("postgres://user:hunter2@host:notaport/x").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(JSON.stringify([String(error), error])).not.toContain("hunter2");
  });
});

async function sleepingCalls(): Promise<number> {
  const db = await openPostgres({ url: urlWith(cluster.address.port, cluster.address.password), logger: silent });
  const rows = await db.query("select 1 from pg_stat_activity where wait_event = 'PgSleep'");
  await db.close();
  return rows.length;
}
