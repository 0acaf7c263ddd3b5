// @ts-check
import { serviceNow } from "../clock.js";
import { appLink, el, fill, foldable } from "../dom.js";
import { count, duration, plural } from "../format.js";
import { onMessage } from "../live.js";

/**
 * Apps that could not be stored, grouped by cause, with the next try of each group.
 *
 * @typedef {import("../state.js").Status["failing_apps"][number]} FailingApp
 */

const maxGroups = 5;
const maxApps = 5;

/** @param {AbortSignal} signal */
export function failingPanel(signal) {
  const list = el("ul", { class: "lines" });
  const total = el("span", { class: "quiet" });
  const element = foldable("Failing apps", total, list);
  onMessage(
    "status",
    ({ failing_apps, monitor }) => {
      element.hidden = failing_apps.length === 0;
      const all = Math.max(failing_apps.length, monitor?.failing ?? 0);
      total.textContent = `${count(all)}, retried by themselves`;
      const key = JSON.stringify(failing_apps);
      // Links stay where they are while nothing changes; only the times go on.
      if (list.dataset.key !== key) fill(list, ...causes(failing_apps).map(causeItem));
      list.dataset.key = key;
      for (const time of list.querySelectorAll("[data-next]"))
        time.textContent = nextTry(Number(time.getAttribute("data-next")));
    },
    signal,
  );
  return element;
}

/** By cause, the commonest first. @param {FailingApp[]} apps @returns {[cause: string, apps: FailingApp[]][]} */
function causes(apps) {
  /** @type {Map<string, FailingApp[]>} */
  const groups = new Map();
  for (const app of apps) {
    // The same fault of another app differs in its numbers only.
    const cause = (app.error ?? "unknown cause").replaceAll(String(app.appid), "…");
    groups.set(cause, [...(groups.get(cause) ?? []), app]);
  }
  return [...groups].sort(([, some], [, others]) => others.length - some.length).slice(0, maxGroups);
}

/** @param {[cause: string, apps: FailingApp[]]} group */
function causeItem([cause, apps]) {
  const links = apps.slice(0, maxApps).flatMap((app, index) => [index > 0 ? ", " : null, appLink(app.appid, app.name)]);
  const rest = apps.length > maxApps ? ` and ${apps.length - maxApps} more` : null;
  const attempts = Math.max(...apps.map((app) => app.attempts));
  const times = apps.map(({ next_attempt_at }) => Date.parse(next_attempt_at ?? "")).filter(Number.isFinite);
  const next = times.length > 0 ? el("span", { "data-next": Math.min(...times) }) : "retried later";
  const about = el(
    "div",
    { class: "quiet" },
    plural(apps.length, "app"),
    `, up to ${plural(attempts, "attempt")} · `,
    next,
  );
  return el("li", {}, el("div", { class: "cause" }, cause), about, el("div", {}, ...links, rest));
}

/** @param {number} at */
function nextTry(at) {
  const seconds = (at - serviceNow()) / 1_000;
  return seconds > 0 ? `next try in ${duration(seconds)}` : "next try now";
}
