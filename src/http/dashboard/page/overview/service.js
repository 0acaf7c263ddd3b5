// @ts-check
import { el, fill } from "../dom.js";
import { count, dateAndClock, duration, sizeWithGrowth, words } from "../format.js";
import { onMessage } from "../live.js";

/**
 * The service itself, as the last line of the page: what it is, how long it runs, where it stores, and what its last pass did.
 *
 * @typedef {import("../state.js").Status} Status
 */

/** @param {AbortSignal} signal */
export function serviceLine(signal) {
  const element = el("footer", { class: "service" });
  onMessage("status", (status) => fill(element, ...partsOf(status).map((part) => el("span", {}, part))), signal);
  return element;
}

/** @param {Status} status @returns {string[]} */
function partsOf(status) {
  const { mode, uptime_seconds, started_at, database, catalog, bulk, steam, webhooks, monitor } = status;
  const size = catalog?.size;
  const parts = [
    `${words(mode)}${monitor?.drain_only ? ", fetches only" : ""}`,
    `up for ${duration(uptime_seconds)}, since ${dateAndClock(started_at)}`,
    size ? `${database.driver}, ${sizeWithGrowth(size)}` : database.driver,
    bulk?.phase === "done" ? `last pass: ${passText(bulk)}` : completedText(catalog?.bulk_completed_at),
    steam && steam.reconnect_attempts > 0 && `${count(steam.reconnect_attempts)} reconnects to Steam`,
    webhooks && webhooks.total > 0 && `webhooks: ${webhookText(webhooks)}`,
  ];
  return parts.filter((part) => typeof part === "string");
}

/** @param {string | null | undefined} time */
const completedText = (time) => time && `last full pass: ${dateAndClock(time)}`;

/** @param {NonNullable<Status["bulk"]>} bulk */
function passText({ done, failed, elapsed_seconds, rate_per_second }) {
  const failures = failed > 0 ? `, ${count(failed)} failed` : "";
  const time =
    elapsed_seconds === undefined ? "" : ` in ${duration(elapsed_seconds)} (${count(rate_per_second)} a second)`;
  return `${count(done)} apps${time}${failures}`;
}

/** @param {NonNullable<Status["webhooks"]>} webhooks */
function webhookText({ total, failing, dead, disabled }) {
  const faults = [failing && `${failing} failing`, dead && `${dead} given up`, disabled && `${disabled} disabled`];
  return [count(total), ...faults.filter(Boolean)].join(", ");
}
