import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestDatabase } from "../support/databases.ts";
import { createCatalog } from "../support/steam/catalog.ts";
import { startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { compose } from "../support/sync.ts";
import { noVerdicts, type Verdict } from "../support/sync-model/model.ts";
import { runCase, type World } from "../support/sync-model/run-case.ts";
import { burstCases, type Case, cases } from "../support/sync-model/steps.ts";
import { emptyTables } from "./sql/catalog.ts";

/**
 * Random sequences of answers through the whole path: steam-user against the simulated Steam, extraction, Postgres.
 * After every step what is stored equals a model that never lets silence or a partial answer erase.
 *
 * `SEED=` tries other sequences, `RUNS=` more of them. With the default seed every verdict has to occur.
 */
const defaultSeed = 5;
const seed = Number(process.env.SEED ?? defaultSeed);
const runs = Number(process.env.RUNS ?? 1);

let world: World;
let distrust: () => void;

beforeAll(async () => {
  const steam = await startSimulatedSteam({ catalog: createCatalog(), keepRequests: false });
  distrust = steam.trustHere();
  const database = await openTestDatabase("postgres");
  const parts = compose(database.db, steam, { requestDelayMs: 0, timeoutMs: 10_000 });
  parts.session.start();
  await parts.pics.ready();
  world = { steam, database, parts };
});
afterAll(async () => {
  const { steam, database, parts } = world;
  await parts.session.stop();
  await database.close();
  distrust();
  await steam.close();
});

/** Runs the cases; with the default seed it fails as well when no app got one of the `expected` verdicts. */
async function check(arbitrary: fc.Arbitrary<Case>, numRuns: number, maxShrink: number, expected: Verdict[]) {
  const counts = { ...noVerdicts };
  const property = fc.asyncProperty(arbitrary, async (each) => {
    await world.database.sql(emptyTables);
    const found = await runCase(world, each, maxShrink);
    for (const verdict of Object.keys(counts) as Verdict[]) counts[verdict] += found[verdict];
  });
  await fc.assert(property, { seed, numRuns: numRuns * runs, interruptAfterTimeLimit: 40_000 * runs });
  if (seed === defaultSeed) for (const verdict of expected) expect(counts[verdict], verdict).toBeGreaterThan(0);
}

test(
  `any sequence of whole, partial, empty, unknown, duplicated and late answers leaves what the model holds (SEED=${seed})`,
  async () => {
    await check(cases(4), 20, 0.05, ["stored", "stale", "unknown", "unconfirmed", "withheld", "failed", "lease_lost"]);
  },
  60_000 * runs,
);

test(
  `"unknown" of many apps is believed only as the model does (SEED=${seed})`,
  async () => {
    await check(burstCases(50), 3, 0.4, ["stored", "unknown", "unconfirmed"]);
  },
  60_000 * runs,
);
