// @ts-check

import { serviceNow } from "../clock.js";
import { reviewVerdict } from "../code-words.js";
import { appLink, el, tag } from "../dom.js";
import { ago, count, dateAndClock, day, words } from "../format.js";
import { capitalized, platform, reviewTone, verdictTone } from "../names.js";
import { settings } from "../settings.js";
import { jsonLink, siteLinks } from "./links.js";

/** Head of an app's page: art, name, verdicts, tags, freshness and where else to look. */

/** @typedef {import("./app.js").App} App */

/** Tags before "+ 14". */
const shownTags = 6;
const freshnessIntervalMs = 1_000;

/** @param {App} app @param {AbortSignal} signal */
export function appHead(app, signal) {
  return el(
    "section",
    { class: "panel app-head", "aria-labelledby": "app-name" },
    art(app),
    el(
      "div",
      { class: "app-title" },
      el("h1", { id: "app-name" }, app.name?.trim() || `App ${app.appid}`),
      el("p", { class: "quiet app-about" }, ...about(app)),
      el("p", { class: "tag-row" }, ...verdicts(app)),
      tags(app),
    ),
    el("div", { class: "app-side quiet" }, freshness(app, signal), links(app.appid)),
  );
}

/** The header of the store page; a block with the initial where art is off, where there is none, and where it does not load. @param {App} app */
function art({ name, assets }) {
  const initial = el("div", { class: "art", "aria-hidden": "true" }, (name?.trim() || "?").charAt(0).toUpperCase());
  const headers = assets?.header ?? {};
  const address = headers.english ?? Object.values(headers)[0];
  if (!settings.art || address === undefined) return initial;
  const image = el("img", {
    class: "art",
    src: address,
    alt: "",
    width: 460,
    height: 215,
    referrerpolicy: "no-referrer",
  });
  image.addEventListener("error", () => image.replaceWith(initial));
  return image;
}

/** `game · 620 · Valve · released 2011-04-18`. @param {App} app @returns {(Node | string)[]} */
function about({ type, appid, developers, parent, release_state, steam_release_date }) {
  const date = steam_release_date && day(steam_release_date);
  const release = [release_state && words(release_state), date].filter(Boolean).join(" ");
  const parts = [words(type ?? "app"), appid, developers.slice(0, 2).join(", "), release].filter(Boolean);
  const text = parts.join(" · ");
  return parent === null ? [text] : [`${text} · belongs to `, appLink(parent.appid, parent.name)];
}

/** @param {App} app */
function verdicts({ pics_review_score, pics_review_percentage, steam_deck, platforms, is_free, vr_support }) {
  const reviews = reviewVerdict(pics_review_score, pics_review_percentage);
  /** @type {[string, string | null | undefined][]} */
  const systems = [
    ["Deck", steam_deck?.category],
    ["SteamOS", steam_deck?.steamos_category],
    ["Machine", steam_deck?.machine_category],
    ["Frame", steam_deck?.frame_category],
  ];
  return [
    ...(reviews === null ? [] : [tag(reviewTone(pics_review_score ?? 0), reviews)]),
    ...systems.flatMap(([system, verdict]) =>
      verdict && verdict !== "unknown" ? [tag(verdictTone(verdict), `${system} ${capitalized(verdict)}`)] : [],
    ),
    ...platforms.map((name) => tag("info", platform(name))),
    ...(is_free ? [tag("neutral", "Free")] : []),
    ...(vr_support === null ? [] : [tag("neutral", vr_support === "only" ? "VR only" : "VR supported")]),
  ];
}

/** Tags are links to the list of all apps that have them; the rest appears on demand. @param {App} app */
function tags({ tags: all }) {
  const links = all.map(({ id, name }) =>
    el("a", { href: `/apps?${new URLSearchParams({ tag: name ?? String(id) })}` }, name ?? `tag ${id}`),
  );
  const list = el("p", { class: "app-tags" }, ...links.slice(0, shownTags));
  if (links.length <= shownTags) return list;
  const more = el("button", { class: "link", type: "button" }, `+ ${links.length - shownTags}`);
  more.setAttribute("aria-label", `Show ${links.length - shownTags} more tags`);
  more.addEventListener("click", () => {
    more.replaceWith(...links.slice(shownTags));
    links[shownTags]?.focus();
  });
  list.append(more);
  return list;
}

/** @param {App} app @param {AbortSignal} signal */
function freshness({ synced_at, change_number, is_pending }, signal) {
  const age = el("p", {});
  const show = () => {
    age.textContent = synced_at === null ? "not fetched from Steam yet" : `fresh: ${ago(synced_at, serviceNow())}`;
  };
  show();
  if (synced_at !== null) {
    age.title = `compared with Steam ${dateAndClock(synced_at)}`;
    const timer = setInterval(show, freshnessIntervalMs);
    signal.addEventListener("abort", () => clearInterval(timer));
  }
  return el(
    "div",
    {},
    age,
    el("p", {}, change_number === null ? "change –" : `change ${count(change_number)}`),
    is_pending && el("p", {}, "a newer change is pending"),
  );
}

/** @param {number} appid */
function links(appid) {
  return el("p", { class: "app-links" }, ...siteLinks(appid), jsonLink(`/v1/apps/${appid}`));
}

/** What one must know before one believes the rest; nothing for most apps. @param {App} app */
export function appNotices(app) {
  const texts = [
    !app.is_known && "Removed: Steam no longer knows this app. What follows is what it last said.",
    app.is_listed === false && "Delisted: the store's app list no longer names this app.",
    app.missing_token &&
      "Incomplete: Steam shows this app in full only to those who own it. What is missing here may well exist.",
    app.change_number === null && "Not fetched yet: so far only the store's app list has named this app.",
  ];
  const lines = texts.filter((text) => text !== false).map((text) => el("p", {}, text));
  return lines.length === 0 ? null : el("section", { class: "panel notice", "aria-label": "Notice" }, ...lines);
}
