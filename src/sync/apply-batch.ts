import type { Logger } from "pino";
import { extractApp, extractorVersion } from "../catalog/extract.ts";
import type {
  ApplyReply,
  ApplyRequest,
  CatalogStore,
  ClaimedApp,
  StoredRecord,
  UnknownRule,
} from "../db/catalog-store.ts";
import type { Backoff } from "../process/backoff.ts";
import { DatabaseError } from "../process/errors.ts";
import { nextTurn } from "../process/time.ts";
import type { AppPayload, Pics } from "../steam/port.ts";
import { type AskAgain, defaultAskAgain } from "./ask-again.ts";
import { type FetchedApps, fetchApps, isWithheld } from "./fetch-apps.ts";
import type { KeyCensus } from "./key-census.ts";
import type { Lease } from "./lease.ts";

/**
 * The one write path: fetch → extract → apply. Bulk sync and change monitor differ only in how apps come to be pending.
 */
export interface BatchDeps {
  pics: Pics;
  store: CatalogStore;
  logger: Logger;
  /** Most apps in one write. */
  upsertBatchSize: number;
  /** Delay before the next attempt at an app that failed. The database computes it, without jitter. */
  appBackoff: Backoff;
  /** When "unknown" is believed about an app that is stored and known. */
  unknownRule: UnknownRule;
  /** What is done about apps that Steam's replies leave out; as {@link defaultAskAgain} when absent. */
  askAgain?: AskAgain;
  /** Record each field that changes on an app that was stored before. */
  history: boolean;
  observe?: BatchObserver;
  /** Counts the keys that the extractor does not read; absent: they are not counted. */
  census?: KeyCensus;
}

/** Receives measurements of every batch, for metrics. */
export interface BatchObserver {
  step(step: BatchStep, seconds: number): void;
  outcome(outcome: BatchOutcome): void;
}

export type BatchStep = "fetch" | "extract" | "apply";

export interface BatchOutcome extends Omit<ApplyReply, "doubted"> {
  failures: Failure[];
}

const outcomeCounts = ["stored", "stale", "unknown", "unconfirmed", "withheld", "failed", "lease_lost"] as const;

/** An app that was not stored, and the step that failed; `apply` means that the database rejected it. */
export interface Failure {
  appid: number;
  error: string;
  step: BatchStep;
  /** Steam did not answer for it, neither with the app nor as unknown. */
  silent?: boolean;
}

/** A claimed batch after fetch and extract, ready to be written. */
interface ExtractedBatch extends Pick<ApplyRequest, "apps" | "unknown" | "tokens"> {
  failed: Failure[];
}

/**
 * Fetches, extracts and stores claimed apps under their lease.
 *
 * An app that fails, whether its text cannot be read or Postgres rejects it, is recorded with its error and does not
 * affect the others. Outages are waited for and fail no app. Throws the reason of `lease.signal` when it aborts
 * (nothing is lost: the apps stay pending), and errors that are no single app's fault.
 */
export async function applyBatch(deps: BatchDeps, lease: Lease, claimed: readonly ClaimedApp[]): Promise<BatchOutcome> {
  const timed = async <T>(step: BatchStep, work: () => T | Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const result = await work();
    deps.observe?.step(step, (performance.now() - startedAt) / 1_000);
    return result;
  };
  const fetched = await timed("fetch", () => fetchApps(deps.pics, lease, claimed, deps.askAgain ?? defaultAskAgain));
  const batch = await timed("extract", () => extractBatch(fetched, deps));
  const outcome: BatchOutcome = {
    stored: 0,
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
    await timed("apply", () => write(deps, lease.id, part, outcome));
  }
  deps.observe?.outcome(outcome);
  return outcome;
}

/** Apps extracted in one turn of the event loop: two or three milliseconds. */
const appsPerTurn = 40;
const notStored = "app not stored; it is retried with backoff";

async function extractBatch(
  { apps, unknown, failed, tokens }: FetchedApps,
  { logger, census }: BatchDeps,
): Promise<ExtractedBatch> {
  const records: StoredRecord[] = [];
  const failures: Failure[] = failed.map((failure) => ({ ...failure, step: "fetch" }));
  for (const [index, payload] of apps.entries()) {
    // Yields to the event loop between replies and between their parts, so that requests such as /health are answered
    // meanwhile.
    if (index % appsPerTurn === 0) await nextTurn();
    try {
      records.push(toRecord(payload, census));
    } catch (error) {
      const step = payload.text === null ? "fetch" : "extract";
      failures.push({ appid: payload.appid, error: error instanceof Error ? error.message : String(error), step });
    }
  }
  for (const { appid, error } of failures) logger.warn({ appid, error }, notStored);
  return { apps: records, unknown, failed: failures, tokens };
}

function toRecord(payload: AppPayload, census: KeyCensus | undefined): StoredRecord {
  if (payload.text === null) throw new Error(payload.error ?? "Steam sent no app info");
  const { record, isPartial, lacks, unread } = extractApp(payload.appid, payload.text, isWithheld(payload));
  census?.count(payload.appid, unread);
  return {
    ...record,
    change_number: payload.changeNumber,
    partial: isPartial,
    // Also where only the text says so (`public_only`): the rest is requested again with a token.
    missing_token: isPartial,
    lacks,
  };
}

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
async function write(deps: BatchDeps, leaseId: string, part: ExtractedBatch, outcome: BatchOutcome): Promise<void> {
  const { store, logger, appBackoff, unknownRule, history } = deps;
  try {
    const failed = part.failed.map(({ appid, error }) => ({ appid, error }));
    const reply = await store.apply({ leaseId, ...part, failed, extractorVersion, appBackoff, unknownRule, history });
    for (const key of outcomeCounts) outcome[key] += reply[key];
    outcome.mass_unknown ||= reply.mass_unknown;
    outcome.failures.push(...part.failed, ...reply.doubted.map((doubted) => ({ ...doubted, step: "fetch" as const })));
    for (const doubted of reply.doubted) logger.warn(doubted, notStored);
  } catch (error) {
    if (!(error instanceof DatabaseError) || (error.fault !== "data" && error.fault !== "timeout")) throw error;
    if (part.apps.length === 0) throw error;
    for (const smaller of bisect(deps.logger, part, error)) await write(deps, leaseId, smaller, outcome);
  }
}

/** The two halves of a rejected part. A poison app that is alone is recorded as failed, in place of its record. */
function bisect(logger: Logger, part: ExtractedBatch, error: DatabaseError): ExtractedBatch[] {
  const [first, ...others] = part.apps;
  if (first !== undefined && others.length === 0) {
    const rejection = { appid: first.appid, error: `the database rejects it: ${error.message} (${error.code})` };
    logger.warn(rejection, notStored);
    return [{ ...part, apps: [], failed: [...part.failed, { ...rejection, step: "apply" }] }];
  }
  const middle = Math.ceil(part.apps.length / 2);
  logger.debug({ apps: part.apps.length, code: error.code }, "write rejected; retrying its halves");
  return [{ ...part, apps: part.apps.slice(0, middle) }, onlyApps(part.apps.slice(middle))];
}
