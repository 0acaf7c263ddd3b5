// @ts-check
import { ApiError } from "../api.js";
import { el } from "../dom.js";

/** Parts of a page whose data cannot be read. */

/** What went wrong, with a way to try again. @param {unknown} error @param {() => void} retry */
export function failed(error, retry) {
  const again = el("button", { class: "chip", type: "button" }, "Try again");
  again.addEventListener("click", retry);
  const text = error instanceof ApiError ? error.message : String(error);
  return el("div", { class: "empty", role: "alert" }, el("p", {}, text), again);
}

export const apiIsOff = () =>
  el(
    "p",
    { class: "panel empty" },
    "This page reads the API, which is switched off: set API=on and restart the service.",
  );
