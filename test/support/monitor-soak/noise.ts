import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../cluster.ts";
import type { SupabaseApi } from "../postgrest.ts";
import type { FaultKind } from "../steam/faults.ts";
import { createRandom, type Random } from "../steam/random.ts";
import type { SimulatedSteam } from "../steam/simulated-steam.ts";
import type { InDatabase } from "./database.ts";
import { createFalseAnswers, type FalseAnswers } from "./false-answers.ts";
import type { Fleet } from "./fleet.ts";
import type { Traffic } from "./traffic.ts";

/** Faults of Steam, database and workers at the same time, each at random moments drawn from the seed. */
export interface Noise {
  steamOutages: number;
  databaseCrashes: number;
  falseAnswers: FalseAnswers["counts"];
  /** Ends the faults: when this resolves, Steam and the database are reachable and every worker runs. */
  stop(): Promise<void>;
}

export interface NoiseOptions {
  steam: SimulatedSteam;
  cluster: Cluster;
  /** PostgREST, where workers reach the database through it. */
  api: SupabaseApi | null;
  fleet: Fleet;
  traffic: Pick<Traffic, "pause">;
  inDatabase: InDatabase;
  seed: number;
  /** Number of `kill -9`, and the mean time between two. */
  kills: number;
  killEveryMs: number;
}

/** EResults with which anonymous sessions were seen to end. */
const eresults = [2, 3, 5, 6, 20, 34, 48, 84];
const faultKinds: FaultKind[] = ["drop", "hang", "slow", "logoff", "garbage", "partial_reply", "force"];
faultKinds.push("no_buffer", "truncated", "omit", "wrong_older_change_number", "logon_refused", "cm_list");
faultKinds.push("silent", "left_out");
/** Probability of a fault per request. */
const faultRate = 0.06;
/** Longest wait for workers that start, on a loaded machine. */
const longestStartMs = 12_000;
const gatewayStatuses = [502, 503, 504];
/** The calls for which a lost reply does the most harm. */
const delicateCalls = ["pics_apply", "pics_poll", "pics_claim", "report_worker", "pics_finish_sweep"];

export function startNoise(options: NoiseOptions): Noise {
  const { steam, cluster, api, fleet, seed, kills, killEveryMs } = options;
  const ending = new AbortController();
  const falseAnswers = createFalseAnswers({ ...options, signal: ending.signal });
  const noise = { steamOutages: 0, databaseCrashes: 0, falseAnswers: falseAnswers.counts };
  const loops: Promise<void>[] = [];
  /** Other faults wait for its end. */
  let lull = Promise.resolve();
  let lulls = 0;

  /** Repeats `work` with pauses of `everyMs` on average, until the end. */
  function again(name: number, everyMs: number, work: (random: Random) => Promise<void> | void): void {
    const random = createRandom(seed, 2, name);
    const loop = async () => {
      // The first time comes early, so that short runs have some of everything.
      for (let share = 0.5 * random.next(); ; share = 0.3 + 1.4 * random.next()) {
        await delay(everyMs * share, undefined, { signal: ending.signal });
        await lull;
        ending.signal.throwIfAborted();
        await work(random);
      }
    };
    loops.push(
      loop().catch((error: unknown) => {
        if (!ending.signal.aborted) throw error;
      }),
    );
  }

  again(1, killEveryMs, () => (fleet.kills < kills ? fleet.kill() : undefined));
  again(2, killEveryMs * 4, () => fleet.stop());
  // Longer than a lease, or not.
  again(3, 15_000, (random) => fleet.freeze(random.int(500, 8_000)));
  again(4, 4_000, (random) => steam.disconnectAll(random.chance(0.3) ? undefined : random.pick(eresults)));
  again(5, 18_000, async (random) => {
    noise.steamOutages += 1;
    const lengthMs = random.int(500, 4_000);
    steam.faults.add({ kind: "unreachable", until: Date.now() + lengthMs });
    steam.disconnectAll();
    await delay(lengthMs);
  });
  again(6, 20_000, async (random) => {
    noise.databaseCrashes += 1;
    await cluster.crash();
    // Some outages outlast a lease.
    await delay(random.int(50, 5_000));
    await cluster.start();
  });
  if (api) {
    again(7, 2_500, (random) => {
      const times = random.int(1, 4);
      if (random.chance(0.5)) api.faults.answer(random.pick(gatewayStatuses), { times });
      else api.faults.dropReply({ times, call: random.pick(delicateCalls) });
    });
  }
  again(8, 9_000, falseAnswers.mute);
  again(9, 5_000, falseAnswers.leaveOut);
  again(10, 7_000, falseAnswers.omit);
  again(11, 25_000, falseAnswers.jump);
  again(12, 3_000, falseAnswers.sayUnknown);
  const drawFaults = (rate: number) => steam.faults.random({ seed: seed + lulls, rate, kinds: faultKinds });
  // Without a lull no sweep comes to its end before the next gap or the next leader, and no mass is asked for at once.
  const inLull = (work: (random: Random) => Promise<void>) => async (random: Random) => {
    lulls += 1;
    drawFaults(0);
    lull = fleet.ready(longestStartMs, ending.signal).then(() => (ending.signal.aborted ? undefined : work(random)));
    await lull;
    drawFaults(faultRate);
  };
  again(13, 80_000, inLull(falseAnswers.muteSweep));
  again(14, 110_000, inLull(falseAnswers.sayMassUnknown));
  drawFaults(faultRate);

  return Object.assign(noise, {
    async stop() {
      ending.abort();
      await Promise.all(loops);
      steam.faults.clear();
      api?.faults.clear();
      await fleet.settle();
    },
  });
}
