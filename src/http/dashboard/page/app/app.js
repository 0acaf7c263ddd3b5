// @ts-check
import { ApiError, getJson, orNull } from "../api.js";
import { el, fill } from "../dom.js";
import { latestMessage, onMessage } from "../live.js";
import { setTitle } from "../router.js";
import { settings } from "../settings.js";
import { compatibilityPanel } from "./compatibility.js";
import { branchesPanel, depotsPanel } from "./content.js";
import { factsPanel } from "./facts.js";
import { apiIsOff, failed } from "./failed.js";
import { appHead, appNotices } from "./head.js";
import { historyPanel } from "./history.js";
import { notStored } from "./not-stored.js";
import { reviewsPanel } from "./reviews.js";

/**
 * The page of one app, `/app/620`: what is stored of it, its history, and where else to look.
 *
 * @typedef {import("../../../../catalog/views.ts").AppView} App
 * @typedef {import("../../../../catalog/event-views.ts").EventView} Event
 * @typedef {import("../../../../catalog/content-views.ts").BranchView} Branch
 * @typedef {import("../../../../catalog/content-views.ts").DepotView} Depot
 */

/** @type {import("../router.js").OpenPage} */
export async function openApp(view, place, pageSignal) {
  const text = decodeURIComponent(place.parts[0] ?? "");
  if (!settings.api) return fill(view, apiIsOff());
  const round = new AbortController();
  const signal = AbortSignal.any([pageSignal, round.signal]);
  const reload = () => {
    round.abort();
    void openApp(view, place, pageSignal);
  };
  if (view.childElementCount === 0) fill(view, el("p", { class: "panel empty", "aria-busy": "true" }, "Loading …"));
  try {
    const app = await getJson(`/v1/apps/${encodeURIComponent(text)}`, signal);
    setTitle(app.name?.trim() || `App ${app.appid}`);
    await showApp(view, app, signal);
    announceChanges(view, app.appid, reload, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError && [400, 404].includes(error.status)) fill(view, notStored(text, error));
    else fill(view, el("section", { class: "panel" }, failed(error, reload)));
  }
}

/** @param {HTMLElement} view @param {App} app @param {AbortSignal} signal */
async function showApp(view, app, signal) {
  const { appid } = app;
  const [branches, depots, verdicts] = await Promise.all([
    orNull(getJson(`/v1/apps/${appid}/branches`, signal)),
    orNull(getJson(`/v1/apps/${appid}/depots`, signal)),
    getJson(`/v1/events?appid=${appid}&event=review_verdict&limit=1`, signal),
  ]);
  fill(
    view,
    appHead(app, signal),
    appNotices(app),
    el(
      "div",
      { class: "split app-split" },
      el("div", { class: "stack" }, historyPanel(app, signal), depotsPanel(app, depots?.data ?? null)),
      el(
        "div",
        { class: "stack" },
        branchesPanel(app, branches?.data ?? []),
        reviewsPanel(app, verdicts.data[0] ?? null),
        compatibilityPanel(app),
        factsPanel(app),
      ),
    ),
  );
}

/** Offers the new state once the app changes; the page is not replaced while one reads it. @param {HTMLElement} view @param {number} appid @param {() => void} reload @param {AbortSignal} signal */
function announceChanges(view, appid, reload, signal) {
  /** Id of the newest event of any app when the page was read. */
  let seen = latestMessage("events")?.at(-1)?.id ?? null;
  const once = new AbortController();
  onMessage(
    "events",
    (events) => {
      const known = seen ?? Number.POSITIVE_INFINITY;
      seen = events.at(-1)?.id ?? seen;
      if (!events.some((event) => event.appid === appid && event.id > known)) return;
      once.abort();
      const button = el("button", { class: "link", type: "button" }, "Show what is new");
      button.addEventListener("click", reload);
      view.prepend(el("p", { class: "panel news", role: "status" }, "This app has just changed. ", button));
    },
    AbortSignal.any([signal, once.signal]),
  );
}
