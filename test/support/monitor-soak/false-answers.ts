import { setTimeout as delay } from "node:timers/promises";
import type { Fault, FaultOf, LeftOut } from "../steam/faults.ts";
import type { Random } from "../steam/random.ts";
import type { SimulatedRequestKind } from "../steam/request-log.ts";
import type { SimulatedSteam } from "../steam/simulated-steam.ts";
import { type InDatabase, passHour } from "./database.ts";
import type { Traffic } from "./traffic.ts";

/**
 * Periods in which Steam answers, and the answers say nothing or something false. Each kind keeps to what the service
 * promises to see through; what it cannot know is left out, and the comments say why.
 */
export interface FalseAnswers {
  readonly counts: Record<FalseAnswerKind, number>;
  /** One period, with its pause before and after. */
  mute(random: Random): Promise<void>;
  leaveOut(random: Random): Promise<void>;
  omit(random: Random): Promise<void>;
  jump(random: Random): Promise<void>;
  sayUnknown(random: Random): Promise<void>;
}

type FalseAnswerKind =
  | "mutePeriods"
  | "shortenedPayloads"
  | "omittedApps"
  | "smallJumps"
  | "largeJumps"
  | "silentChangelists"
  | "falseUnknown"
  | "massUnknown"
  | "hours";

export interface FalseAnswersOptions {
  steam: SimulatedSteam;
  traffic: Pick<Traffic, "pause" | "removed">;
  inDatabase: InDatabase;
}

/** Settings of the services that the periods below are made for. */
export const falseAnswerSettings = {
  unknownConfirmMs: 5_000,
  maxShrink: 0.05,
  emptyJumpMax: 30,
};
const { unknownConfirmMs, maxShrink, emptyJumpMax } = falseAnswerSettings;

/**
 * Longest period of false "unknown" that is not a mass. An answer is applied up to a lease (3 s) after it was sent, so
 * no second one counts as confirmation.
 */
const longestUnknownMs = 1_500;
/** A mass lasts longer than the confirmation takes: only its size speaks against it. */
const massMs = unknownConfirmMs + 2_500;
const sections: LeftOut[] = ["everything", "root", "common", "empty_common", "depots"];
const flags = [undefined, "missing_token", "only_public"] as const;

export function createFalseAnswers({ steam, traffic, inDatabase }: FalseAnswersOptions): FalseAnswers {
  const { catalog, faults } = steam;
  /** Stored before the noise began. A sweep has only Steam's word about others, so false words about them are kept to product info. */
  const loaded = new Set(catalog.apps.keys());
  const counts = {
    mutePeriods: 0,
    shortenedPayloads: 0,
    omittedApps: 0,
    smallJumps: 0,
    largeJumps: 0,
    silentChangelists: 0,
    falseUnknown: 0,
    massUnknown: 0,
    hours: 0,
  };
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
      if (random.chance(0.4)) {
        counts.hours += 1;
        await inDatabase(passHour).catch(() => {});
      } else if (await hasNoDoubts(inDatabase, present())) {
        if (random.chance(0.3)) await massUnknown(random);
        else {
          counts.falseUnknown += 1;
          const appids = random.sample(present(), random.pick([1, 4, 15]));
          await sayUnknown(random.int(300, longestUnknownMs), appids);
        }
      }
    },
  };

  /** Answers that name nothing, although changes were announced, and the number rose by more than any empty one may. */
  async function silentChangelists(random: Random): Promise<void> {
    for (let left = random.int(1, 4); left > 0; left--) {
      counts.silentChangelists += 1;
      catalog.skip(emptyJumpMax + 1);
      faults.add({ kind: "silent", on: "changes" });
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
    for (const appid of appids.slice(0, Math.ceil(2 * maxShrink * catalog.size))) {
      if (catalog.apps.has(appid)) catalog.change(appid);
    }
    await period;
    const isMass = await inDatabase(async (sql) => {
      const [row] = await sql("select pics_is_mass_unknown($1) as mass", [maxShrink]);
      return row?.mass === true;
    }).catch(() => false);
    if (!isMass) return;
    counts.massUnknown += 1;
    await sayUnknown(massMs - longestUnknownMs, appids);
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
