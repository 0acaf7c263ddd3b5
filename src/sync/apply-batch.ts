import type { Logger } from "pino";
import { extractorVersion } from "../catalog/extract.ts";
import type { CatalogStore } from "../db/catalog-store.ts";
import type { ApplyReply, AppTypes, ClaimedApp, UnknownRule } from "../db/sync-calls.ts";
import type { Backoff } from "../process/backoff.ts";
import { DatabaseError } from "../process/errors.ts";
import type { Pics } from "../steam/port.ts";
import { type AskAgain, defaultAskAgain } from "./ask-again.ts";
import { type ExtractedBatch, extractBatch, type Failure, type Keep } from "./extract-batch.ts";
import { type FetchedApps, fetchApps } from "./fetch-apps.ts";
import type { KeyCensus } from "./key-census.ts";
import type { Lease } from "./lease.ts";

/** What extracting and storing needs, wherever the texts come from. */
export interface WriteDeps {
  store: CatalogStore;
  logger: Logger;
  /** Most apps in one write. */
  upsertBatchSize: number;
  /** Delay before the next attempt at an app that failed. The database computes it, without jitter. */
  appBackoff: Backoff;
  /** When "unknown" is believed about an app that is stored and known. */
  unknownRule: UnknownRule;
  keep: Keep;
  /** Record each field that changes on an app that was stored before. */
  history: boolean;
  /** The only types of which new apps are stored; of the others change number and type are kept. Null or absent for all. */
  types?: AppTypes;
  observe?: BatchObserver;
  /** Counts the keys that the extractor does not read; absent: they are not counted. */
  census?: KeyCensus;
}

/**
 * The one write path: fetch → extract → apply. Bulk sync and change monitor differ only in how apps come to be pending,
 * and `reextract` in where their texts come from.
 */
export interface BatchDeps extends WriteDeps {
  pics: Pics;
  /** What is done about apps that Steam's replies leave out; as {@link defaultAskAgain} when absent. */
  askAgain?: AskAgain;
}

/** Receives measurements of every batch, for metrics. */
export interface BatchObserver {
  step(step: BatchStep, seconds: number): void;
  outcome(outcome: BatchOutcome): void;
}

export type BatchStep = Failure["step"];

export interface BatchOutcome extends Omit<ApplyReply, "doubted"> {
  failures: Failure[];
}

const outcomeCounts = [
  "stored",
  "skipped",
  "stale",
  "unknown",
  "unconfirmed",
  "withheld",
  "failed",
  "lease_lost",
] as const;

/**
 * Fetches, extracts and stores claimed apps under their lease.
 *
 * An app that fails, whether its text cannot be read or Postgres rejects it, is recorded with its error and does not
 * affect the others. Outages are waited for and fail no app. Throws the reason of `lease.signal` when it aborts
 * (nothing is lost: the apps stay pending), and errors that are no single app's fault.
 */
export async function applyBatch(deps: BatchDeps, lease: Lease, claimed: readonly ClaimedApp[]): Promise<BatchOutcome> {
  const fetched = await timed(deps, "fetch", () =>
    fetchApps(deps.pics, lease, claimed, deps.askAgain ?? defaultAskAgain),
  );
  return storeFetched(deps, lease, fetched, { isReextract: false });
}

/** Extracts and stores what was fetched, or kept (`isReextract`), under its lease; see {@link applyBatch}. */
export async function storeFetched(
  deps: WriteDeps,
  lease: Lease,
  fetched: FetchedApps,
  { isReextract }: { isReextract: boolean },
): Promise<BatchOutcome> {
  const batch = await timed(deps, "extract", () => extractBatch(fetched, deps));
  const claim: Claim = { leaseId: lease.id, isReextract };
  for (const { appid, error } of batch.failed) deps.logger.debug({ appid, error }, notStored(claim));
  const outcome: BatchOutcome = {
    stored: 0,
    skipped: 0,
    stale: 0,
    unknown: 0,
    unconfirmed: 0,
    withheld: 0,
    failed: 0,
    lease_lost: 0,
    mass_unknown: false,
    failures: [],
  };
  for (const part of chunks(batch, deps.upsertBatchSize)) {
    lease.signal.throwIfAborted();
    await timed(deps, "apply", () => write(deps, claim, part, outcome));
  }
  deps.observe?.outcome(outcome);
  return outcome;
}

async function timed<T>({ observe }: WriteDeps, step: BatchStep, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  observe?.step(step, (performance.now() - startedAt) / 1_000);
  return result;
}

interface Claim {
  leaseId: string;
  /** The texts are kept ones: Steam was not asked. */
  isReextract: boolean;
}

/** At debug: the loops log many failures as one line (failure-log.ts). */
const notStored = ({ isReextract }: Claim) =>
  isReextract ? "app not read again; it stays as it is stored" : "app not stored; it is retried with backoff";

/** Parts of at most `size` apps; everything but the records is small and goes with the first. */
function* chunks(batch: ExtractedBatch, size: number): Generator<ExtractedBatch> {
  yield { ...batch, apps: batch.apps.slice(0, size) };
  for (let start = size; start < batch.apps.length; start += size) {
    yield onlyApps(batch.apps.slice(start, start + size));
  }
}

const onlyApps = (apps: ExtractedBatch["apps"]): ExtractedBatch => ({ apps, unknown: [], failed: [], tokens: [] });

/**
 * Writes a part and adds its counts to `outcome`. A part that Postgres rejects or does not finish in time is bisected.
 */
async function write(deps: WriteDeps, claim: Claim, part: ExtractedBatch, outcome: BatchOutcome): Promise<void> {
  const { store, logger, appBackoff, unknownRule, history, types } = deps;
  try {
    const failed = part.failed.map(({ appid, error }) => ({ appid, error }));
    const rules = { appBackoff, unknownRule, history, types };
    const reply = await store.apply({ ...claim, ...part, ...rules, failed, extractorVersion });
    for (const key of outcomeCounts) outcome[key] += reply[key];
    outcome.mass_unknown ||= reply.mass_unknown;
    outcome.failures.push(...part.failed, ...reply.doubted.map((doubted) => ({ ...doubted, step: "fetch" as const })));
    for (const doubted of reply.doubted) logger.debug(doubted, notStored(claim));
  } catch (error) {
    if (!(error instanceof DatabaseError) || (error.fault !== "data" && error.fault !== "timeout")) throw error;
    if (part.apps.length === 0) throw error;
    for (const smaller of bisect(deps.logger, claim, part, error)) await write(deps, claim, smaller, outcome);
  }
}

/** The two halves of a rejected part. A poison app that is alone is recorded as failed, in place of its record. */
function bisect(logger: Logger, claim: Claim, part: ExtractedBatch, error: DatabaseError): ExtractedBatch[] {
  const [first, ...others] = part.apps;
  if (first !== undefined && others.length === 0) {
    const rejection = { appid: first.appid, error: `the database rejects it: ${error.message} (${error.code})` };
    logger.debug(rejection, notStored(claim));
    return [{ ...part, apps: [], failed: [...part.failed, { ...rejection, step: "apply" }] }];
  }
  const middle = Math.ceil(part.apps.length / 2);
  logger.debug({ apps: part.apps.length, code: error.code }, "write rejected; retrying its halves");
  return [{ ...part, apps: part.apps.slice(0, middle) }, onlyApps(part.apps.slice(middle))];
}
