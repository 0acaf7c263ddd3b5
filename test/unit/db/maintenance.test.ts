import { expect, test } from "vitest";
import { runMaintenance } from "../../../src/db/maintenance.ts";
import { sleep } from "../../../src/process/time.ts";
import { silent } from "../../support/templates.ts";

/** Old rows, and the days of each request; the second request fails. */
function changes(old: number) {
  const requests: number[] = [];
  return {
    requests,
    left: () => old,
    recordSize: async () => {},
    async trimChanges({ days, max }: { days: number; max: number }) {
      requests.push(days);
      if (requests.length === 2) throw new Error("the connection is lost");
      const deleted = Math.min(max, old);
      old -= deleted;
      return { deleted, has_more: deleted === max };
    },
  };
}

async function maintained(store: ReturnType<typeof changes>, historyDays: number | null): Promise<void> {
  const stopping = new AbortController();
  const db = { driver: "postgres" as const, rpc: async () => null, close: async () => {} };
  const running = runMaintenance({ db, store, logger: silent, historyDays, signal: stopping.signal, intervalMs: 5 });
  for (let waits = 0; waits < 200 && store.left() > 0 && historyDays !== null; waits++) await sleep(5);
  stopping.abort();
  await running;
}

test("old changes are deleted batch after batch, and a failure is made up for in the next round", async () => {
  const store = changes(5_000);
  await maintained(store, 30);
  expect(store.left()).toBe(0);
  expect(store.requests.slice(0, 4)).toEqual([30, 30, 30, 30]);
});

test("without HISTORY_DAYS no change is deleted", async () => {
  const store = changes(5_000);
  await maintained(store, null);
  expect(store.requests).toEqual([]);
});
