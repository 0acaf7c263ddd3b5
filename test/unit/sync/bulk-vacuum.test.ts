import { pino } from "pino";
import { expect, test } from "vitest";
import { createBulkVacuum } from "../../../src/sync/bulk-vacuum.ts";

test("the sync state is vacuumed every 1,000 apps, later every twentieth of the pass, one at a time, and goes on after a failure", async () => {
  const finish: PromiseWithResolvers<void>[] = [];
  const store = {
    vacuumSyncState() {
      const next = Promise.withResolvers<void>();
      finish.push(next);
      return next.promise;
    },
  };
  const vacuum = createBulkVacuum({ store, logger: pino({ level: "silent" }) });
  vacuum.settled(999);
  expect(finish).toHaveLength(0);
  vacuum.settled(1);
  vacuum.settled(1_000); // While the first still runs.
  expect(finish).toHaveLength(1);
  finish[0]?.reject(new Error("no"));
  await vacuum.idle();

  vacuum.settled(38_000);
  expect(finish).toHaveLength(2);
  finish[1]?.resolve();
  await vacuum.idle();
  vacuum.settled(1_999);
  expect(finish).toHaveLength(2);
  vacuum.settled(1);
  expect(finish).toHaveLength(3);
});
