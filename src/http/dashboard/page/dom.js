// @ts-check
/** DOM helpers. Elements are never created from markup: app names and error messages are untrusted text. */

/** @typedef {Node | string | null | undefined | false} Child nothing is rendered for null, undefined and false */

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/**
 * Creates an element. An attribute that is null, undefined or false is left out; one that is true is empty.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, string | number | boolean | null | undefined>} attributes @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...present(children));
  return element;
}

/**
 * Creates an element of SVG.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, string | number | boolean | null | undefined>} attributes @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, attributes);
  element.append(...present(children));
  return element;
}

/** Replaces what an element contains. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/** A titled box: `<section class="panel">` with a heading, and `side` at the right of it. @param {string} title @param {Child} side @param {...Child} children */
export function panel(title, side, ...children) {
  const head = el("div", { class: "panel-head" }, el("h2", {}, title), side);
  return el("section", { class: "panel", "aria-label": title }, head, ...children);
}

/**
 * A panel of something that is wrong or runs besides: it can be folded away, and begins so on a phone.
 *
 * @param {string} title @param {Child} side @param {...Child} children
 */
export function foldable(title, side, ...children) {
  const isOpen = !matchMedia("(max-width: 600px)").matches;
  const head = el("summary", { class: "panel-head" }, el("h2", {}, title), side);
  return el("details", { class: "panel", open: isOpen }, head, ...children);
}

/** Names and values, one pair a line; pairs without a value are left out. @param {[name: string, value: Child][]} pairs */
export function facts(pairs) {
  const lines = pairs.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== "");
  return el("dl", { class: "facts" }, ...lines.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** A small coloured label. @param {"info" | "good" | "warn" | "neutral"} tone @param {string} text */
export const tag = (tone, text) => el("span", { class: "tag", "data-tone": tone }, text);

/** The app's name, linked to its page. @param {number} appid @param {string | null} name */
export const appLink = (appid, name) => el("a", { href: `/app/${appid}` }, name?.trim() || `App ${appid}`);

/** @param {Element} element @param {Record<string, string | number | boolean | null | undefined>} attributes */
function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {Child[]} children @returns {(Node | string)[]} */
const present = (children) => children.flatMap((child) => (child || child === "" ? [child] : []));
