// @ts-check
/** The document, of which nothing is ever made from markup: names and errors are other people's text. */

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

/** Writes a list of names and values; a long value gets a line of its own. @param {string} id @param {[string, string][]} pairs */
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
