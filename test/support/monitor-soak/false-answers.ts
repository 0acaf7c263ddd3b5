import { setTimeout as delay } from "node:timers/promises";
import type { Fault, FaultOf, LeftOut } from "../steam/faults.ts";
import type { Random } from "../steam/random.ts";
import type { SimulatedRequestKind } from "../steam/request-log.ts";
import type { SimulatedSteam } from "../steam/simulated-steam.ts";
import { type InDatabase, passHour } from "./database.ts";
import type { Traffic } from "./traffic.ts";

/**
 * Periods in which Steam answers, and the answers say nothing or something false. Each resolves when it is over. They
 * keep to what the service promises to see through; where they leave something out, a comment says why.
 */
export interface FalseAnswers {
  /** Periods so far, by kind. */
  readonly counts: Readonly<FalseAnswerCounts>;
  /** Answers about no app at all. */
  mute(random: Random): Promise<void>;
  /** App info without one of its sections, flagged as partial or not. */
  leaveOut(random: Random): Promise<void>;
  /** Answers that leave out some apps and access tokens. */
  omit(random: Random): Promise<void>;
  /** Empty changelists: true ones, below and above EMPTY_JUMP_MAX, and false ones above it. */
  jump(random: Random): Promise<void>;
  /** "Unknown" about one app that exists or a few. Or an hour passes for the rule against a mass. */
  sayUnknown(random: Random): Promise<void>;
  /** "Unknown" about a third of all apps and more, for longer than a confirmation takes. */
  sayMassUnknown(random: Random): Promise<void>;
  /** A gap, and a mute Steam while it is swept. Resolves when the gap is closed, or after a while. */
  muteSweep(random: Random): Promise<void>;
}

export interface FalseAnswerCounts {
  mutePeriods: number;
  shortenedPayloads: number;
  omittedApps: number;
  smallJumps: number;
  largeJumps: number;
  silentChangelists: number;
  falseUnknown: number;
  massUnknown: number;
  hours: number;
  muteSweeps: number;
}

export interface FalseAnswersOptions {
  steam: SimulatedSteam;
  traffic: Pick<Traffic, "pause">;
  inDatabase: InDatabase;
  /** Ends waiting for a sweep. */
  signal: AbortSignal;
}

/** Settings of the services that the periods below are made for. */
export const falseAnswerSettings = {
  unknownConfirmMs: 6_000,
  maxShrink: 0.05,
  emptyJumpMax: 30,
};
const { unknownConfirmMs, maxShrink, emptyJumpMax } = falseAnswerSettings;

/**
 * Longest period of false "unknown" that is not a mass. An answer is applied up to a lease (3 s) after it was sent, so
 * no second one counts as confirmation.
 */
const longestUnknownMs = 2_500;
/** An answer is applied under the lease of its request, or not at all. */
const longestApplyMs = 4_000;
/** A mass lasts longer than the confirmation takes: only its size speaks against it. */
const massMs = unknownConfirmMs + 2_500;
const longestSweepMs = 12_000;
const longestDoubtMs = 10_000;
const sections: LeftOut[] = ["everything", "root", "common", "empty_common", "depots"];
const flags = [undefined, "missing_token", "only_public"] as const;

export function createFalseAnswers({ steam, traffic, inDatabase, signal }: FalseAnswersOptions): FalseAnswers {
  const { catalog, faults } = steam;
  /**
   * Stored before the noise began. Of an app that was never stored a sweep knows only what Steam says, so metadata says
   * nothing false about others.
   */
  const loaded = new Set(catalog.apps.keys());
  const counts: FalseAnswerCounts = {
    mutePeriods: 0,
    shortenedPayloads: 0,
    omittedApps: 0,
    smallJumps: 0,
    largeJumps: 0,
    silentChangelists: 0,
    falseUnknown: 0,
    massUnknown: 0,
    hours: 0,
    muteSweeps: 0,
  };
  let endSilence = () => {};
  const present = () => [...catalog.apps.keys()];
  const presentLoaded = () => present().filter((appid) => loaded.has(appid));
  const during = async (ms: number, fault: Fault) => {
    const end = faults.add({ ...fault, until: Date.now() + ms });
    await delay(ms);
    end();
  };

  return {
    counts,
    async mute(random) {
      counts.mutePeriods += 1;
      const all: SimulatedRequestKind[] = ["product_info", "metadata", "access_tokens"];
      const on = random.chance(0.5) ? all : [random.pick(all)];
      await during(random.int(500, 4_000), { kind: "silent", on });
    },
    async leaveOut(random) {
      counts.shortenedPayloads += 1;
      const appids = random.sample(present(), Math.ceil(catalog.size * random.pick([0.01, 0.1, 0.5])));
      const flag = random.pick(flags);
      const fault: FaultOf<"left_out"> = {
        kind: "left_out",
        what: random.pick(sections),
        ...(flag && { flag }),
        appids,
      };
      await during(random.int(300, 3_000), fault);
    },
    async omit(random) {
      counts.omittedApps += 1;
      const appids = random.sample(presentLoaded(), random.pick([3, 30, 300]));
      const withToken = presentLoaded().filter((appid) => catalog.apps.get(appid)?.access !== "public");
      const lengthMs = random.int(300, 3_000);
      await Promise.all([
        during(lengthMs, { kind: "omit", on: ["product_info", "metadata"], appids }),
        during(lengthMs, { kind: "omit", on: "access_tokens", appids: random.sample(withToken, 40) }),
      ]);
    },
    async jump(random) {
      const kind = random.pick(["small", "large", "silent"] as const);
      if (kind === "silent") await silentChangelists(random);
      else {
        counts[kind === "small" ? "smallJumps" : "largeJumps"] += 1;
        // Nothing else is announced meanwhile, so the answer is empty and true.
        const [least, most] = kind === "small" ? [1, emptyJumpMax] : [emptyJumpMax + 1, 3 * emptyJumpMax];
        const quiet = traffic.pause(1_500);
        await delay(600);
        catalog.skip(random.int(least, most));
        await quiet;
      }
    },
    async sayUnknown(random) {
      if (random.chance(0.25)) {
        counts.hours += 1;
        await inDatabase(passHour).catch(() => {});
      } else if (await hasNoDoubts(inDatabase, present())) {
        counts.falseUnknown += 1;
        const appids = random.sample(present(), random.pick([1, 4, 15]));
        const period = sayUnknown(random.int(300, longestUnknownMs), appids);
        changeAll(appids);
        await period;
      }
    },
    async sayMassUnknown(random) {
      if (await within(longestDoubtMs, () => hasNoDoubts(inDatabase, present()))) await massUnknown(random);
    },
    async muteSweep(random) {
      counts.muteSweeps += 1;
      silenceNextChangelist();
      await during(random.int(1_000, 4_000), { kind: "silent", on: "metadata" });
      await within(longestSweepMs, async () => !(await hasGap()));
    },
  };

  /** Whether it became true within this time. */
  async function within(limitMs: number, isTrue: () => Promise<boolean>): Promise<boolean> {
    for (const startedAt = performance.now(); !signal.aborted && performance.now() - startedAt < limitMs; ) {
      if (await isTrue()) return true;
      await delay(300);
    }
    return false;
  }

  function changeAll(appids: readonly number[]): void {
    for (const appid of appids) if (catalog.apps.has(appid)) catalog.change(appid);
  }

  async function hasGap(): Promise<boolean> {
    return inDatabase(async (sql) => {
      const rows = await sql("select from pics_gaps where repaired_at is null");
      return rows.length > 0;
    }).catch(() => true);
  }

  /**
   * The next answer names nothing, although changes were announced, and the number rose by more than any empty one may.
   * One at a time: a second one in a row could come after a smaller rise, and would be believed.
   */
  function silenceNextChangelist(): void {
    endSilence();
    catalog.skip(emptyJumpMax + 1);
    endSilence = faults.add({ kind: "silent", on: "changes" });
  }

  async function silentChangelists(random: Random): Promise<void> {
    for (let left = random.int(1, 4); left > 0; left--) {
      counts.silentChangelists += 1;
      silenceNextChangelist();
      await delay(random.int(300, 800));
    }
  }

  async function sayUnknown(lengthMs: number, appids: number[]): Promise<void> {
    await Promise.all([
      during(lengthMs, { kind: "say_unknown", on: "product_info", appids }),
      during(lengthMs, { kind: "say_unknown", on: "metadata", appids: appids.filter((appid) => loaded.has(appid)) }),
    ]);
  }

  /**
   * "Unknown" of a third of all apps and more, and they change, so that many are requested. The period goes on beyond
   * the time of confirmation only once the service has to see that it is a mass.
   */
  async function massUnknown(random: Random): Promise<void> {
    const appids = random.sample(present(), Math.ceil(catalog.size * (0.3 + 0.7 * random.next())));
    const period = sayUnknown(longestUnknownMs, appids);
    changeAll(appids.slice(0, Math.ceil(2 * maxShrink * catalog.size)));
    await period;
    const isMass = await inDatabase(async (sql) => {
      const [row] = await sql("select pics_is_mass_unknown($1) as mass", [maxShrink]);
      return row?.mass === true;
    }).catch(() => false);
    counts[isMass ? "massUnknown" : "falseUnknown"] += 1;
    if (!isMass) return;
    await sayUnknown(massMs - longestUnknownMs, appids);
    // No hour passes before the last of these answers is applied: it would be a second one, and no longer of a mass.
    await delay(longestApplyMs);
  }
}

/**
 * Whether no app that Steam has is waiting for a second "unknown". Two false answers about an app, with enough time and
 * no true answer between them, are believed.
 */
async function hasNoDoubts(inDatabase: InDatabase, present: number[]): Promise<boolean> {
  return inDatabase(async (sql) => {
    const [row] = await sql(
      "select count(*) as doubts from sync_status where unknown_since is not null and appid = any ($1)",
      [present],
    );
    return Number(row?.doubts) === 0;
  }).catch(() => false);
}
