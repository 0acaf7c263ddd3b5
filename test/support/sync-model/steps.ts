import fc from "fast-check";
import { type AppInfo, type SectionName, sectionNames } from "./app-info.ts";

/** Apps are named by their index in a case, so that a case can be repeated with other appids. */
export type Step =
  /** Steam has new versions of apps. */
  | { kind: "change"; apps: { app: number; version: Version }[] }
  /** A sweep asks for change numbers; `isFull` as in `bulk-sync --full`. */
  | { kind: "metadata"; unknown: number[]; silent: number[]; isFull: boolean }
  | { kind: "poll" }
  | FetchStep
  /** A worker dies with the apps that it has claimed. */
  | { kind: "die" }
  | { kind: "elapse"; seconds: number };

export interface FetchStep {
  kind: "fetch";
  /** By app: Steam as it is, or something else. */
  answers: ("true" | "unknown" | "silent" | GivenPlan[])[];
  silentTokens: number[];
  /** The first request is not answered at all. */
  isMuteAtFirst: boolean;
  acceptUnknown: boolean;
  /** The lease lapses between the claim and the write. */
  leaseLost: boolean;
  /** An app that changes, and is announced, before the write. */
  meanwhile: { app: number; version: Version } | null;
}

/** An answer made of an app's version: of an older one, without sections, or flagged as partial. */
export interface GivenPlan {
  versionsBack: number;
  without: SectionName[];
  /** Sections left out are there, and empty. */
  isEmpty: boolean;
  flag: "none" | "missing_token" | "only_public" | "public_only";
}

/** A version without its stamps and without appids, which a run adds. */
export interface Version {
  common: { isDemo: boolean; isFree: boolean; parent: number | null; developers: string[]; hasDeck: boolean };
  extended: { isFree: boolean; dlcFor: number | null; developer: string | null; dlc: number[]; isLong: boolean } | null;
  depots: { dlc: number[] };
}

export interface Case {
  /** By app: how Steam sends it, whether it has depots, and what it is at first. */
  apps: { access: "public" | "token" | "denied"; hasDepots: boolean; version: Version }[];
  steps: Step[];
}

/** Cases of a few apps and any sequence of steps. */
export function cases(appCount: number): fc.Arbitrary<Case> {
  const app = fc.nat(appCount - 1);
  const some = (maxLength: number) => fc.uniqueArray(app, { maxLength });
  const version: fc.Arbitrary<Version> = fc.record({
    common: fc.record({
      isDemo: fc.boolean(),
      isFree: fc.boolean(),
      parent: fc.option(app, { freq: 1 }),
      developers: fc.subarray(["Ada", "Bob"]),
      hasDeck: fc.boolean(),
    }),
    extended: fc.option(
      fc.record({
        isFree: fc.boolean(),
        dlcFor: fc.option(app, { freq: 1 }),
        developer: fc.option(fc.constantFrom("Ada", "Eve")),
        dlc: some(3),
        isLong: fc.boolean(),
      }),
    ),
    depots: fc.record({ dlc: some(2) }),
  });
  const given: fc.Arbitrary<GivenPlan> = fc.record({
    versionsBack: fc.oneof(
      { arbitrary: fc.constant(0), weight: 3 },
      { arbitrary: fc.integer({ min: 1, max: 2 }), weight: 1 },
    ),
    without: fc.subarray([...sectionNames]),
    isEmpty: fc.boolean(),
    flag: fc.constantFrom("none", "missing_token", "only_public", "public_only"),
  });
  const answer = fc.oneof(
    { arbitrary: fc.constant("true" as const), weight: 3 },
    { arbitrary: fc.array(given, { minLength: 1, maxLength: 2 }), weight: 4 },
    { arbitrary: fc.constantFrom("unknown" as const, "silent" as const), weight: 3 },
  );
  const rarely = fc.nat(9).map((number) => number === 9);
  const newVersion: fc.Arbitrary<{ app: number; version: Version }> = fc.record({ app, version });
  const meanwhile: fc.Arbitrary<FetchStep["meanwhile"]> = fc.option(newVersion, { freq: 1 });
  const fetch: fc.Arbitrary<Step> = fc.record({
    kind: fc.constant("fetch" as const),
    answers: fc.array(answer, { minLength: appCount, maxLength: appCount }),
    silentTokens: some(2),
    isMuteAtFirst: rarely,
    acceptUnknown: rarely,
    leaseLost: rarely,
    meanwhile,
  });
  const metadata: fc.Arbitrary<Step> = fc.record({
    kind: fc.constant("metadata" as const),
    unknown: some(2),
    silent: some(2),
    isFull: fc.boolean(),
  });
  const change: fc.Arbitrary<Step> = fc.record({
    kind: fc.constant("change" as const),
    apps: fc.array(newVersion, { maxLength: 3 }),
  });
  const poll: fc.Arbitrary<Step> = fc.constant({ kind: "poll" });
  const die: fc.Arbitrary<Step> = fc.constant({ kind: "die" });
  const elapse = fc.constantFrom(250, 650).map((seconds): Step => ({ kind: "elapse", seconds }));
  // Mostly the order of the service, so that there is something to answer; and any step at any time.
  const round = fc.tuple(change, fc.oneof(poll, metadata, metadata), fetch, fc.oneof(fetch, elapse));
  const any = fc.oneof(change, poll, metadata, fetch, elapse, die);
  const steps = fc.array(fc.oneof(round, round, fc.tuple(any)), { minLength: 4, maxLength: 8, size: "max" });
  return fc.record({
    apps: fc.array(
      fc.record({
        access: fc.constantFrom("public", "public", "token", "denied"),
        hasDepots: fc.nat(3).map((number) => number > 0),
        version,
      }),
      { minLength: appCount, maxLength: appCount },
    ),
    steps: steps.map((rounds) => rounds.flat()),
  });
}

/** Cases of many stored apps, of which Steam says "unknown" in bursts of any size. */
export function burstCases(appCount: number): fc.Arbitrary<Case> {
  const plain: Version = {
    common: { isDemo: false, isFree: false, parent: null, developers: ["Ada"], hasDeck: false },
    extended: null,
    depots: { dlc: [] },
  };
  const fetch = (burst: number[], acceptUnknown: boolean): FetchStep => ({
    kind: "fetch",
    answers: Array.from({ length: appCount }, (_, index) => (burst.includes(index) ? "unknown" : "true")),
    silentTokens: [],
    isMuteAtFirst: false,
    acceptUnknown,
    leaseLost: false,
    meanwhile: null,
  });
  const sweep = (unknown: number[]): Step => ({ kind: "metadata", unknown, silent: [], isFull: true });
  const burst = fc
    .record({
      size: fc.constantFrom(1, 10, 19, 20, 30),
      from: fc.nat(appCount - 1),
      acceptUnknown: fc.nat(9).map((number) => number === 9),
    })
    .map(({ size, from, acceptUnknown }) => {
      const apps = Array.from({ length: size }, (_, index) => (from + index) % appCount);
      return [sweep(apps), fetch(apps, acceptUnknown)];
    });
  const elapse = fc.constantFrom(250, 650, 650, 3_700).map((seconds): Step[] => [{ kind: "elapse", seconds }]);
  return fc.array(fc.oneof(burst, burst, elapse), { minLength: 6, maxLength: 12 }).map((steps) => ({
    apps: Array.from({ length: appCount }, () => ({ access: "public", hasDepots: true, version: plain })),
    steps: [sweep([]), fetch([], false), ...steps.flat()],
  }));
}

/** The app info of a version with its stamp; `appids` are those of the case. */
export function appInfoOf(version: Version, hasDepots: boolean, stamp: number, appids: readonly number[]): AppInfo {
  const appidOf = (index: number) => appids[index] as number;
  const { common, extended, depots } = version;
  // Steam cuts the list at 64.
  const padding = extended?.isLong
    ? Array.from({ length: 64 - extended.dlc.length }, (_, index) => 9_000_001 + index)
    : [];
  return {
    common: {
      stamp,
      type: common.isDemo ? "demo" : "game",
      isFreeToDownload: common.isFree,
      parent: common.parent === null ? null : appidOf(common.parent),
      developers: common.developers,
      hasDeck: common.hasDeck,
    },
    ...(extended && {
      extended: {
        stamp,
        isFreeApp: extended.isFree,
        dlcFor: extended.dlcFor === null ? null : appidOf(extended.dlcFor),
        developer: extended.developer,
        dlc: [...extended.dlc.map(appidOf), ...padding],
      },
    }),
    ...(hasDepots && { depots: { stamp, dlc: depots.dlc.map(appidOf) } }),
  };
}
