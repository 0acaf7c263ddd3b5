import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { createCatalogStore } from "../../../src/db/catalog-store.ts";
import type { ApplyReply } from "../../../src/db/sync-calls.ts";
import { applyBatch } from "../../../src/sync/apply-batch.ts";
import type { Lease } from "../../../src/sync/lease.ts";
import type { TestDatabase } from "../databases.ts";
import type { Fault } from "../steam/faults.ts";
import type { SimulatedSteam } from "../steam/simulated-steam.ts";
import type { compose } from "../sync.ts";
import { type AppInfo, toText } from "./app-info.ts";
import { type Answer, createModel, noVerdicts, type Said, type Verdict } from "./model.ts";
import { appInfoOf, type Case, type FetchStep, type GivenPlan, type Step, type Version } from "./steps.ts";
import { readStored } from "./stored-state.ts";

export interface World {
  steam: SimulatedSteam;
  database: TestDatabase;
  /** The service's parts, over a session that is logged on. */
  parts: ReturnType<typeof compose>;
}

export const confirmSeconds = 600;
const leaseMs = 60_000;
/** The first appid of the next case; the apps of earlier ones stay in the simulated Steam. */
let nextAppid = 10;

/** An app as one case knows it: every version that Steam has had of it, the last one being current. */
interface SteamApp {
  appid: number;
  access: "public" | "token" | "denied";
  hasDepots: boolean;
  versions: { number: number; info: AppInfo }[];
}

/**
 * Runs one case: each step against the simulated Steam, the service and the model; what is stored equals the model
 * after each. In the end Steam answers everything truly, and everything is stored as Steam has it.
 *
 * @returns how many apps got each verdict.
 */
export async function runCase(
  world: World,
  { apps, steps }: Case,
  maxShrink: number,
): Promise<Record<Verdict, number>> {
  const steamApps = apps.map(({ access, hasDepots }, index): SteamApp => {
    // Not every third: of these the simulation's public part has no section at all.
    return { appid: nextAppid + 30 * index, access, hasDepots, versions: [] };
  });
  nextAppid += 30 * apps.length;
  const run = await startRun(world, steamApps, maxShrink);
  for (const [index, { version }] of apps.entries()) run.change(index, version);
  for (const step of steps) {
    await run.take(step);
    await run.compare(step);
  }
  for (let round = 1; round <= 30 && !run.isSettled(); round++) {
    for (const step of trueSteps(apps.length)) {
      await run.take(step);
      await run.compare(step);
    }
  }
  expect(run.isSettled()).toBe(true);
  return run.counts;
}

/** Steam answers as it is; leases and delays come to their end. */
const trueSteps = (appCount: number): Step[] => [
  { kind: "metadata", unknown: [], silent: [], isFull: false },
  { kind: "elapse", seconds: 4_000 },
  {
    kind: "fetch",
    answers: Array.from({ length: appCount }, () => "true" as const),
    silentTokens: [],
    isMuteAtFirst: false,
    acceptUnknown: false,
    leaseLost: false,
    meanwhile: null,
  },
];

async function startRun({ steam, database, parts }: World, apps: SteamApp[], maxShrink: number) {
  const { sql, db } = database;
  const { pics, logger, retry } = parts;
  const appids = apps.map(({ appid }) => appid);
  const appidsOf = (indexes: number[]) => indexes.map((index) => appids[index] as number);
  const model = createModel(new Map(apps.map(({ appid, access }) => [appid, access])), { confirmSeconds, maxShrink });
  const store = createCatalogStore(db, retry);
  const counts = { ...noVerdicts };
  const workerId = randomUUID();
  let stamp = 100;
  let cursor = steam.catalog.currentChangeNumber;
  await db.rpc("leader_acquire", { request: { role: "monitor", worker_id: workerId, lease_seconds: 600 } });

  function change(index: number, version: Version): void {
    const { appid, access, hasDepots, versions } = apps[index] as SteamApp;
    const info = appInfoOf(version, hasDepots, stamp++, appids);
    const text = toText(appid, info);
    if (versions.length > 0) steam.catalog.change(appid, text);
    else steam.catalog.add({ appid, text, access });
    versions.push({ number: steam.catalog.currentChangeNumber, info });
  }

  async function withFaults<T>(faults: Fault[], work: () => Promise<T>): Promise<T> {
    for (const fault of faults) steam.faults.add(fault);
    try {
      return await work();
    } finally {
      steam.faults.clear();
    }
  }

  async function sweep({ unknown, silent, isFull }: Extract<Step, { kind: "metadata" }>): Promise<void> {
    const faults: Fault[] = [
      { kind: "say_unknown", on: "metadata", appids: appidsOf(unknown) },
      { kind: "omit", on: "metadata", appids: appidsOf(silent) },
    ];
    const answer = await withFaults(faults, () => pics.metadata(appids));
    await store.mark({ ...answer, full: isFull });
    const named = apps.filter((_, index) => !unknown.includes(index) && !silent.includes(index));
    model.mark(
      named.map((app) => ({ appid: app.appid, changeNumber: currentOf(app).number })),
      appidsOf(unknown),
      isFull,
    );
  }

  async function poll(): Promise<void> {
    const since = cursor;
    const answer = await pics.changesSince(since);
    cursor = answer.currentChangeNumber;
    await store.poll({ workerId, since, changeNumber: cursor, apps: answer.apps });
    const changed = apps.filter((app) => currentOf(app).number > since);
    model.poll(
      changed.map((app) => ({
        appid: app.appid,
        changeNumber: currentOf(app).number,
        needsToken: app.access !== "public",
      })),
    );
  }

  async function claim(): Promise<{ lease: Lease; claimed: Awaited<ReturnType<typeof store.claim>>["apps"] }> {
    const id = randomUUID();
    const claim = await store.claim({ leaseId: id, max: 10_000, leaseMs, appids: null, maxAttempts: null });
    for (const { appid, change_number } of claim.apps) expect(model.predicted(appid).pending).toBe(change_number);
    return {
      lease: { id, signal: new AbortController().signal, renew: async () => {}, end: () => {} },
      claimed: claim.apps,
    };
  }

  async function fetch(step: FetchStep): Promise<void> {
    const { lease, claimed } = await claim();
    if (claimed.length === 0) return;
    if (step.leaseLost) await sql("update sync_status set lease_until = lease_until - interval '60 seconds'");
    const plans = apps.map((app, index) => ({ appid: app.appid, ...planned(app, step.answers[index] ?? "true") }));
    const answers = new Map(plans.map(({ appid, answer }) => [appid, answer]));
    const faults = [...plans.flatMap((plan) => plan.faults), ...requestFaults(step, appidsOf(step.silentTokens))];

    let predicted = noVerdicts;
    async function apply(request: Parameters<typeof store.apply>[0]): Promise<ApplyReply> {
      const heard = model.hear(claimed, answers, appidsOf(step.silentTokens));
      if (step.meanwhile) {
        change(step.meanwhile.app, step.meanwhile.version);
        await poll();
      }
      predicted = step.leaseLost ? { ...noVerdicts, lease_lost: claimed.length } : model.write(heard, step);
      return await store.apply(request);
    }
    const deps = {
      pics,
      logger,
      store: { ...store, apply },
      upsertBatchSize: 500,
      appBackoff: { firstMs: 0, maxMs: 0 },
      askAgain: { rounds: 4, backoff: { firstMs: 1, maxMs: 1 } },
      keep: { appInfo: true, depots: true },
      unknownRule: { confirmMs: confirmSeconds * 1_000, maxShrink, acceptUnknown: step.acceptUnknown },
      history: true,
    };
    const outcome = await withFaults(faults, () => applyBatch(deps, lease, claimed));
    expect(outcome, JSON.stringify(outcome.failures)).toMatchObject(predicted);
    for (const verdict of Object.keys(counts) as Verdict[]) counts[verdict] += predicted[verdict];
  }

  return {
    counts,
    change,
    async take(step: Step): Promise<void> {
      if (step.kind === "change") for (const { app, version } of step.apps) change(app, version);
      else if (step.kind === "metadata") await sweep(step);
      else if (step.kind === "poll") await poll();
      else if (step.kind === "fetch") await fetch(step);
      else if (step.kind === "die") await claim();
      else {
        await sql(elapsed, [step.seconds]);
        model.elapse(step.seconds);
      }
    },
    async compare(after: Step): Promise<void> {
      const stored = await readStored(sql, appids);
      for (const appid of appids)
        expect(stored.get(appid), `app ${appid} after ${after.kind}`).toEqual(model.predicted(appid));
    },
    /** Whether everything is stored as Steam has it. */
    isSettled: () =>
      apps.every((app) => {
        const { pending, isKnown, number } = model.predicted(app.appid);
        return pending === null && isKnown && number === currentOf(app).number;
      }),
  };
}

const elapsed = `update sync_status set unknown_since = unknown_since - make_interval(secs => $1),
  unknown_at = unknown_at - make_interval(secs => $1), next_attempt_at = next_attempt_at - make_interval(secs => $1),
  lease_until = lease_until - make_interval(secs => $1)`;

const currentOf = ({ versions }: SteamApp) => versions.at(-1) as SteamApp["versions"][number];

/** What Steam answers about an app, and the faults that make the simulation do so. */
function planned(app: SteamApp, plan: FetchStep["answers"][number]): { answer: Answer; faults: Fault[] } {
  const appids = [app.appid];
  if (plan === "true") return { answer: trueAnswer(app), faults: [] };
  if (plan === "unknown") return { answer: "unknown", faults: [{ kind: "say_unknown", on: "product_info", appids }] };
  if (plan === "silent") return { answer: "silent", faults: [{ kind: "omit", on: "product_info", appids }] };
  const given = plan.map((each) => givenAnswer(app, each));
  const said = given.map((each) => each.said);
  return {
    answer: { withoutToken: said, withToken: said },
    faults: [{ kind: "answered_with", appids, answers: given.map((each) => each.sent) }],
  };
}

function requestFaults({ isMuteAtFirst }: FetchStep, silentTokens: number[]): Fault[] {
  const tokens: Fault = { kind: "omit", on: "access_tokens", appids: silentTokens };
  return isMuteAtFirst ? [tokens, { kind: "silent", on: ["product_info", "access_tokens"] }] : [tokens];
}

/** Steam as it is: the simulation sends the public part of apps that need a token. */
function trueAnswer(app: SteamApp): Answer {
  const { number, info } = currentOf(app);
  const whole: Said = { number, info, isPartial: false, missingToken: false, onlyPublic: false };
  const common = info.common && { common: info.common };
  const publicPart: Said = { number, info: { ...common }, isPartial: true, missingToken: true, onlyPublic: true };
  return {
    withoutToken: [app.access === "public" ? whole : publicPart],
    withToken: [app.access === "denied" ? publicPart : whole],
  };
}

function givenAnswer({ appid, versions }: SteamApp, { versionsBack, without, isEmpty, flag }: GivenPlan) {
  const { number, info } = versions[Math.max(0, versions.length - 1 - versionsBack)] as SteamApp["versions"][number];
  const kept = { ...info };
  for (const section of without) delete kept[section];
  const missingToken = flag === "missing_token";
  const onlyPublic = flag === "only_public";
  const said: Said = { number, info: kept, isPartial: flag !== "none", missingToken, onlyPublic };
  const text = toText(appid, kept, { isPublicOnly: flag === "public_only", empty: isEmpty ? without : [] });
  const wireFlag = flag === "missing_token" || flag === "only_public" ? flag : undefined;
  return { said, sent: { changeNumber: number, text, flag: wireFlag } };
}
