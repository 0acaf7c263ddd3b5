// @ts-check
import { ApiError, getJson } from "../api.js";
import { apiIsOff, failed } from "../app/failed.js";
import { jsonLink } from "../app/links.js";
import { el, fill } from "../dom.js";
import { plural } from "../format.js";
import { setTitle } from "../router.js";
import { settings } from "../settings.js";
import { chipList, showCounts, sortField } from "./controls.js";
import { chipsOf, titleOf } from "./filters.js";
import { appRow } from "./row.js";

/**
 * The page of a list, `/apps?type=game&tag=Puzzle`: apps that match all filters, a page at a time. Its parameters are those of `/v1/apps`.
 *
 * @typedef {import("../../../../catalog/views.ts").AppSummary} AppSummary
 */

const pageSize = 50;

/** @type {import("../router.js").OpenPage} */
export async function openApps(view, { query }, signal) {
  if (!settings.api) return fill(view, apiIsOff());
  const chips = chipsOf(query);
  setTitle(titleOf(chips));
  const list = el("ol", { class: "rows", "aria-busy": "true" });
  const foot = el("div", { class: "foot", role: "status" }, "Loading …");
  const total = el("span", { class: "quiet" });
  const adders = el("div", { class: "adders" });
  const request = requestOf(query);
  fill(
    view,
    el(
      "section",
      { class: "panel", "aria-labelledby": "list-title" },
      el(
        "div",
        { class: "panel-head" },
        el("h1", { id: "list-title" }, "Apps ", total),
        el("div", { class: "list-side" }, sortField(query), jsonLink(request)),
      ),
      el("div", { class: "filters" }, chipList(chips), adders),
      list,
      foot,
    ),
  );
  void showCounts({ query, chips, total, adders, signal });
  await showPage({ request, query, list, foot, signal });
}

/** @param {{ request: string, query: URLSearchParams, list: HTMLElement, foot: HTMLElement, signal: AbortSignal }} page */
async function showPage(page) {
  const { request, query, list, foot, signal } = page;
  fill(foot, "Loading …");
  try {
    const { data, next } = await getJson(request, signal);
    list.removeAttribute("aria-busy");
    const isFirst = list.childElementCount === 0;
    const rows = data.map((/** @type {AppSummary} */ app) => appRow(app, query));
    list.append(...rows);
    if (!isFirst) rows[0]?.querySelector("a")?.focus({ preventScroll: true });
    if (next === null)
      fill(
        foot,
        list.childElementCount === 0 ? emptyText(query) : `${plural(list.childElementCount, "app")}: all of them`,
      );
    else
      fill(
        foot,
        moreButton(() => void showPage({ ...page, request: requestOf(query, next) })),
      );
  } catch (error) {
    if (signal.aborted) return;
    const isWrong = error instanceof ApiError && error.status === 400;
    fill(
      foot,
      isWrong
        ? el("p", { role: "alert" }, `${error.message} Remove that filter above.`)
        : failed(error, () => void showPage(page)),
    );
  }
}

/** @param {() => void} use */
function moreButton(use) {
  const button = el("button", { class: "chip", type: "button" }, `Show ${pageSize} more`);
  button.addEventListener("click", use);
  return button;
}

/** @param {URLSearchParams} query */
const emptyText = (query) =>
  [...query.keys()].some((name) => name !== "sort")
    ? "No app has all of this. Remove a filter above."
    : "No apps yet: they appear here as the first pass stores them.";

/** The request of the API behind the page. @param {URLSearchParams} query @param {string} [cursor] */
function requestOf(query, cursor) {
  const request = new URLSearchParams(query);
  request.set("limit", String(pageSize));
  request.delete("cursor");
  if (cursor !== undefined) request.set("cursor", cursor);
  return `/v1/apps?${request}`;
}
