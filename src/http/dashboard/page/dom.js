// @ts-check
/** DOM helpers. Elements are never created from markup: app names and error messages are untrusted text. */

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/**
 * @param {string} tag @param {Record<string, string | number>} attributes @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Renders a list of labels and values; a long value gets a line of its own. @param {string} id @param {[string, string][]} pairs */
export function figures(id, pairs) {
  byId(id).replaceChildren(
    ...pairs.map(([name, value]) =>
      el("div", {}, el("dt", {}, name), el("dd", value.length > 26 ? { class: "long" } : {}, value)),
    ),
  );
}

/** @param {string} id @param {boolean} isShown */
export function show(id, isShown) {
  byId(id).hidden = !isShown;
}

/** The app's name, linked to its store page. @param {number} appid @param {string | null} name */
export function storeLink(appid, name) {
  const link = { href: `https://store.steampowered.com/app/${appid}/`, target: "_blank", rel: "noreferrer" };
  return el("strong", {}, el("a", link, name?.trim() || `App ${appid}`));
}
