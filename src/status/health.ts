import { runningMs } from "../process/suspensions.ts";
import type { LoopSnapshot, ServiceSnapshot } from "./snapshot.ts";

/**
 * Liveness of a worker, derived from its snapshot. Pure: the time is an argument (milliseconds since 1970), there is no I/O.
 */
export interface Health {
  status: "starting" | "ok" | "degraded" | "unhealthy";
  /** Messages for operators; empty when healthy. */
  reasons: string[];
}

export interface Readiness {
  ready: boolean;
  reasons: string[];
}

/**
 * Unhealthy means that a restart may help: a loop is dead, or made no progress for longer than its own limit while its dependencies were
 * available and the process ran. When Steam or the database is unreachable, or the database refuses its work, a restart does not help:
 * the worker is degraded.
 */
export function assessHealth(snapshot: ServiceSnapshot, now: number): Health {
  const faults = snapshot.loops.flatMap((loop) => faultOf(loop, snapshot, now) ?? []);
  if (faults.length > 0) return { status: "unhealthy", reasons: faults };

  const missing = [];
  if (!snapshot.database.reachable) missing.push(unreachable("the database", snapshot.database.last_error));
  else if (snapshot.database.fault) missing.push(databaseFault(snapshot.database.fault));
  if (snapshot.steam && !snapshot.steam.connected) missing.push(unreachable("Steam", snapshot.steam.last_error));
  const waiting = snapshot.loops.filter((loop) => loop.state === "waiting").map((loop) => `${loop.name} is waiting`);
  const starting = snapshot.loops.filter((loop) => loop.state === "starting").map((loop) => `${loop.name} is starting`);

  const isStarting = !snapshot.database.fault && (snapshot.loops.length === 0 || starting.length > 0);
  if (isStarting) return { status: "starting", reasons: [...starting, ...missing] };
  if (snapshot.loops.length > 0 && snapshot.loops.every((loop) => loop.state === "done"))
    return { status: "ok", reasons: [] };
  const reasons = [...missing, ...waiting];
  return { status: reasons.length > 0 ? "degraded" : "ok", reasons };
}

/**
 * Readiness: no command is ready while the database refuses its work. Otherwise a monitor is ready once the catalog is loaded and its lag is below two polls, a drain-only one once it is connected, any
 * other command as soon as it runs.
 */
export function assessReady(snapshot: ServiceSnapshot, now: number): Readiness {
  const health = assessHealth(snapshot, now);
  if (health.status === "unhealthy") return { ready: false, reasons: health.reasons };
  const { fault } = snapshot.database;
  if (fault) return { ready: false, reasons: [databaseFault(fault)] };
  const reasons = isMonitor(snapshot) ? monitorReasons(snapshot) : health.status === "starting" ? health.reasons : [];
  if (health.status === "starting" && reasons.length === 0) reasons.push("the worker is starting");
  return { ready: reasons.length === 0, reasons };
}

function isMonitor(snapshot: ServiceSnapshot): boolean {
  return snapshot.mode === "change_monitor" || snapshot.mode === "sync";
}

function monitorReasons({ monitor, steam }: ServiceSnapshot): string[] {
  if (monitor?.drain_only) return steam?.connected ? [] : ["Steam is not connected"];
  if (!monitor?.bulk_completed_at) return ["the first bulk sync is not complete yet"];
  // Only the leader polls; the other workers fetch pending apps.
  if (monitor.leading && !monitor.last_poll_at) return ["no poll for changes has succeeded yet"];
  const limitSeconds = 2 * monitor.poll_interval_seconds;
  if ((monitor.lag_seconds ?? 0) < limitSeconds) return [];
  return [`lag is ${Math.round(monitor.lag_seconds ?? 0)} s, the limit is ${limitSeconds} s`];
}

function faultOf(loop: LoopSnapshot, snapshot: ServiceSnapshot, now: number): string | null {
  if (loop.state === "dead") return `${loop.name} is dead`;
  if (loop.state === "done") return null;
  const needs = loop.needs ?? ["steam", "database"];
  const since = [loop.last_progress_at ?? snapshot.started_at];
  if (needs.includes("steam")) {
    if (!snapshot.steam?.connected) return null;
    since.push(snapshot.steam.connected_since ?? snapshot.started_at);
  }
  if (needs.includes("database")) {
    if (!snapshot.database.reachable || snapshot.database.fault) return null;
    since.push(snapshot.database.reachable_since ?? snapshot.started_at);
  }
  const idleMs = runningMs(Math.max(...since.map(Date.parse)), now, snapshot.suspensions);
  if (idleMs <= loop.limit_ms) return null;
  return `${loop.name} has made no progress for ${Math.round(idleMs / 1000)} s`;
}

function unreachable(name: string, error: string | null): string {
  return error ? `${name} is unreachable: ${error}` : `${name} is not connected yet`;
}

const databaseFault = (fault: string) => `the database does not work: ${fault}`;
