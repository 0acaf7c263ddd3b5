// @ts-check
import { serviceNow } from "./clock.js";
import { byId, el, fill } from "./dom.js";
import { clock, duration } from "./format.js";
import { onConnection, onMessage } from "./live.js";
import { outageOf, stateOf } from "./state.js";

/** The header, the banner and the title: what all pages share. They live as long as the document. */

const always = new AbortController().signal;
/** @type {import("./live.js").Connection} */
let connection = { phase: "connecting", since: Date.now(), isRefused: false };
/** @type {import("./live.js").Messages["status"] | null} */
let status = null;

export function setUpShell() {
  setUpTheme();
  document.addEventListener("title", showTitle);
  onMessage("service", showService, always);
  onMessage("status", (next) => (status = next), always);
  onMessage("status", showState, always);
  onConnection((next) => {
    connection = next;
    showState();
  }, always);
  // Ages in the banner continue while nothing arrives.
  setInterval(showBanner, 1_000);
}

function showState() {
  const { label, tone } = stateOf(connection, status);
  const pill = byId("state");
  // A live region speaks each time it is set.
  if (pill.textContent !== label) pill.textContent = label;
  pill.dataset.tone = tone;
  pill.title = status?.health.reasons.join(". ") ?? "";
  showTitle();
  showBanner();
}

function showTitle() {
  const { label } = stateOf(connection, status);
  const page = document.documentElement.dataset.title ?? "Steam catalog";
  document.title = `${label} · ${page}`;
}

function showBanner() {
  const slot = byId("banner");
  const message = connection.phase === "offline" ? offlineMessage() : status && outageOf(status, serviceNow());
  document.body.toggleAttribute("data-dimmed", message !== null);
  if (message === null) return fill(slot);
  const { what, next } = message;
  const [, strong, text] = [...slot.querySelectorAll("p, strong, span")];
  // Not replaced each second, so that it can be selected.
  if (strong && text) {
    strong.textContent = what;
    text.textContent = ` ${next}`;
  } else fill(slot, el("p", { class: "banner" }, el("strong", {}, what), el("span", {}, ` ${next}`)));
}

function offlineMessage() {
  const { since, isRefused } = connection;
  const age = duration((Date.now() - since) / 1_000);
  const from = status === null ? "There is nothing to show yet." : "The numbers below are from then.";
  if (isRefused) {
    const why = "The service answers, but refuses another stream: close other pages of it.";
    return { what: `No live data since ${clock(since)} (${age}).`, next: `${from} ${why}` };
  }
  return {
    what: `No answer from the service since ${clock(since)} (${age}).`,
    next: `${from} The page reconnects by itself.`,
  };
}

/** @param {import("../messages.ts").ServiceFacts} facts */
function showService({ version, repository, api }) {
  byId("version").textContent = version;
  byId("api-link").hidden = !api;
  byId("search").hidden = !api;
  const isLinked = document.getElementById("source-link") !== null;
  if (repository === null || isLinked) return;
  const source = { id: "source-link", href: repository, target: "_blank", rel: "noreferrer" };
  byId("version").before(el("a", source, "Source"));
}

/** The theme follows the system until the button is used; theme.js applies a kept one before the first paint. */
function setUpTheme() {
  const root = document.documentElement;
  byId("theme").addEventListener("click", () => {
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}
