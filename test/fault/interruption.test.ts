import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { isFull } from "../support/full.ts";
import {
  catalogFor,
  interruptBulkSync,
  runUninterrupted,
  type UninterruptedRun,
} from "../support/interruption/bulk-sync.ts";
import type { InterruptedDriver } from "../support/interruption/targets.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../support/steam/child.ts";

/** Another seed each day, so that other moments are tried; `SEED=` repeats a run. */
const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));
const killsByDriver = { postgres: 2, pglite: 1 } as const satisfies Record<InterruptedDriver, number>;

describe(`bulk sync killed at any moment (SEED=${seed})`, () => {
  const cluster = inject("cluster");
  const catalog = catalogFor(killsByDriver.postgres, seed);
  let steam: ForkedSteam;
  let uninterrupted: UninterruptedRun;

  beforeAll(async () => {
    steam = await forkSimulatedSteam({ generate: catalog, latencyMs: 20 });
    uninterrupted = await runUninterrupted(cluster, steam);
  });
  afterAll(() => steam.close());

  // PGlite after a kill is the matter of test/integration/db/pglite.test.ts.
  it.each(isFull ? (["postgres", "pglite"] as const) : (["postgres"] as const))(
    "ends as an uninterrupted one and fetches nothing twice (%s)",
    async (driver) => {
      const kills = killsByDriver[driver];
      const result = await interruptBulkSync({ driver, cluster, steam, uninterrupted, seed, kills });

      expect(result.violations, result.history.join("\n")).toEqual([]);
      expect(result.kills).toBe(kills);
      expect(result.killsMidway).toBeGreaterThan(0);
      expect(uninterrupted.dump.get("apps")).toHaveLength(catalog.count);
    },
    // Each restart of PGlite takes seconds.
    120_000,
  );
});
