// @ts-check
import { clock, duration, words } from "./format.js";

/**
 * What the service does, in one word and, while something is away, in a sentence. Pure.
 *
 * @typedef {import("./live.js").Messages["status"]} Status
 * @typedef {{ label: string, tone: "good" | "info" | "warn" | "neutral" }} State
 */

/** @param {{ phase: string }} connection @param {Status | null} status @returns {State} */
export function stateOf({ phase }, status) {
  if (phase === "offline") return { label: "offline", tone: "warn" };
  if (status === null) return { label: "connecting", tone: "neutral" };
  const { health } = status;
  if (health.status === "unhealthy") return { label: "unhealthy", tone: "warn" };
  if (outageOf(status, 0) !== null) return { label: "degraded", tone: "warn" };
  if (isConnecting(status)) return { label: "starting", tone: "neutral" };
  if (health.status === "degraded") return { label: "degraded", tone: "warn" };
  if (isLoading(status)) return { label: "loading", tone: "good" };
  if (status.monitor !== null && health.status === "ok") return { label: "following", tone: "good" };
  if (status.bulk?.phase === "done") return { label: "done", tone: "good" };
  if (health.status === "starting") return { label: "starting", tone: "neutral" };
  return { label: words(status.mode), tone: "good" };
}

/** A pass over the catalog is under way. @param {Status} status */
export const isLoading = ({ bulk }) => bulk !== null && bulk.phase !== "done";

/** The first connection to Steam or the database is not made yet, and has not failed. @param {Status} status */
const isConnecting = ({ steam, database }) =>
  (!database.reachable && database.last_error === null) ||
  (steam !== null && !steam.connected && steam.last_error === null);

/**
 * What is away, since when, and what is tried next; null while nothing is. Before a first connection nothing is away yet.
 *
 * @param {Status} status @param {number} now milliseconds since 1970 by the service's clock
 * @returns {{ what: string, next: string } | null}
 */
export function outageOf({ steam, database, health }, now) {
  if (database.fault)
    return { what: `The database does not work: ${sentence(database.fault)}`, next: "It is tried again and again." };
  if (!database.reachable && database.last_error !== null) return away("The database", database, now);
  if (steam && !steam.connected && steam.last_error !== null) return away("Steam", steam, now);
  return health.status === "unhealthy"
    ? { what: sentence(health.reasons.join(". ")), next: "A restart may help." }
    : null;
}

/**
 * @param {string} name
 * @param {{ last_error: string | null, away_since?: string | null, next_attempt_at?: string | null }} connection @param {number} now
 */
function away(name, { last_error, away_since, next_attempt_at }, now) {
  const since = away_since ? ` since ${clock(away_since)} (${duration((now - Date.parse(away_since)) / 1_000)})` : "";
  const seconds = (Date.parse(next_attempt_at ?? "") - now) / 1_000;
  const attempt = seconds > 0 ? `The next attempt is in ${duration(Math.ceil(seconds))}.` : "An attempt is under way.";
  return { what: `${name} is away${since}.`, next: `${sentence(last_error ?? "no answer")} ${attempt}` };
}

/** With one full stop, and a capital letter. @param {string} text */
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.+$/, "")}.`;
