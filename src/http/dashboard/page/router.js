// @ts-check
import { byId, el, fill } from "./dom.js";

/**
 * Shows the page of the address. Links to pages of this service change the address without a reload.
 *
 * @typedef {object} Place what a page shows
 * @property {string[]} parts captured by the route's pattern
 * @property {URLSearchParams} query
 * @typedef {(view: HTMLElement, place: Place, signal: AbortSignal) => void | Promise<void>} OpenPage
 *   fills `view`; when the signal aborts, the page is closed, and its listeners must end
 * @typedef {{ pattern: RegExp, title: string, open: OpenPage }} Route
 */

/** @type {readonly Route[]} */
let routes = [];
let current = new AbortController();

/** @param {readonly Route[]} pages */
export function startRouter(pages) {
  routes = pages;
  addEventListener("popstate", () => show());
  document.addEventListener("click", (event) => {
    const url = pageOfLink(event);
    if (url === null) return;
    event.preventDefault();
    navigate(url);
  });
  show();
}

/** Opens another page of this service. @param {string | URL} address such as `/app/620` */
export function navigate(address) {
  history.pushState(null, "", address);
  show();
  scrollTo(0, 0);
  byId("view").focus({ preventScroll: true });
}

/** Title of the browser's tab, behind the state of the service. @param {string} title */
export function setTitle(title) {
  document.documentElement.dataset.title = title;
  document.dispatchEvent(new Event("title"));
}

function show() {
  current.abort();
  current = new AbortController();
  const view = byId("view");
  fill(view);
  const { pathname, searchParams } = new URL(location.href);
  const { route, match } = findRoute(pathname);
  if (!route || !match) {
    setTitle("Not found");
    fill(view, el("p", { class: "panel empty" }, "There is no such page. ", el("a", { href: "/" }, "Overview")));
    return;
  }
  setTitle(route.title);
  void route.open(view, { parts: match.slice(1), query: searchParams }, current.signal);
}

/** @param {string} path */
function findRoute(path) {
  for (const route of routes) {
    const match = route.pattern.exec(path);
    if (match) return { route, match };
  }
  return { route: null, match: null };
}

/** The page that a click opens in this tab; null for other links, and for clicks that open a tab. @param {MouseEvent} event */
function pageOfLink(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return null;
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || link.target !== "" || link.hasAttribute("download")) return null;
  const url = new URL(link.href);
  const isSamePage = url.pathname === location.pathname && url.search === location.search && url.hash !== "";
  return url.origin === location.origin && !isSamePage && findRoute(url.pathname).route ? url : null;
}
