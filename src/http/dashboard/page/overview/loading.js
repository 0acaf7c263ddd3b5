// @ts-check
import { timeChart } from "../chart.js";
import { el, facts, fill, panel } from "../dom.js";
import { count, duration, percent } from "../format.js";
import { onMessage } from "../live.js";

/**
 * Progress of a pass over the catalog: how much is done and when it ends, what is known so far, and how fast it goes.
 *
 * @typedef {import("../state.js").Status} Status
 * @typedef {NonNullable<Status["bulk"]>} Bulk
 */

/** A sweep of fewer ids is one of given apps, not of the id space, whose multiples of ten come first (src/sync/sweep.ts). */
const minIdSpace = 50_000;
/** Share of all games whose appid is a multiple of ten, counted in real data. */
const gamesAmongTens = "99.9 %";

/** @param {AbortSignal} signal */
export function loadingHero(signal) {
  const label = el("p", { class: "quiet" }, "First load");
  const number = el("p", { class: "percent" }, "–");
  const filled = el("span", { class: "filled" });
  const bar = el(
    "div",
    { class: "bar large", role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100 },
    filled,
  );
  const line = el("p", { class: "quiet" });
  const known = el("div", {});
  const chart = timeChart({
    label: "Apps stored",
    unit: "apps a second",
    empty: "The first seconds appear here.",
    height: matchMedia("(max-width: 600px)").matches ? 112 : 190,
    signal,
  });

  onMessage(
    "status",
    (status) => {
      const { bulk } = status;
      if (bulk === null) return;
      const isFirst = (status.catalog?.bulk_completed_at ?? null) === null;
      label.textContent = isFirst ? "First load" : "Pass over the whole catalog";
      const hasBegun = bulk.phase !== "starting";
      number.textContent = hasBegun ? percent(bulk.share) : "–";
      bar.setAttribute("aria-valuenow", String(Math.round(bulk.share * 100)));
      filled.style.width = `${bulk.share * 100}%`;
      fill(line, ...progressLine(bulk));
      fill(known, facts(knownSoFar(bulk)));
    },
    signal,
  );
  onMessage("throughput", (samples) => chart.set(samples.map(([at, rate]) => [at * 1_000, rate])), signal);
  const progress = el("div", {}, label, number, bar, line, known);
  const speed = el("div", {}, el("p", { class: "quiet" }, "Apps stored a second"), chart.element);
  const element = panel("Progress", null, el("div", { class: "progress" }, progress, speed));
  element.classList.add("hero");
  return element;
}

/** @param {Bulk} bulk */
function progressLine({ phase, done, total, rate_per_second, eta_seconds }) {
  if (phase === "starting")
    return ["Waiting for Steam. The first apps are stored a few seconds after its first answer."];
  const of = phase === "sweeping" ? `of ${count(total)} found so far` : `of ${count(total)} apps`;
  if (phase === "finishing") return [`${count(done)} ${of} · naming tags, then the load is complete`];
  const left = eta_seconds === null ? "time left not known yet" : `${duration(eta_seconds)} left`;
  return [`${count(done)} ${of} · ${count(Math.round(rate_per_second))} a second · `, el("strong", {}, left)];
}

/** @param {Bulk} bulk @returns {[string, string | null][]} */
function knownSoFar({ phase, swept_ids, sweep_end, failed, unknown, skipped, unanswered }) {
  if (phase === "starting") return [];
  /** @type {[string, string | null][]} */
  const others = [
    ["Failed", `${count(failed)}${failed > 0 ? ", retried until they are stored" : ""}`],
    ["Unknown to Steam", unknown > 0 ? count(unknown) : null],
    ["Left out by type", skipped > 0 ? count(skipped) : null],
    ["Left unanswered", unanswered > 0 ? count(unanswered) : null],
  ];
  if (phase !== "sweeping") return [["All ids", "✔ compared"], ...others];
  if (sweep_end === null || sweep_end < minIdSpace) {
    const compared = sweep_end ? `${percent(swept_ids / sweep_end)} compared` : `${count(swept_ids)} compared`;
    return [["Ids", compared], ...others];
  }
  const tens = sweep_end / 10;
  const hasTens = swept_ids >= tens;
  const ofOthers = (swept_ids - tens) / (sweep_end - tens);
  return [
    [
      "Every tenth id",
      hasTens ? `✔ compared: ${gamesAmongTens} of all games found` : `${percent(swept_ids / tens)} compared`,
    ],
    ["All other ids", hasTens ? `${percent(ofOthers)} compared, in the background` : "next, in the background"],
    ...others,
  ];
}
