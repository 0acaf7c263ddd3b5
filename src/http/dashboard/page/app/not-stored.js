// @ts-check
import { el } from "../dom.js";
import { siteLinks } from "./links.js";

/** The page of an app that is not stored: why, and what to do. */

/** @param {string} text the path's last part @param {import("../api.js").ApiError} error */
export function notStored(text, error) {
  if (error.status === 400) {
    return el(
      "section",
      { class: "panel empty" },
      el("h1", {}, `“${text}” is no appid`),
      el("p", {}, "An appid is a whole number, as in the address of a store page. Search for the app's name above."),
    );
  }
  return el(
    "section",
    { class: "panel empty" },
    el("h1", {}, `App ${text} is not stored`),
    // The API adds why, where it knows.
    error.message === `App ${text} is not stored.` ? null : el("p", {}, error.message),
    el("p", {}, "If Steam has it, the bulk sync stores it, or the change monitor when it changes next. Ask Steam now:"),
    el("p", {}, el("code", {}, `npm start -- fetch ${text}`)),
    el("p", { class: "app-links" }, ...siteLinks(text)),
  );
}
