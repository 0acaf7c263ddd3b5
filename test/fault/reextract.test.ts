import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type Dump, differencesOf, dumpDatabase } from "../support/dump.ts";
import { isFull } from "../support/full.ts";
import { startService } from "../support/service.ts";
import { forkSimulatedSteam } from "../support/steam/child.ts";
import { createRandom } from "../support/steam/random.ts";

/** Another seed each day; `SEED=` repeats a run. */
const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));
const count = 600;
const kills = isFull ? 3 : 1;

/** What version 2 of the extractor would have stored. */
const asVersion2 = `
  update sync_status set extractor_version = 2;
  update apps set name_localized = null, assets = null, ai_content = null, vr_support = null, os_arch = null, restricted_countries = null,
    family_sharing_excluded = null, install_dir = null, must_own_appid = null, playtest_type = null,
    pics_review_score_without_bombs = null, pics_review_percentage_without_bombs = null;
  update app_steam_deck set steamos_tests = null, machine_tests = null, frame_tests = null, configuration = null;
  truncate app_branches, app_depots, app_depot_manifests`;

describe(`reextract (SEED=${seed})`, () => {
  const cluster = inject("cluster");
  let database: TestDatabase;
  let fresh: Dump;
  const dump = () => dumpDatabase((query) => database.sql(query));
  const run = (env: Record<string, string> = {}) => startService({ args: ["reextract"], database, env });
  const outdated = async () => {
    const [row] = await database.sql<{ apps: number }>(
      "select count(*)::integer as apps from sync_status where extractor_version < 3",
    );
    return row?.apps ?? 0;
  };
  const downgrade = async () => {
    for (const statement of asVersion2.split(";")) await database.sql(statement);
  };

  beforeAll(async () => {
    database = await openTestDatabase("postgres", { cluster });
    const steam = await forkSimulatedSteam({ generate: { seed, count, maxAppid: 20_000 } });
    const service = startService({ args: ["bulk-sync"], steam, database, env: { BULK_REQUEST_DELAY: "0" } });
    expect(await service.exited).toMatchObject({ code: 0 });
    await service.stop();
    // From here on there is no Steam to ask.
    await steam.close();
    fresh = await dump();
  });
  afterAll(() => database.close());

  it("after a changed extractor leaves what a fresh bulk sync stores, also when it is killed at any moment", async () => {
    await downgrade();
    expect(differencesOf(fresh, await dump()).length).toBeGreaterThan(0);
    const random = createRandom(seed);
    // Small batches, so that kills hit what is in flight; the leases of a dead run lapse soon.
    const env = { BULK_BATCH_SIZE: "5", BULK_CONCURRENCY: "3", LEASE_SECONDS: "2" };
    const leftAtKill: number[] = [];
    while (leftAtKill.length < kills) {
      const before = await outdated();
      const service = run(env);
      await expect.poll(outdated, { interval: 5 }).toBeLessThan(before - random.int(0, before / 4));
      service.kill("SIGKILL");
      await service.exited;
      await service.stop();
      leftAtKill.push(await outdated());
    }
    const last = run(env);
    expect(await last.exited, last.text).toMatchObject({ code: 0 });
    const { summary } = (await last.logged(/^reextract finished/)) as unknown as { summary: Record<string, unknown> };
    await last.stop();

    expect(differencesOf(fresh, await dump()), `left at each kill: ${leftAtKill}`).toEqual([]);
    expect(summary).toMatchObject({ failed: [], left: 0, not_kept: 0 });
    // What a killed process had sent may still be committed.
    expect(summary.stored).toBeGreaterThan(0);
    expect(summary.stored).toBeLessThanOrEqual(leftAtKill.at(-1) ?? 0);
    const rows = await database.sql("select 1 from app_changes");
    expect(rows).toEqual([]);
  });

  it("reads all but a damaged text, and reports the app and those without a text", async () => {
    await downgrade();
    await database.sql(
      "update app_info set data = '\\xffff' where appid = (select min(appid) from app_info); " +
        "delete from app_info where appid = (select max(appid) from app_info)",
    );
    const service = run();
    expect(await service.exited, service.text).toMatchObject({ code: 0 });
    expect(await service.logged(/^reextract finished/)).toMatchObject({
      summary: {
        stored: count - 2,
        failed: [{ error: expect.stringMatching(/^its kept text is damaged: .*header check/) }],
        failed_count: 1,
        left: 0,
        not_kept: 1,
      },
    });
    await service.stop();
    expect(await outdated()).toBe(2);
  });
});
