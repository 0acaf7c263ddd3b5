// @ts-check
import * as codeNames from "/dashboard/code-names.js";
import { appLink, el, fill, panel, tag } from "../dom.js";
import { timed } from "../event-row.js";
import { titled, words, zone } from "../format.js";
import { latestMessage, onMessage } from "../live.js";

/**
 * The apps stored last: while a catalog is loaded, when nothing has events yet, and where no history is kept.
 *
 * @typedef {import("../live.js").Messages["stored"][number]} StoredApp
 */

const shownTags = 3;
const rows = { wide: 10, phone: 4 };
const isPhone = matchMedia("(max-width: 600px)");

/** @param {AbortSignal} signal */
export function storedPanel(signal) {
  const list = el("ol", { class: "feed live" });
  const why = el(
    "p",
    { class: "hint", hidden: true },
    "No events are recorded (HISTORY=off), so this shows what was stored.",
  );
  fill(list, el("li", { class: "empty" }, "Apps appear here as they are stored."));
  onMessage("service", ({ history }) => (why.hidden = history), signal);
  const render = () => {
    const apps = latestMessage("stored") ?? [];
    if (apps.length > 0) fill(list, ...apps.slice(0, isPhone.matches ? rows.phone : rows.wide).map(storedRow));
  };
  onMessage("stored", render, signal);
  isPhone.addEventListener("change", render, { signal });
  return panel("Just stored", el("span", { class: "quiet" }, `times in ${zone()}`), why, list);
}

/** @param {StoredApp} app */
function storedRow(app) {
  const title = el(
    "div",
    { class: "title" },
    tag("info", app.type ?? "app"),
    latestMessage("service")?.api === false
      ? el("strong", {}, app.name ?? `App ${app.appid}`)
      : appLink(app.appid, app.name),
    el("span", { class: "about" }, String(app.appid)),
  );
  return el("li", {}, timed(app.updated_at), el("div", {}, title, el("div", { class: "detail" }, detailOf(app))));
}

/** @param {StoredApp} app */
function detailOf({ parent, tags, steam_deck, pics_review_score, pics_review_percentage, developers }) {
  if (parent) return `of ${parent.name ?? `app ${parent.appid}`}`;
  const verdict = codeNames.reviewScores.get(pics_review_score ?? 0);
  const named = tags.flatMap(({ name }) => (name === null ? [] : [name]));
  const parts = [
    named.slice(0, shownTags).join(", "),
    verdict && `${titled(verdict)}${pics_review_percentage === null ? "" : ` ${pics_review_percentage} %`}`,
    steam_deck && steam_deck.category !== "unknown" && `Deck ${titled(words(steam_deck.category))}`,
  ].filter(Boolean);
  return parts.join(" · ") || developers.join(", ") || "no details";
}
