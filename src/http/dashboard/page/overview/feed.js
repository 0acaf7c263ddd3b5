// @ts-check
import { el, fill, panel } from "../dom.js";
import { eventRow } from "../event-row.js";
import { buildKinds, otherKinds } from "../event-words.js";
import { zone } from "../format.js";
import { latestMessage, onMessage } from "../live.js";

/**
 * The feed of events, newest first. It stands still while the pointer or the focus is in it, so that nothing moves away under a click.
 *
 * @typedef {import("../event-words.js").AppEvent} AppEvent
 */

const rows = { wide: 12, phone: 5 };
const isPhone = matchMedia("(max-width: 600px)");
/** Of one request for events that the filters let through. */
const fetched = 50;

/** The chosen filters stay while other pages are open. */
const filters = { hidesBuilds: false, gamesOnly: false };

/** @param {AbortSignal} signal */
export function feedPanel(signal) {
  const list = el("ol", { class: "feed live" });
  const paused = el("span", { class: "quiet paused", role: "status" });
  const more = el("button", { type: "button", class: "chip more", hidden: true }, "Show older");
  /** Older events that were fetched for the chosen filters. @type {AppEvent[]} */
  let older = [];
  let pages = 1;
  /** Of what the list shows; null to show it anew. @type {string | null} */
  let shownIds = null;
  let isPaused = false;

  function render() {
    const all = merged(latestMessage("events") ?? [], older);
    const groups = grouped(all.filter(isShown));
    const size = (isPhone.matches ? rows.phone : rows.wide) * pages;
    const shown = groups.slice(0, size);
    const ids = shown.map(([event, count]) => `${event.id}+${count}`).join();
    const isHeld = isPaused && shownIds !== null;
    paused.textContent = isHeld ? (ids === shownIds ? "paused" : "paused, there are new ones") : "";
    if (isHeld || ids === shownIds) return;
    more.hidden = groups.length <= size;
    shownIds = ids;
    if (shown.length === 0) fill(list, el("li", { class: "empty" }, emptyText(all.length > 0)));
    else fill(list, ...shown.map(([event, count]) => eventRow(event, { more: count })));
  }

  function renderAnew() {
    shownIds = null;
    render();
  }

  const buttons = filterButtons(() => {
    pages = 1;
    renderAnew();
    void fetchOlder(signal).then((events) => {
      older = merged(older, events);
      render();
    });
  });
  more.addEventListener("click", () => {
    pages += 1;
    renderAnew();
  });
  whileUsed(list, (isUsed) => {
    isPaused = isUsed;
    render();
  });
  isPhone.addEventListener("change", renderAnew, { signal });
  onMessage("events", render, signal);
  const element = panel("What happens", el("span", { class: "chips" }, paused, ...buttons), list, more);
  element.querySelector("h2")?.append(" ", el("span", { class: "quiet zone" }, zone()));
  render();
  return element;
}

/** The choices of the filters; `onChoice` is called after each. @param {() => void} onChoice */
function filterButtons(onChoice) {
  const all = chip("all events", () => Object.assign(filters, { hidesBuilds: false, gamesOnly: false }));
  const builds = chip("hide builds", () => Object.assign(filters, { hidesBuilds: !filters.hidesBuilds }));
  const games = chip("games only", () => Object.assign(filters, { gamesOnly: !filters.gamesOnly }));
  all.classList.add("all");

  function show() {
    all.setAttribute("aria-pressed", String(!filters.hidesBuilds && !filters.gamesOnly));
    builds.setAttribute("aria-pressed", String(filters.hidesBuilds));
    games.setAttribute("aria-pressed", String(filters.gamesOnly));
  }

  for (const button of [all, builds, games]) {
    button.addEventListener("click", () => {
      show();
      onChoice();
    });
  }
  show();
  return [all, builds, games];
}

/** Calls `use` when the pointer or the focus enters an element, and when it leaves. @param {Element} element @param {(isUsed: boolean) => void} use */
function whileUsed(element, use) {
  for (const name of ["pointerenter", "focusin"]) element.addEventListener(name, () => use(true));
  for (const name of ["pointerleave", "focusout"]) element.addEventListener(name, () => use(false));
}

/** @param {string} text @param {() => void} choose */
function chip(text, choose) {
  const button = el("button", { type: "button", class: "chip" }, text);
  button.addEventListener("click", choose);
  return button;
}

/** @param {AppEvent} event */
const isShown = ({ event, type }) =>
  !(filters.hidesBuilds && buildKinds.includes(event)) && !(filters.gamesOnly && type !== "game");

/** @param {boolean} hasOthers */
const emptyText = (hasOthers) =>
  hasOthers
    ? "None of the latest events passes these filters."
    : "No event yet. Releases, builds, verdicts, other tags and more appear here as Steam announces them.";

/** Newest first, each once. @param {AppEvent[]} some @param {AppEvent[]} others */
function merged(some, others) {
  const byId = new Map([...others, ...some].map((event) => [event.id, event]));
  return [...byId.values()].sort((a, b) => b.id - a.id);
}

/**
 * One entry for the builds of all branches of one change, named by the public branch.
 *
 * @param {AppEvent[]} events newest first @returns {[event: AppEvent, more: number][]}
 */
function grouped(events) {
  /** @type {AppEvent[][]} */
  const groups = [];
  for (const event of events) {
    const first = groups.at(-1)?.[0];
    const isSame = first?.appid === event.appid && first.change_number === event.change_number;
    if (isSame && first.event === "build" && event.event === "build") groups.at(-1)?.push(event);
    else groups.push([event]);
  }
  return groups.flatMap((group) => {
    const event = group.find(({ subject }) => subject === "public") ?? group[0];
    return event ? [[event, group.length - 1]] : [];
  });
}

/** The newest events that pass the filters, where the latest of the stream may have few. @param {AbortSignal} signal @returns {Promise<AppEvent[]>} */
async function fetchOlder(signal) {
  if (latestMessage("service")?.api !== true || !(filters.hidesBuilds || filters.gamesOnly)) return [];
  const query = new URLSearchParams({ limit: String(fetched) });
  if (filters.gamesOnly) query.set("type", "game");
  if (filters.hidesBuilds) query.set("event", otherKinds().join(","));
  try {
    const answer = await fetch(`/v1/events?${query}`, { signal });
    if (!answer.ok) return [];
    const page = /** @type {{ data: AppEvent[] }} */ (await answer.json());
    return page.data;
  } catch {
    // Without them the latest of the stream are shown.
    return [];
  }
}
