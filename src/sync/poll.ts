import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";
import type { MonitorLease } from "../db/leader-lease.ts";
import type { MonitorState } from "../db/sync-calls.ts";
import { SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import type { ChangesSince, Pics } from "../steam/port.ts";
import type { GapSweep } from "./gap-sweep.ts";

/** How far back Steam lists changes: about 5,000 numbers (steam-user's documentation; its live behaviour varies). */
export const changeWindow = 5_000;

/**
 * The poll loop of the change monitor. Each poll:
 *
 * 1. acquires or renews the leader lease, and ends here (steps down) when another worker leads;
 * 2. asks Steam what changed since the cursor;
 * 3. opens a gap when Steam could not list everything;
 * 4. stores what was announced, in the transaction that moves the cursor, unless nothing was;
 * 5. starts, invalidates or finishes the gap sweep.
 */
export interface Poller {
  /** Polls until `signal` aborts; rejects for a fault that a retry does not cure. */
  run(): Promise<void>;
  status(): PollStatus;
  /** When the last poll came to its end, also one of a worker that does not lead; ISO 8601. */
  lastProgressAt(): string | null;
}

export interface PollStatus {
  leading: boolean;
  last_change_number: number | null;
  last_poll_at: string | null;
  bulk_completed_at: string | null;
  /** Replies so far that named neither an app nor a package although the change number had risen; normal when small. */
  empty_changelists: number;
}

export interface PollerDeps {
  pics: Pick<Pics, "ready" | "changesSince">;
  store: Pick<CatalogStore, "poll" | "openGap" | "finishSweep">;
  logger: Logger;
  /** Of the role `monitor`, for `workerId`. */
  lease: MonitorLease;
  workerId: string;
  sweep: GapSweep;
  pollIntervalMs: number;
  /** Between two sweeps against silent drift; 0 is never. */
  reconcileIntervalMs: number;
  /** A reply that names nothing although the change number rose by more than this is a gap. */
  emptyJumpMax: number;
  /** For when a worker that does not lead takes its turns; tests replace it. */
  random?: () => number;
  signal: AbortSignal;
  /** Called when a poll has marked apps as pending. */
  onMarked: () => void;
  /** Called after each poll of the leader. */
  onPolled: () => void;
}

export function createPoller(deps: PollerDeps): Poller {
  const { pics, logger, pollIntervalMs, signal } = deps;
  const state: PollState = {
    status: {
      leading: false,
      last_change_number: null,
      last_poll_at: null,
      bulk_completed_at: null,
      empty_changelists: 0,
    },
    polledUpTo: null,
  };
  const { minMs, spreadMs } = followDelay;
  const followMs = Math.min(minMs + (deps.random ?? Math.random)() * spreadMs, pollIntervalMs / 2);
  let progressAt: string | null = null;

  return {
    /**
     * The interval is that between the starts of two polls; one that takes longer is followed by the next at once. A worker that does not
     * lead takes its turns shortly after those of the leader.
     */
    async run() {
      while (!signal.aborted) {
        const startedAt = performance.now();
        let shiftMs = 0;
        try {
          await pics.ready(signal);
          shiftMs = await poll(deps, state, followMs);
          progressAt = new Date().toISOString();
        } catch (error) {
          if (signal.aborted) return;
          if (!(error instanceof SteamError)) throw error;
          logger.warn({ fault: error.fault }, `poll failed: ${error.message}; the next poll asks for the same changes`);
        }
        const elapsedMs = performance.now() - startedAt;
        await sleep(Math.max(0, pollIntervalMs - shiftMs - elapsedMs), signal).catch(() => {});
      }
    },
    status: () => ({ ...state.status }),
    lastProgressAt: () => progressAt,
  };
}

interface PollState {
  status: PollStatus;
  /**
   * Everything announced up to this change number is durable; ahead of the cursor only while a gap is open. Null while
   * another worker leads.
   */
  polledUpTo: number | null;
}

/** Returns by how many milliseconds the next turn comes before a whole interval has passed; 0 for the leader. */
async function poll(deps: PollerDeps, state: PollState, followMs: number): Promise<number> {
  const { status } = state;
  const { leading, freeInMs, monitor } = await deps.lease.acquire();
  status.bulk_completed_at = monitor.bulk_completed_at;
  status.last_change_number = monitor.last_change_number;
  if (!leading) {
    stepDown(deps, state);
    return followingShiftMs(deps, freeInMs, followMs);
  }
  if (!status.leading) {
    deps.logger.info({ changeNumber: monitor.last_change_number }, "this worker leads now: it polls Steam");
  }
  status.leading = true;

  // Only a gap lets polls run ahead. Without one the cursor decides where to go on: another worker may have moved it.
  const cursor = monitor.last_change_number ?? 0;
  const since = monitor.gap === null ? cursor : Math.max(state.polledUpTo ?? 0, cursor);
  const changes = await deps.pics.changesSince(since, deps.signal);
  const isGap = since > 0 && mayBeIncomplete(since, changes, deps.emptyJumpMax);
  if (isGap) await openGap(deps, since, changes.currentChangeNumber);
  const accepted = isNothingNew(since, changes, isGap) || (await storeChanges(deps, state, since, changes));
  if (!accepted) {
    stepDown(deps, state);
    return 0;
  }
  state.polledUpTo = Math.max(since, changes.currentChangeNumber);
  status.last_poll_at = new Date().toISOString();
  if (since > 0 && !isGap && isEmptyJump(since, changes, 0)) status.empty_changelists += 1;
  await advanceSweep(deps, state, monitor, isGap);
  deps.onPolled();
  return 0;
}

/**
 * How long after the leader's turn another worker takes its own, chosen at random once: when the leader has stored what its poll announced,
 * which takes it about the latency of Steam, and not all at the same time.
 */
const followDelay = { minMs: 300, spreadMs: 2_000 };

/**
 * The other workers learn what is pending at their own turns, and every 10 s. So they follow the leader's, which renews its lease at each:
 * the time that the lease has left says how long ago that was. Where the workers' settings differ, their turns merely come at other times.
 */
function followingShiftMs({ lease, pollIntervalMs }: PollerDeps, freeInMs: number | null, followMs: number): number {
  if (freeInMs === null) return 0;
  const sinceLeaderMs = lease.leaseMs - freeInMs;
  const lateMs = (sinceLeaderMs - followMs + pollIntervalMs) % pollIntervalMs;
  // A turn that came a little early is no reason for another one at once.
  return lateMs > 0.9 * pollIntervalMs ? lateMs - pollIntervalMs : lateMs;
}

/** The poll announced nothing at all, so that there is nothing to make durable. Without a cursor (0) there is always: the cursor. */
function isNothingNew(since: number, { currentChangeNumber, apps }: ChangesSince, isGap: boolean): boolean {
  return since > 0 && !isGap && currentChangeNumber === since && apps.length === 0;
}

/** Another worker leads: what this one knows of the cursor is out of date from now on. */
function stepDown({ logger, sweep }: PollerDeps, state: PollState): void {
  if (state.status.leading) logger.warn("another worker leads now; this one stops polling");
  state.status.leading = false;
  state.polledUpTo = null;
  sweep.cancel(new Error("another worker leads"));
}

async function openGap({ store, logger, workerId }: PollerDeps, from: number, to: number): Promise<void> {
  await store.openGap({ workerId, from, to });
  logger.warn({ from, to }, "gap: Steam cannot list these changes; a sweep of every app finds them");
}

/** False when the database refuses the changes, because another worker leads. */
async function storeChanges(deps: PollerDeps, state: PollState, since: number, changes: ChangesSince) {
  const { currentChangeNumber, apps } = changes;
  const reply = await deps.store.poll({ workerId: deps.workerId, since, changeNumber: currentChangeNumber, apps });
  if (!reply.accepted) return false;
  state.status.last_change_number = reply.last_change_number;
  if (reply.marked > 0) deps.onMarked();
  deps.logger.debug({ since, current: currentChangeNumber, apps: apps.length, marked: reply.marked }, "polled");
  return true;
}

/** Part of a poll, so that no other poll is under way while the cursor moves. */
async function advanceSweep(deps: PollerDeps, state: PollState, monitor: MonitorState, isGap: boolean) {
  const { sweep } = deps;
  if (isGap) sweep.invalidate();
  if (sweep.state() === "complete" || sweep.state() === "failed") return await finishSweep(deps, state);
  const isDue = isGap || monitor.gap !== null || isReconcileDue(monitor, deps.reconcileIntervalMs);
  if (sweep.isReady() && isDue) sweep.start();
}

/** Closes the gaps and moves the cursor to where polls are durable, past what the sweep found. */
async function finishSweep({ store, sweep, workerId }: PollerDeps, { polledUpTo, status }: PollState): Promise<void> {
  const result = sweep.collect();
  if (result === null || polledUpTo === null) return;
  const reply = await store.finishSweep({ workerId, seconds: result.seconds, changeNumber: polledUpTo });
  if (reply.accepted) status.last_change_number = reply.last_change_number;
}

/** Whether changes after `since` may be missing from the answer. The flag for packages alone means nothing here. */
function mayBeIncomplete(since: number, changes: ChangesSince, emptyJumpMax: number): boolean {
  return (
    changes.forceFullUpdate ||
    changes.forceFullAppUpdate ||
    changes.sinceChangeNumber !== since ||
    changes.currentChangeNumber - since > changeWindow ||
    isEmptyJump(since, changes, emptyJumpMax)
  );
}

/** Whether the change number rose by more than `max`, and the answer names neither an app nor a package. */
function isEmptyJump(since: number, { currentChangeNumber, appsNamed, packages }: ChangesSince, max: number): boolean {
  return currentChangeNumber - since > max && appsNamed === 0 && packages === 0;
}

function isReconcileDue({ bulk_completed_at, reconciled_seconds_ago }: MonitorState, intervalMs: number): boolean {
  if (intervalMs === 0 || bulk_completed_at === null) return false;
  return reconciled_seconds_ago === null || reconciled_seconds_ago * 1_000 >= intervalMs;
}
