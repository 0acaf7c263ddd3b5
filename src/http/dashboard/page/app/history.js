// @ts-check
import { getJson } from "../api.js";
import { el, fill, panel } from "../dom.js";
import { eventRow } from "../event-row.js";
import { buildKinds } from "../event-words.js";
import { settings } from "../settings.js";
import { changeRow } from "./change-row.js";
import { failed } from "./failed.js";
import { jsonLink } from "./links.js";

/**
 * What happened to an app, newest first, a page at a time: its events, or every change of a field.
 *
 * @typedef {{ label: string, path: string, item: (row: any) => HTMLElement }} Selection
 * @typedef {{ rows: HTMLElement, foot: HTMLElement, json: HTMLAnchorElement, signal: AbortSignal }} Parts
 */

const pageSize = 15;

/** @param {import("./app.js").App} app @returns {Selection[]} */
function selectionsOf(app) {
  const events = `/v1/events?appid=${app.appid}&limit=${pageSize}`;
  const ofEvent = (/** @type {import("./app.js").Event} */ event) => eventRow(event, { withApp: false });
  return [
    { label: "all", path: events, item: ofEvent },
    { label: "builds", path: `${events}&event=${buildKinds}`, item: ofEvent },
    { label: "reviews", path: `${events}&event=review_verdict,metacritic_score`, item: ofEvent },
    {
      label: "every field",
      path: `/v1/apps/${app.appid}/changes?limit=${pageSize}`,
      item: (change) => changeRow(change, app),
    },
  ];
}

/** @param {import("./app.js").App} app @param {AbortSignal} signal of the page */
export function historyPanel(app, signal) {
  const selections = selectionsOf(app);
  const rows = el("ol", { class: "feed history" });
  const foot = el("div", { class: "foot", role: "status" });
  const json = jsonLink("");
  let current = new AbortController();
  const buttons = selections.map((selection) => {
    const button = el("button", { class: "chip", type: "button" }, selection.label);
    button.addEventListener("click", () => choose(selection, button));
    return button;
  });

  /** @param {Selection} selection @param {HTMLElement} button */
  function choose(selection, button) {
    for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
    current.abort();
    current = new AbortController();
    json.href = selection.path;
    fill(rows);
    void showPage(selection, null, { rows, foot, json, signal: AbortSignal.any([signal, current.signal]) });
  }
  const [first] = buttons;
  const [all] = selections;
  if (first && all) choose(all, first);
  return panel("History", el("div", { class: "chips" }, ...buttons, json), rows, foot);
}

/** @param {Selection} selection @param {string | null} cursor @param {Parts} parts */
async function showPage(selection, cursor, parts) {
  const { rows, foot, signal } = parts;
  fill(foot, "Loading …");
  try {
    const page = new URLSearchParams(cursor === null ? {} : { cursor });
    const { data, next } = await getJson(`${selection.path}${cursor === null ? "" : `&${page}`}`, signal);
    const items = data.map(selection.item);
    rows.append(...items);
    if (next !== null)
      fill(
        foot,
        olderButton(() => void showPage(selection, next, parts)),
      );
    else fill(foot, rows.childElementCount === 0 ? emptyText(selection) : null);
    // The button that had the focus is gone.
    if (cursor !== null) focusOn(items[0]);
  } catch (error) {
    if (!signal.aborted)
      fill(
        foot,
        failed(error, () => void showPage(selection, cursor, parts)),
      );
  }
}

/** @param {() => void} use */
function olderButton(use) {
  const button = el("button", { class: "chip", type: "button" }, "Older");
  button.addEventListener("click", use);
  return button;
}

/** @param {HTMLElement | undefined} item */
function focusOn(item) {
  if (!item) return;
  item.tabIndex = -1;
  item.focus({ preventScroll: true });
}

/** @param {Selection} selection */
function emptyText({ label }) {
  if (!settings.history) return "No history is recorded: set HISTORY=on to record what changes from then on.";
  const what = { builds: "No new build has", reviews: "No other verdict has" }[label] ?? "No change has";
  return `${what} been seen since the app was first stored. The next one appears here.`;
}
