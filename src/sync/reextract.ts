import { promisify } from "node:util";
import { inflate } from "node:zlib";
import { extractorVersion } from "../catalog/extract.ts";
import type { KeptClaim } from "../db/sync-calls.ts";
import { createRateMeter } from "../process/rate-meter.ts";
import { sleep } from "../process/time.ts";
import type { AppPayload } from "../steam/port.ts";
import { type BatchOutcome, storeFetched, type WriteDeps } from "./apply-batch.ts";
import type { Failure } from "./extract-batch.ts";
import { type Lease, startLease } from "./lease.ts";

/**
 * Reads kept texts again, of which an older version of the extractor made the records, and writes what it finds through
 * the one write path. Steam is not asked.
 *
 * The database holds the progress: an app is done when `sync_status.extractor_version` is the current one, so that a run
 * that was killed is continued by the next. Apps are claimed under leases, beside workers that fetch and other runs.
 */
export interface ReextractOptions extends WriteDeps {
  leaseMs: number;
  /** Apps in one claim. */
  batchSize: number;
  /** Batches in work at the same time. */
  concurrency: number;
}

export interface ReextractProgress {
  /** Apps to read again. */
  total: number;
  done: number;
  failed: number;
  rate_per_second: number;
  eta_seconds: number | null;
}

export interface ReextractSummary {
  /** Apps that were read again and written. */
  stored: number;
  failed: Failure[];
  /** Apps that other workers held until the end. */
  left: number;
  /** Apps that an older version read and whose text is not kept. */
  not_kept: number;
  /** Apps that are not stored because APP_TYPES leaves their type out. */
  skipped: number;
  duration_seconds: number;
}

export interface Reextract {
  /** Rejects when a batch fails for a reason that is no single app's, and after `stop`. */
  run(): Promise<ReextractSummary>;
  status(): ReextractProgress;
  /** Takes no more work, and waits for what is in flight. */
  stop(): Promise<void>;
}

/** Passes in a row that find nothing but apps that other workers hold. */
const maxIdlePasses = 3;
const minWaitMs = 20;
const inflateAsync = promisify(inflate);
/** Larger than any text that Steam sends. */
const maxTextBytes = 64 * 1024 * 1024;

export function createReextract(options: ReextractOptions): Reextract {
  const { store } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const meter = createRateMeter();
  const failed = new Map<number, Failure>();
  let total = 0;
  let stored = 0;
  let ended: Promise<unknown> = Promise.resolve();

  /** One walk over the outdated apps. Returns how many it read, and when the first that others hold is free. */
  async function pass(): Promise<{ apps: number; dueMs: number | null }> {
    let after = 0;
    let apps = 0;
    let dueMs: number | null = null;
    async function worker(): Promise<void> {
      for (;;) {
        signal.throwIfAborted();
        const lease = startLease(store, options.leaseMs, new AbortController().signal);
        try {
          const claim = await claimKept(options, lease, { after, except: [...failed.keys()] });
          after = Math.max(after, claim.apps.at(-1)?.appid ?? 0);
          if (claim.apps.length === 0) {
            dueMs = claim.due_in_seconds === null ? null : claim.due_in_seconds * 1_000;
            return;
          }
          apps += claim.apps.length;
          const outcome = await readAgain(options, lease, claim.apps);
          meter.add(claim.apps.length);
          stored += outcome?.stored ?? 0;
          for (const failure of outcome?.failures ?? []) failed.set(failure.appid, failure);
        } finally {
          lease.end();
        }
      }
    }
    await settleAll(Array.from({ length: options.concurrency }, worker));
    return { apps, dueMs };
  }

  async function run(): Promise<ReextractSummary> {
    const startedAt = performance.now();
    total = (await store.outdated(extractorVersion)).kept;
    for (let idle = 0; idle < maxIdlePasses; ) {
      const { apps, dueMs } = await pass();
      if (dueMs === null) break;
      idle = apps > 0 ? 0 : idle + 1;
      await sleep(Math.max(dueMs, minWaitMs), signal);
    }
    const { kept, not_kept, skipped } = await store.outdated(extractorVersion);
    const failures = [...failed.values()];
    return {
      stored,
      failed: failures,
      left: Math.max(0, kept - failures.length),
      not_kept,
      skipped,
      duration_seconds: (performance.now() - startedAt) / 1_000,
    };
  }

  return {
    run() {
      const running = run();
      ended = running.catch(() => {});
      return running;
    },
    status() {
      const done = stored + failed.size;
      return {
        total: Math.max(total, done),
        done: stored,
        failed: failed.size,
        rate_per_second: meter.rate(),
        eta_seconds: meter.etaSeconds(total - done),
      };
    },
    async stop() {
      stopping.abort(new DOMException("stopped", "AbortError"));
      await ended;
    },
  };
}

function claimKept(
  { store, batchSize, leaseMs }: ReextractOptions,
  lease: Lease,
  range: { after: number; except: readonly number[] },
): Promise<KeptClaim> {
  return store.claimKept({ leaseId: lease.id, max: batchSize, leaseMs, extractorVersion, ...range });
}

/** Writes a claimed batch. One that fails is given back, so that the next run need not wait for the lease to lapse. */
async function readAgain(
  options: ReextractOptions,
  lease: Lease,
  claimed: KeptClaim["apps"],
): Promise<BatchOutcome | null> {
  try {
    const apps = await Promise.all(claimed.map(payloadOf));
    const fetched = { apps, unknown: [], failed: [], tokens: [] };
    return await storeFetched(options, lease, fetched, { isReextract: true });
  } catch (error) {
    await options.store.releaseKept(lease.id);
    if (!lease.signal.aborted) throw error;
    options.logger.info({ apps: claimed.length }, "lease expired: batch given back; run it again to read these apps");
    return null;
  }
}

async function payloadOf({ appid, change_number, partial, data }: KeptClaim["apps"][number]): Promise<AppPayload> {
  const payload = { appid, changeNumber: change_number, missingToken: partial, onlyPublic: partial };
  try {
    const text = await inflateAsync(Buffer.from(data, "base64"), { maxOutputLength: maxTextBytes });
    // Without bytes, since the text is kept already.
    return { ...payload, text: text.toString("utf8"), bytes: null, error: null };
  } catch (error) {
    return { ...payload, text: null, bytes: null, error: `its kept text is damaged: ${String(error)}` };
  }
}

/** Waits for all, then throws the first error, so that nothing is in flight when it is reported. */
async function settleAll(work: Promise<void>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}
