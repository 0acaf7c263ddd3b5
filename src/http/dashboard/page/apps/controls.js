// @ts-check
import { getJson } from "../api.js";
import { el, fill } from "../dom.js";
import { count } from "../format.js";
import { navigate } from "../router.js";
import { addressOf, defaultSort, sortsOf, withFilter } from "./filters.js";

/**
 * The controls of a list: its filters, which can be removed and added, and its order.
 *
 * @typedef {import("./filters.js").Chip} Chip
 * @typedef {import("../../../../catalog/list-views.ts").CatalogSummary} Summary
 */

/** @param {Chip[]} chips */
export const chipList = (chips) =>
  el(
    "ul",
    { class: "filter-chips", "aria-label": "Filters" },
    ...chips.map(({ label, address }) =>
      el(
        "li",
        {},
        el(
          "a",
          { class: "chip", "aria-current": "true", "aria-label": `Remove the filter: ${label}`, href: address },
          `${label} ×`,
        ),
      ),
    ),
  );

/** @param {URLSearchParams} query */
export function sortField(query) {
  const chosen = query.get("sort") ?? defaultSort(query);
  const field = el(
    "select",
    { "aria-label": "Sort by" },
    ...sortsOf(query).map(([name, label]) => el("option", { value: name, selected: name === chosen }, label)),
  );
  field.addEventListener("change", () => {
    const next = new URLSearchParams(query);
    next.set("sort", field.value);
    navigate(addressOf(next));
  });
  return el("label", { class: "quiet" }, "Sort: ", field);
}

/**
 * The filters that can be added, with the numbers of apps that the API has: of all apps, and of each type, verdict and tag alone.
 *
 * @param {{ query: URLSearchParams, chips: Chip[], total: HTMLElement, adders: HTMLElement, signal: AbortSignal }} parts
 */
export async function showCounts({ query, chips, total, adders, signal }) {
  /** @type {Summary | null} */
  const summary = await getJson("/v1/summary", signal).catch(() => null);
  if (summary === null) return;
  const number = totalOf(summary, chips);
  if (number !== null) total.textContent = count(number);
  fill(
    adders,
    adder(
      query,
      "type",
      "Type",
      // Apps without a type, which no filter finds.
      summary.by_type.filter(({ name }) => name !== "none").map(({ name, count: apps }) => [name, apps]),
    ),
    adder(
      query,
      "deck",
      "Steam Deck",
      summary.deck.map(({ category, count: apps }) => [category, apps]),
    ),
    adder(
      query,
      "platform",
      "Platform",
      ["windows", "macos", "linux"].map((name) => [name, null]),
    ),
    adder(
      query,
      "tag",
      "Tag",
      // A tag whose name is not known yet is found by its id.
      summary.top_tags.map(({ name, count: apps }) => [name.replace(/^tag (?=\d+$)/, ""), apps]),
    ),
  );
}

/** @param {Summary} summary @param {Chip[]} chips @returns {number | null} */
function totalOf({ apps, by_type, deck, top_tags }, chips) {
  const [only, ...others] = chips;
  if (only === undefined) return apps;
  if (others.length > 0) return null;
  const { name, value } = only;
  if (name === "type") return by_type.find((each) => each.name === value)?.count ?? null;
  if (name === "deck") return deck.find((each) => each.category === value)?.count ?? null;
  return name === "tag" ? (top_tags.find((each) => each.name === value)?.count ?? null) : null;
}

/** @param {URLSearchParams} query @param {string} name @param {string} title @param {[value: string, apps: number | null][]} values */
function adder(query, name, title, values) {
  if (values.length === 0) return null;
  const field = el(
    "select",
    { "aria-label": `Add a filter by ${title}` },
    el("option", { value: "" }, `${title} …`),
    ...values.map(([value, apps]) => el("option", { value }, apps === null ? value : `${value} (${count(apps)})`)),
  );
  field.addEventListener("change", () => navigate(withFilter(query, name, field.value)));
  return field;
}
