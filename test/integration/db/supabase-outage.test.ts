import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import type { DatabaseError } from "../../../src/process/errors.ts";
import { startCluster } from "../../support/cluster.ts";
import { openTestDatabase } from "../../support/databases.ts";

it("classifies a crash of Postgres behind PostgREST as unreachable, and works again once it is back", async () => {
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster();
  stack.defer(() => cluster.stop());
  const { db, close } = await openTestDatabase("supabase", { cluster: cluster.address });
  stack.defer(close);
  const errors: DatabaseError[] = [];
  const calling = new AbortController();
  const loops = Array.from({ length: 4 }, async () => {
    while (!calling.signal.aborted) {
      await db.rpc("pics_state").catch((error: DatabaseError) => errors.push(error));
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
  expect(errors.length).toBeGreaterThan(3);
  const others = errors.filter(({ fault }) => fault !== "unreachable");
  expect(others.map(({ fault, code, message }) => ({ fault, code, message }))).toEqual([]);
});
