import type { Logger } from "pino";
import { isWhole } from "../catalog/app-record.ts";
import { extractApp } from "../catalog/extract.ts";
import type { ApplyReply, ApplyRequest, CatalogStore, ClaimedApp, StoredRecord } from "../db/catalog-store.ts";
import { DatabaseError, SteamError } from "../process/errors.ts";
import { nextTurn } from "../process/time.ts";
import type { AppPayload, Pics, ProductInfo } from "../steam/port.ts";
import type { Lease } from "./lease.ts";

/**
 * The one write path: fetch -> extract -> apply. Bulk sync and change monitor differ only in how apps come to be pending.
 */
export interface BatchDeps {
  pics: Pics;
  store: CatalogStore;
  logger: Logger;
  /** Most apps in one write. */
  upsertBatchSize: number;
  /** Delay after an app's first failure, doubled by each further one up to the limit. */
  retryMs: number;
  retryMaxMs: number;
  history: boolean;
  observe?: BatchObserver;
}

/** What is told of every batch, for metrics. */
export interface BatchObserver {
  step(step: BatchStep, seconds: number): void;
  outcome(outcome: BatchOutcome): void;
}

export type BatchStep = "fetch" | "extract" | "apply";

export interface BatchOutcome extends ApplyReply {
  failures: Failure[];
}

/** Which step an app failed at; `apply` is the database refusing it. */
export interface Failure {
  appid: number;
  error: string;
  step: BatchStep;
}

/** What was fetched and extracted of a claim, ready to be written. */
interface Harvest extends Pick<ApplyRequest, "apps" | "unknown" | "tokens"> {
  failed: Failure[];
}

/**
 * Fetches, extracts and stores claimed apps under their lease.
 *
 * An app that fails, whether Steam's text or Postgres refuses it, is recorded with its error and does not disturb the others.
 * Outages are waited for; they fail nobody. Throws the reason of `lease.signal` when it aborts (nothing is lease_lost: the apps stay pending), and
 * errors that are no single app's fault.
 */
export async function applyBatch(deps: BatchDeps, lease: Lease, claimed: readonly ClaimedApp[]): Promise<BatchOutcome> {
  const timed = async <T>(step: BatchStep, work: () => T | Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const result = await work();
    deps.observe?.step(step, (performance.now() - startedAt) / 1_000);
    return result;
  };
  const fetched = await timed("fetch", () => fetchApps(deps.pics, lease, claimed));
  const harvest = await timed("extract", () => extractAll(fetched, deps.logger));
  const outcome: BatchOutcome = { stored: 0, stale: 0, unknown: 0, failed: 0, lease_lost: 0, failures: [] };
  for (const part of chunks(harvest, deps.upsertBatchSize)) {
    lease.signal.throwIfAborted();
    await timed("apply", () => write(deps, lease.id, part, outcome));
  }
  deps.observe?.outcome(outcome);
  return outcome;
}

/** Apps that are extracted in one turn of the event loop: two or three milliseconds. */
const appsPerTurn = 40;

interface Fetched extends ProductInfo {
  failed: Failure[];
  tokens: { appid: number; access_token: string | null }[];
}

/**
 * App info of the claimed apps. Those that Steam tells in full only to who has an access token get theirs first, where that is known
 * beforehand; where the answer shows it, they are asked for again.
 */
async function fetchApps(pics: Pics, lease: Lease, claimed: readonly ClaimedApp[]): Promise<Fetched> {
  const fetched: Fetched = { apps: [], unknown: [], failed: [], tokens: [] };
  const tokens = new Map(claimed.flatMap(({ appid, access_token }) => (access_token ? [[appid, access_token]] : [])));
  const settled = new Set(claimed.filter((app) => app.token_denied).map((app) => app.appid));
  const withTokens = (apps: readonly { appid: number }[]) =>
    apps.map(({ appid }) => ({ appid, accessToken: tokens.get(appid) ?? null }));

  /** Asks for tokens and returns the apps that got one which they did not have. */
  async function askTokens(apps: readonly { appid: number }[]): Promise<{ appid: number }[]> {
    const { granted, denied } = await pics.accessTokens(appidsOf(apps), lease.signal);
    for (const { appid } of apps) settled.add(appid);
    for (const appid of denied) fetched.tokens.push({ appid, access_token: null });
    const fresh = [...granted].filter(([appid, token]) => tokens.get(appid) !== token);
    for (const [appid, access_token] of fresh) {
      tokens.set(appid, access_token);
      fetched.tokens.push({ appid, access_token });
    }
    return fresh.map(([appid]) => ({ appid }));
  }

  try {
    const announced = claimed.filter((app) => app.needs_token && !tokens.has(app.appid) && !settled.has(app.appid));
    if (announced.length > 0) await askTokens(announced);
    Object.assign(fetched, await pics.productInfo(withTokens(claimed), lease.signal));
  } catch (error) {
    return { ...fetched, failed: failAll(claimed, error) };
  }

  const withheld = fetched.apps.filter((app) => app.missingToken && !settled.has(app.appid));
  if (withheld.length === 0) return fetched;
  // Each request may wait for its turn and for its reply; the lease must outlast them.
  await lease.renew();
  try {
    const fresh = await askTokens(withheld);
    if (fresh.length === 0) return fetched;
    const again = await pics.productInfo(withTokens(fresh), lease.signal);
    const richer = new Map(again.apps.map((app) => [app.appid, app]));
    fetched.apps = fetched.apps.map((app) => richer.get(app.appid) ?? app);
  } catch (error) {
    const failed = new Set(appidsOf(withheld));
    fetched.failed = failAll(withheld, error);
    fetched.apps = fetched.apps.filter((app) => !failed.has(app.appid));
  }
  return fetched;
}

/** A request that Steam does not answer, or not as promised, fails its apps; anything else is not theirs to answer for. */
function failAll(apps: readonly { appid: number }[], error: unknown): Failure[] {
  if (!(error instanceof SteamError)) throw error;
  return apps.map(({ appid }) => ({ appid, error: error.message, step: "fetch" }));
}

async function extractAll({ apps, unknown, failed, tokens }: Fetched, logger: Logger): Promise<Harvest> {
  const records: StoredRecord[] = [];
  const failures = [...failed];
  for (const [index, payload] of apps.entries()) {
    // Several replies may come at once; whoever asks /health is answered between them and between their parts.
    if (index % appsPerTurn === 0) await nextTurn();
    try {
      records.push(toRecord(payload));
    } catch (error) {
      const step = payload.text === null ? "fetch" : "extract";
      failures.push({ appid: payload.appid, error: error instanceof Error ? error.message : String(error), step });
    }
  }
  for (const { appid, error } of failures) logger.warn({ appid, error }, "app not stored; it is tried again later");
  return { apps: records, unknown, failed: failures, tokens };
}

function toRecord(payload: AppPayload): StoredRecord {
  if (payload.text === null) throw new Error(payload.error ?? "Steam sent no app info");
  const record = extractApp(payload.appid, payload.text, payload.onlyPublic);
  return {
    ...record,
    change_number: payload.changeNumber,
    partial: !isWhole(record),
    missing_token: payload.missingToken,
  };
}

/** Parts of at most `size` apps; what is not an app's record is small and goes with the first. */
function* chunks(harvest: Harvest, size: number): Generator<Harvest> {
  yield { ...harvest, apps: harvest.apps.slice(0, size) };
  for (let start = size; start < harvest.apps.length; start += size) {
    yield { apps: harvest.apps.slice(start, start + size), unknown: [], failed: [], tokens: [] };
  }
}

/** Writes a part. What Postgres refuses, or does not finish in time, is halved until the poison is alone. */
async function write(deps: BatchDeps, leaseId: string, part: Harvest, outcome: BatchOutcome): Promise<void> {
  const { store, logger, retryMs, retryMaxMs, history } = deps;
  try {
    const failed = part.failed.map(({ appid, error }) => ({ appid, error }));
    const reply = await store.apply({ leaseId, ...part, failed, retryMs, retryMaxMs, history });
    for (const key of ["stored", "stale", "unknown", "failed", "lease_lost"] as const) outcome[key] += reply[key];
    outcome.failures.push(...part.failed);
  } catch (error) {
    if (!(error instanceof DatabaseError) || (error.fault !== "data" && error.fault !== "timeout")) throw error;
    const [first, ...others] = part.apps;
    if (first === undefined) throw error;
    if (others.length === 0) {
      const refusal = { appid: first.appid, error: `the database refuses it: ${error.message} (${error.code})` };
      logger.warn(refusal, "app not stored; it is tried again later");
      const failed: Failure[] = [...part.failed, { ...refusal, step: "apply" }];
      await write(deps, leaseId, { ...part, apps: [], failed }, outcome);
      return;
    }
    const middle = Math.ceil(part.apps.length / 2);
    logger.debug({ apps: part.apps.length, code: error.code }, "write refused; trying its halves");
    await write(deps, leaseId, { ...part, apps: part.apps.slice(0, middle) }, outcome);
    await write(deps, leaseId, { apps: part.apps.slice(middle), unknown: [], failed: [], tokens: [] }, outcome);
  }
}

const appidsOf = (apps: readonly { appid: number }[]) => apps.map((app) => app.appid);
