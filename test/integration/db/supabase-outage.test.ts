import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import type { DatabaseError } from "../../../src/process/errors.ts";
import { startCluster } from "../../support/cluster.ts";
import { openTestDatabase } from "../../support/databases.ts";

it("a Postgres that crashes under PostgREST counts as away, and is used again once it is back", async () => {
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster();
  stack.defer(() => cluster.stop());
  const { db, close } = await openTestDatabase("supabase", { cluster: cluster.address });
  stack.defer(close);
  const refusals: DatabaseError[] = [];
  const calling = new AbortController();
  const loops = Array.from({ length: 4 }, async () => {
    while (!calling.signal.aborted) {
      await db.rpc("pics_state").catch((error: DatabaseError) => refusals.push(error));
      await delay(2);
    }
  });
  for (let crash = 0; crash < 3; crash++) {
    await delay(100);
    await cluster.crash();
    await cluster.start();
    await expect.poll(() => db.rpc("pics_state").catch(() => null), { timeout: 30_000 }).toMatchObject({ id: 1 });
  }
  calling.abort();
  await Promise.all(loops);
  expect(refusals.length).toBeGreaterThan(3);
  const others = refusals.filter(({ fault }) => fault !== "unreachable");
  expect(others.map(({ fault, code, message }) => ({ fault, code, message }))).toEqual([]);
});
