import { exitCodes } from "../process/lifecycle.ts";
import { runningMs } from "../process/suspensions.ts";
import { assessHealth } from "./health.ts";
import type { ServiceSnapshot } from "./snapshot.ts";

export interface WatchdogOptions {
  snapshot: () => ServiceSnapshot;
  /** Unhealthy for this long: exit 70, and the platform restarts the process. */
  watchdogMs: number;
  /** Steam or the database unreachable, or the database at fault, for this long: exit 75. Null for a service, which keeps trying. */
  giveUpAfterMs: number | null;
  onExit: (code: number, reason: string) => void;
  now?: () => number;
}

const intervalMs = 1_000;

/**
 * Watchdog: checks the worker's own snapshot every second and ends the process when only a restart helps, because platforms such as
 * Railway probe a service only while it starts. Time during which the process did not run counts for nothing.
 *
 * @returns a function that stops the watchdog.
 */
export function startWatchdog(options: WatchdogOptions): () => void {
  const { now = Date.now, giveUpAfterMs } = options;
  const startedAt = now();
  let healthyAt = startedAt;
  /** Null until the first logon attempt: loading steam-user blocks the event loop for seconds and is no outage. */
  let steamAt: number | null = null;
  let databaseAt = startedAt;

  const timer = setInterval(() => {
    const snapshot = options.snapshot();
    const health = assessHealth(snapshot, now());
    if (health.status !== "unhealthy") healthyAt = now();
    if (snapshot.steam?.connected) steamAt = now();
    else if (snapshot.steam !== null) steamAt ??= now();
    const { reachable, fault } = snapshot.database;
    if (reachable && !fault) databaseAt = now();
    const forMs = (since: number) => runningMs(since, now(), snapshot.suspensions);

    if (forMs(healthyAt) >= options.watchdogMs) {
      exit(exitCodes.unhealthy, `unhealthy for ${seconds(options.watchdogMs)}: ${health.reasons.join("; ")}`);
    } else if (giveUpAfterMs !== null && forMs(Math.min(steamAt ?? now(), databaseAt)) >= giveUpAfterMs) {
      const isSteam = steamAt !== null && steamAt < databaseAt;
      const what = isSteam
        ? "Steam could not be reached"
        : fault
          ? "the database did not work"
          : "the database could not be reached";
      const last = isSteam ? (snapshot.steam?.last_error ?? null) : fault || snapshot.database.last_error;
      const why = last === null ? "" : `: ${last}`;
      exit(exitCodes.unreachable, `giving up: ${what} for ${seconds(giveUpAfterMs)}${why}`);
    }
  }, intervalMs);
  const stop = () => clearInterval(timer);

  function exit(code: number, reason: string) {
    stop();
    options.onExit(code, reason);
  }
  return stop;
}

const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
