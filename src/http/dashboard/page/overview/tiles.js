// @ts-check
import { serviceNow } from "../clock.js";
import { el } from "../dom.js";
import { ago, bytes, clock, count, duration, hourOfDay, plural, unknown, zone } from "../format.js";
import { latestMessage, onConnection, onMessage } from "../live.js";

/**
 * The figures that matter, each a label, one number, and one line that explains it. What is unknown is "–".
 *
 * @typedef {import("../state.js").Status} Status
 * @typedef {[value: string, note: string]} Figure
 */

/** Complete minutes of the figure of changes. */
const recentMinutes = 10;

/** @param {AbortSignal} signal */
export function tiles(signal) {
  const apps = tile("Apps");
  const behind = tile("Behind Steam");
  const changes = tile("Changes");
  const failing = tile("Failing");
  const connections = tile("Steam · database");
  /** @type {import("../live.js").Connection} */
  let connection = { phase: "connecting", since: 0, isRefused: false };

  function render() {
    const status = latestMessage("status");
    if (!status) return;
    const asOf = connection.phase === "offline" ? `as of ${hourOfDay(connection.since)} ${zone()}` : null;
    const isFollowing = status.monitor !== null;
    const hasHistory = latestMessage("service")?.history !== false;
    behind.element.hidden = failing.element.hidden = !isFollowing;
    changes.element.hidden = !isFollowing || !hasHistory;
    apps.set(appsFigure(status), asOf);
    behind.set(asOf ? [unknown, "unknown"] : behindFigure(status), null);
    changes.set(changesFigure(), asOf);
    failing.set(failingFigure(status), asOf);
    connections.set(asOf ? [unknown, "unknown"] : connectionsFigure(status), null);
  }

  for (const name of /** @type {const} */ (["service", "status", "activity", "day", "catalog"]))
    onMessage(name, render, signal);
  onConnection((next) => {
    connection = next;
    render();
  }, signal);
  const all = [apps, behind, changes, failing, connections].map(({ element }) => element);
  return el("dl", { class: "tiles" }, ...all);
}

/** @param {string} label */
function tile(label) {
  const number = el("dd", { class: "number" }, unknown);
  const note = el("dd", { class: "note" });
  return {
    element: el("div", { class: "tile" }, el("dt", {}, label), number, note),
    /** @param {Figure} figure @param {string | null} asOf stands in place of the explanation */
    set([value, text], asOf) {
      number.textContent = value;
      note.textContent = asOf ?? text;
    },
  };
}

/** @param {Status} status @returns {Figure} */
function appsFigure(status) {
  const apps = latestMessage("catalog")?.apps ?? status.catalog?.apps;
  const day = latestMessage("day");
  return [count(apps), day ? `+ ${count(day.added)} in 24 h` : "in the catalog"];
}

/** @param {Status} status @returns {Figure} */
function behindFigure({ steam, monitor }) {
  if (monitor === null || (steam && !steam.connected)) return [unknown, "unknown while Steam is away"];
  const { last_poll_at, last_change_number, leading, lag_seconds } = monitor;
  if (leading && last_poll_at === null) return [unknown, "no poll yet"];
  const polled = last_poll_at === null ? "another worker polls" : `polled ${ago(last_poll_at, serviceNow())}`;
  return [duration(lag_seconds ?? 0), `${polled} · ${count(last_change_number)}`];
}

/** @returns {Figure} */
function changesFigure() {
  const minutes = latestMessage("activity")?.slice(-1 - recentMinutes, -1) ?? [];
  const day = latestMessage("day");
  if (minutes.length === 0) return [unknown, "none counted yet"];
  const rate = minutes.reduce((sum, { apps }) => sum + apps, 0) / minutes.length;
  return [`${count(rate < 10 ? rate : Math.round(rate))} / min`, day ? `${plural(day.apps, "app")} in 24 h` : "apps"];
}

/** @param {Status} status @returns {Figure} */
function failingFigure({ monitor, failing_apps }) {
  if (monitor === null) return [unknown, ""];
  if (monitor.failing === 0) return ["0", "nothing to retry"];
  const next = failing_apps.map(({ next_attempt_at }) => Date.parse(next_attempt_at ?? "")).filter(Number.isFinite);
  if (next.length === 0) return [count(monitor.failing), "retried later"];
  return [count(monitor.failing), `next try in ${duration((Math.min(...next) - serviceNow()) / 1_000)}`];
}

/** @param {Status} status @returns {Figure} */
function connectionsFigure({ steam, database, catalog }) {
  const size = catalog?.size;
  const text = size ? `${database.driver} ${bytes(size.bytes)}` : database.driver;
  if (!database.reachable)
    return database.last_error === null ? ["connecting", database.driver] : ["no database", since(database.away_since)];
  if (steam === null) return ["database", text];
  if (!steam.connected) return steam.last_error === null ? ["connecting", text] : ["no Steam", since(steam.away_since)];
  const connected = (serviceNow() - Date.parse(steam.connected_since ?? "")) / 1_000;
  return ["connected", `${Number.isFinite(connected) ? `${duration(connected)} · ` : ""}${text}`];
}

/** @param {string | null | undefined} time */
const since = (time) => (time ? `since ${clock(time)}` : "");
