/**
 * Signals that arrive while the program is still loading. Linux discards a signal without a handler for process 1, which a container's
 * program is, so handlers must exist before the seconds that loading takes. This module imports nothing, for the same reason.
 */

export type StopSignal = "SIGTERM" | "SIGINT";

let received: StopSignal | null = null;
const remember = (signal: StopSignal) => {
  received ??= signal;
};

/** Remembers a stop signal until {@link takeEarlySignal}. */
export function holdSignals(): void {
  process.on("SIGTERM", remember);
  process.on("SIGINT", remember);
}

/** The first signal since {@link holdSignals}, or null. Later ones are no longer held: the caller must have handlers of its own. */
export function takeEarlySignal(): StopSignal | null {
  process.off("SIGTERM", remember);
  process.off("SIGINT", remember);
  const signal = received;
  received = null;
  return signal;
}
