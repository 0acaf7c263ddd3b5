import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { isFull, onlyFull } from "../support/full.ts";
import {
  type CollectorWeb,
  collectUndisturbed,
  createWorld,
  interruptCollector,
  killsInAll,
  startCollectorWeb,
  type UndisturbedDay,
} from "../support/interruption/collector.ts";

/** A new seed each day, so that other moments are tried; `SEED=` repeats a run. */
const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));
/** Thirteen processes one after the other, beside other tests. */
const limitMs = 240_000;

// A short form of `npm run soak -- collector`.
describe.skipIf(!isFull)(`a collector killed at random moments (SEED=${seed})${onlyFull}`, () => {
  const cluster = inject("cluster");
  const days = createWorld(seed, 1_200);
  let web: CollectorWeb;
  let undisturbed: UndisturbedDay[];

  beforeAll(async () => {
    web = await startCollectorWeb();
    undisturbed = await collectUndisturbed(cluster, web, days);
  }, limitMs);
  afterAll(() => web.close());

  it("ends each day like an undisturbed one, stores nothing wrong and repeats no saved request", {
    timeout: limitMs,
  }, async () => {
    const result = await interruptCollector({ driver: "postgres", cluster, web, days, undisturbed, seed });

    expect(result.violations, result.history.join("\n")).toEqual([]);
    const kills = Object.values(result.kills);
    expect(kills.reduce((sum, count) => sum + count)).toBe(killsInAll);
    expect(Math.min(...kills)).toBeGreaterThan(1);
  });
});
