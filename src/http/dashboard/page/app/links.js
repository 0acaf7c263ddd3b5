// @ts-check
import { el } from "../dom.js";

/** Links out of the dashboard. */

/** A link to another site, in a tab of its own. @param {string} href @param {string} text */
export const outward = (href, text) => el("a", { href, target: "_blank", rel: "noreferrer" }, `${text} ↗`);

/** Where else to look for an app. @param {number | string} appid @returns {HTMLElement[]} */
export const siteLinks = (appid) => [
  outward(`https://store.steampowered.com/app/${appid}/`, "Store"),
  outward(`https://steamdb.info/app/${appid}/`, "SteamDB"),
];

/** The JSON that a part of the page is made of. @param {string} href */
export const jsonLink = (href) => el("a", { class: "json", href }, "JSON");

/** A link where the address is one of the web, since a publisher may have written anything. @param {string} address @param {string | null} text */
export function webLink(address, text) {
  const url = URL.parse(address);
  return url && /^https?:$/.test(url.protocol) ? outward(url.href, text ?? url.host) : (text ?? address);
}
