import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SqlDatabase } from "../../../src/db/database.ts";
import { openPostgres } from "../../../src/db/postgres.ts";
import { ConfigError } from "../../../src/process/errors.ts";
import type { Cluster } from "../../support/cluster.ts";
import { startCluster, superuser, urlOf } from "../../support/cluster.ts";
import { freePort } from "../../support/free-port.ts";
import type { TcpProxy } from "../../support/tcp-proxy.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { silent } from "../../support/templates.ts";

const functions = `
  create or replace function public.ping() returns jsonb language sql as 'select to_jsonb(1)';
  create or replace function public.wait_for(seconds float) returns jsonb language plpgsql as $$
    begin perform pg_sleep(seconds); return '1'; end $$;
`;

describe("Postgres", () => {
  let cluster: Cluster;
  let proxy: TcpProxy;
  let db: SqlDatabase;
  beforeEach(async () => {
    cluster = await startCluster();
    proxy = await startTcpProxy(cluster.address.port);
    db = await openPostgres({
      url: urlOf({ ...cluster.address, port: proxy.port }, superuser, "postgres"),
      maxConnections: 3,
      logger: silent,
    });
    await db.transaction(functions);
  });
  afterEach(async () => {
    await db.close();
    await proxy.close();
    await cluster.stop();
  });

  test("that crashes during calls and comes back is used again", async () => {
    const running = [1, 2, 3].map(() => db.rpc("wait_for", { seconds: 20 }));
    await expect.poll(() => sleeping(cluster)).toBe(3);
    const results = Promise.allSettled(running);
    await cluster.crash();
    for (const result of await results)
      expect(result).toMatchObject({ status: "rejected", reason: { fault: "unreachable" } });
    await expect(db.rpc("ping")).rejects.toMatchObject({ fault: "unreachable" });
    await cluster.start();
    expect(await db.rpc("ping")).toBe(1);
  });

  test("whose connections turn half-open counts as away, and is used again once it can be reached", async () => {
    await Promise.all([db.rpc("ping"), db.rpc("ping"), db.rpc("ping")]);
    proxy.freeze();
    const calls = [1, 2, 3].map(() => db.rpc("ping", {}, { timeoutMs: 300 }));
    for (const result of await Promise.allSettled(calls))
      expect(result).toMatchObject({ status: "rejected", reason: { fault: "unreachable", code: "ETIMEDOUT" } });
    proxy.thaw();
    expect(await db.rpc("ping")).toBe(1);
  });

  test("that ends a slow statement itself says so, which is no outage", async () => {
    await expect(db.rpc("wait_for", { seconds: 20 }, { timeoutMs: 200 })).rejects.toMatchObject({
      fault: "timeout",
      code: "57014",
    });
  });

  test("closes in time although its connections are half-open", async () => {
    await Promise.all([db.rpc("ping"), db.rpc("ping")]);
    proxy.freeze();
    const started = performance.now();
    await db.close();
    const took = performance.now() - started;
    expect(took).toBeGreaterThan(1_500);
    expect(took).toBeLessThan(4_000);
  });
});

describe("a Postgres that cannot be used", () => {
  const url = (port: number, password: string) => `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`;

  test("because nobody listens is unreachable", async () => {
    const db = await openPostgres({ url: url(await freePort(), "x"), logger: silent });
    await expect(db.rpc("ping")).rejects.toMatchObject({ fault: "unreachable", code: "ECONNREFUSED" });
    await db.close();
  });

  test("because the password is wrong is denied, without the password in the message", async () => {
    const cluster = await startCluster();
    const db = await openPostgres({ url: url(cluster.address.port, "hunter2"), logger: silent });
    const error: unknown = await db.rpc("ping").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ fault: "denied", code: "28P01" });
    expect(String(error)).not.toContain("hunter2");
    await db.close();
    await cluster.stop();
  });

  test("because the URL is none is a fault of the configuration, without the URL in the message", async () => {
    const opening = openPostgres({ url: "postgres://user:hunter2@host:notaport/x", logger: silent });
    const error: unknown = await opening.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(JSON.stringify([String(error), error])).not.toContain("hunter2");
  });
});

async function sleeping(cluster: Cluster): Promise<number> {
  const db = await openPostgres({ url: urlOf(cluster.address, superuser, "postgres"), logger: silent });
  const rows = await db.query("select 1 from pg_stat_activity where wait_event = 'PgSleep'");
  await db.close();
  return rows.length;
}
