// @ts-check
import { el, fill, panel } from "../dom.js";
import { count, percent, words } from "../format.js";
import { latestMessage, onMessage } from "../live.js";

/**
 * The catalog in pictures: types, Deck verdicts and tags, as shares of all apps. Each links to the list of its apps.
 *
 * @typedef {import("../live.js").Messages["catalog"]} Catalog
 */

/** Types with a bar of their own; the others are one. */
const maxTypes = 5;
const maxTags = 10;
const verdicts = ["verified", "playable", "unsupported", "unknown"];

/** @param {AbortSignal} signal */
export function catalogPanels(signal) {
  const types = el("ul", { class: "bars" });
  const tested = el("span", { class: "quiet" });
  const deck = el("div", { class: "stacked" });
  const legend = el("ul", { class: "legend" });
  const tags = el("ul", { class: "chips" });
  onMessage(
    "catalog",
    (catalog) => {
      showTypes(types, catalog);
      showDeck(deck, legend, tested, catalog);
      showTags(tags, catalog);
    },
    signal,
  );
  for (const [list, text] of /** @type {const} */ ([
    [types, "Games, DLC, demos, … appear here as they are stored."],
    [legend, "Valve’s verdicts appear here."],
    [tags, "The tags of the stored apps appear here."],
  ]))
    fill(list, el("li", { class: "empty" }, text));
  const tagPanel = panel("Most used tags", null, tags);
  tagPanel.classList.add("tags");
  return [panel("Apps by type", null, types), panel("Steam Deck", tested, deck, legend), tagPanel];
}

/** A link to the list of apps; plain text where the API, which lists them, is off. @param {string} query @param {string} name @param {string} text */
function listLink(query, name, text) {
  if (latestMessage("service")?.api === false) return el("span", {}, text);
  return el("a", { href: `/apps?${new URLSearchParams({ [query]: name })}` }, text);
}

/** @param {Element} list @param {Catalog} catalog */
function showTypes(list, { apps, by_type }) {
  if (by_type.length === 0) return;
  const named = by_type.filter(({ name }) => name !== "none");
  const shown = named.slice(0, maxTypes);
  const others = apps - shown.reduce((sum, entry) => sum + entry.count, 0);
  const rows = shown.map(({ name, count: number }) => bar(listLink("type", name, name), number, apps));
  if (others > 0) rows.push(bar(el("span", {}, "other"), others, apps));
  fill(list, ...rows);
}

/** @param {Node} name @param {number} number @param {number} all */
function bar(name, number, all) {
  const part = all > 0 ? number / all : 0;
  const filled = el("span", { class: "filled" });
  filled.style.width = `${part * 100}%`;
  const value = el("span", { class: "quiet" }, `${count(number)} · ${percent(part)}`);
  return el("li", {}, name, el("span", { class: "bar", "aria-hidden": "true" }, filled), value);
}

/** @param {Element} stacked @param {Element} legend @param {Element} tested @param {Catalog} catalog */
function showDeck(stacked, legend, tested, { deck }) {
  const all = deck.reduce((sum, entry) => sum + entry.count, 0);
  if (all === 0) return;
  const entries = verdicts.map((category) => ({
    category,
    part: (deck.find((entry) => entry.category === category)?.count ?? 0) / all,
  }));
  const parts = entries.map(({ category, part }) => {
    const element = el("span", { class: `deck-${category}` });
    element.style.width = `${part * 100}%`;
    return element;
  });
  fill(stacked, ...parts);
  stacked.setAttribute("aria-hidden", "true");
  const links = entries.map(({ category, part }) => {
    const label = `${category[0]?.toUpperCase()}${words(category).slice(1)} ${percent(part)}`;
    return el("li", {}, el("span", { class: `dot deck-${category}` }), listLink("deck", category, label));
  });
  fill(legend, ...links);
  tested.textContent = `${count(all)} tested`;
}

/** @param {Element} list @param {Catalog} catalog */
function showTags(list, { apps, top_tags }) {
  if (top_tags.length === 0) return;
  const items = top_tags.slice(0, maxTags).map(({ name, count: number }) => {
    // A tag whose name Steam has not told yet is listed by its number.
    const id = /^tag (\d+)$/.exec(name)?.[1];
    const link = listLink("tag", id ?? name, id ? `no. ${id}` : name);
    link.classList.add("chip");
    link.append(" ", el("span", { class: "quiet" }, percent(number / Math.max(1, apps))));
    return el("li", {}, link);
  });
  fill(list, ...items);
}
