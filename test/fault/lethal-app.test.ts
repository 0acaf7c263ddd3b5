import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { type Service, startService } from "../support/service.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { differences, startBulk } from "../support/sync.ts";

/** An app whose app info kills every process that fetches it, as one did by running out of memory. */
const count = 40;
const leaseSeconds = 1;
const mostStarts = 8;

let steam: SimulatedSteam;
let database: TestDatabase;
let distrust: () => void;
let services: Service[] = [];

beforeAll(async () => {
  steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 17, count, tokenShare: 0, deniedShare: 0 }) });
  distrust = steam.trustHere();
  database = await openTestDatabase("postgres");
});
afterEach(async () => {
  for (const service of services) await service.stop();
  services = [];
});
afterAll(async () => {
  distrust();
  await steam.close();
  await database.close();
});

it.skipIf(!isFull)(
  `isolates an app that kills the process: the others are stored after a few starts${onlyFull}`,
  async () => {
    // In the first batch, and so with others at first.
    const [lethal] = steam.catalog.apps.keys();
    // The process is dead before it is answered.
    steam.faults.add({ kind: "hang", appids: [lethal as number], on: "product_info", times: 1_000 });
    const rowOfLethal = async () => {
      const [row] = await database.sql<{ attempts: number; last_error: string | null; others: number }>(
        `select attempts, last_error, (select count(*) from apps) as others from sync_status where appid = ${lethal}`,
      );
      return row ?? { attempts: 0, last_error: null, others: 0 };
    };
    const attempts: number[] = [];
    for (let row = await rowOfLethal(); row.others < count - 1; row = await rowOfLethal()) {
      expect(attempts.length, JSON.stringify(attempts)).toBeLessThan(mostStarts);
      await runUntilKilled(lethal as number, async () => (await rowOfLethal()).others === count - 1);
      attempts.push((await rowOfLethal()).attempts);
      await delay(leaseSeconds * 1_000);
    }
    expect(attempts.slice(0, 3)).toEqual([1, 2, 3]);
    expect(await rowOfLethal()).toMatchObject({ last_error: expect.stringMatching(/worker/), others: count - 1 });

    steam.faults.clear();
    expect(await startBulk(database.db, steam, { appids: [lethal as number] }).done).toMatchObject({ stored: 1 });
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  },
  120_000,
);

/** Runs a bulk sync until it requests the lethal app, or until `isEnough`; then kills it. */
async function runUntilKilled(lethal: number, isEnough: () => Promise<boolean>): Promise<void> {
  const before = steam.log.requests.length;
  const service = startService({
    args: ["bulk-sync"],
    steam,
    database,
    // Where a batch killed twice, it is claimed app by app.
    env: {
      BULK_REQUEST_DELAY: "0",
      BULK_CONCURRENCY: "1",
      BULK_BATCH_SIZE: "16",
      LEASE_SECONDS: String(leaseSeconds),
    },
  });
  services.push(service);
  const isRequested = () =>
    steam.log.requests.slice(before).some(({ kind, appids }) => kind === "product_info" && appids.includes(lethal));
  while (!isRequested() && !(await isEnough())) await delay(20);
  service.kill("SIGKILL");
  await service.exited;
}
