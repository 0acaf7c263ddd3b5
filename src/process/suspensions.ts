/**
 * Time during which this process did not run: the machine slept, the container was paused (SIGSTOP, `docker pause`), or something
 * blocked the event loop. Such time is no lack of progress, so health and watchdog do not count it.
 */
export interface Suspension {
  /** ISO 8601 in UTC, both. */
  from: string;
  until: string;
}

export interface SuspensionDetector {
  /** The latest, oldest first; up to now, even when the process has only just been resumed. */
  recent(): Suspension[];
  stop(): void;
}

const tickMs = 1_000;
/** A tick that comes later than this was held up by a suspension, not by load. */
const lateMs = 5_000;
/** More would only matter to a loop without progress over all of them. */
const keptSuspensions = 20;

/**
 * Detects suspensions by a timer: a tick that comes far too late ends one. Measured by the wall clock, because the monotonic clock stands
 * still while a machine sleeps; a wall clock that is set forward therefore counts as a suspension, which is as harmless.
 */
export function detectSuspensions(
  onSuspension: (suspension: Suspension) => void,
  now: () => number = Date.now,
): SuspensionDetector {
  let tickedAt = now();
  let suspensions: Suspension[] = [];

  function tick(): void {
    const from = tickedAt;
    tickedAt = now();
    if (tickedAt - from <= lateMs) return;
    const suspension = { from: new Date(from).toISOString(), until: new Date(tickedAt).toISOString() };
    suspensions = [...suspensions, suspension].slice(-keptSuspensions);
    onSuspension(suspension);
  }

  const timer = setInterval(tick, tickMs);
  timer.unref();
  return {
    recent() {
      // Timers run in no certain order after a suspension: the reader may come first.
      tick();
      return suspensions;
    },
    stop: () => clearInterval(timer),
  };
}

/** Milliseconds from `since` to `until` (both since 1970) without the suspensions in between. */
export function runningMs(since: number, until: number, suspensions: readonly Suspension[] = []): number {
  const suspendedMs = suspensions.map(
    (span) => Math.min(until, Date.parse(span.until)) - Math.max(since, Date.parse(span.from)),
  );
  return until - since - suspendedMs.reduce((total, ms) => total + Math.max(0, ms), 0);
}
