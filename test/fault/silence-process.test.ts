import { afterAll, beforeAll, describe } from "vitest";
import { isFull, onlyFull } from "../support/full.ts";
import { it } from "../support/given.ts";
import type { Service } from "../support/service.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../support/steam/child.ts";

/** What operators see when Steam is mute. The delays are the product's own: a mute sweep lasts 15 to 31 s. */
const env = { BULK_REQUEST_DELAY: "0", POLL_INTERVAL: "0.5", APP_ID_MAX: "5000" };
const count = 200;
const limit = { timeout: 120_000, interval: 100 };

let steam: ForkedSteam;
let other: ForkedSteam;
beforeAll(async () => {
  const options = { generate: { seed: 53, count, maxAppid: 4_000 } };
  [steam, other] = await Promise.all([forkSimulatedSteam(options), forkSimulatedSteam(options)]);
  for (const each of [steam, other]) await each.call("addFault", { kind: "silent", on: "metadata", times: 1_000_000 });
});
afterAll(async () => {
  await Promise.all([steam.close(), other.close()]);
});

const lines = (service: Service, message: RegExp) => service.logs.filter((line) => message.test(line.message));

describe.concurrent("while Steam is mute", () => {
  it.skipIf(!isFull)(
    `bulk-sync of 60 apps exits with 75, says what is missing and what to do, and stores nothing${onlyFull}`,
    {
      timeout: 150_000,
    },
    async ({ open, start, expect }) => {
      const database = await open("postgres");
      const given = (await steam.call("appids")).slice(0, 60);
      const service = start({ args: ["bulk-sync", "--app-ids", given.join()], steam, database, env });
      expect(await service.exited).toEqual({ code: 75, signal: null });
      expect(service.logs.at(-1)).toMatchObject({
        level: "fatal",
        fault: "silent",
        message:
          "bulk sync is not complete: Steam left 60 of 60 ids unanswered after 6 rounds of requests; nothing was concluded from its silence. Start it again later: it resumes",
      });
      expect(JSON.stringify(service.logs) + service.text).not.toContain("    at ");
      expect(await database.sql("select appid from sync_status")).toEqual([]);
      expect(await database.sql("select bulk_completed_at, last_verified_at from pics_sync_state")).toEqual([
        { bulk_completed_at: null, last_verified_at: null },
      ]);
    },
  );

  it.skipIf(!isFull)(
    `sync keeps running, starts another pass after a delay, and follows changes once one is complete${onlyFull}`,
    {
      timeout: 150_000,
    },
    async ({ open, start, expect }) => {
      const database = await open("postgres");
      const service = start({ args: ["sync"], steam: other, database, env });
      await expect.poll(() => lines(service, /^bulk sync is not complete: .* starts in \d+ s$/), limit).toHaveLength(1);
      expect(await service.get("/health")).toMatchObject({ status: 200, body: { status: "degraded" } });
      expect((await service.get("/status")).body).toMatchObject({ bulk: { unanswered: 500 }, monitor: null });
      expect(await database.sql("select appid from sync_status")).toEqual([]);

      await other.call("clearFaults");
      await expect.poll(() => lines(service, /^this worker leads now/), limit).toHaveLength(1);
      expect(await database.sql("select count(*) from apps")).toEqual([{ count }]);
      expect((await service.get("/status")).body).toMatchObject({ bulk: { unanswered: 0, phase: "done" } });
      service.kill("SIGTERM");
      expect(await service.exited).toEqual({ code: 0, signal: null });
    },
  );
});
