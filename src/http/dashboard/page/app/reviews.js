// @ts-check
import { serviceNow } from "../clock.js";
import { reviewVerdict, reviewWord } from "../code-words.js";
import { el, facts, panel } from "../dom.js";
import { count, dateAndClock } from "../format.js";
import { settings } from "../settings.js";
import { webLink } from "./links.js";

/** The reviews of an app: the verdict in words, since when it has it, and what others count. */

/** @typedef {import("./app.js").App} App */

const dayMs = 86_400_000;

/** The verdict of the reviews in words, and since when the app has it. @param {App} app @param {import("./app.js").Event | null} newest event of a verdict */
export function reviewsPanel(app, newest) {
  const { pics_review_score: score, pics_review_percentage: share, steamspy, metacritic_score, metacritic_url } = app;
  const without = reviewVerdict(app.pics_review_score_without_bombs, app.pics_review_percentage_without_bombs);
  const metacritic = metacritic_score === null ? null : String(metacritic_score);
  return panel(
    "Reviews",
    null,
    facts([
      [
        "Verdict",
        score
          ? el("span", {}, reviewWord(score), quiet(` · score ${score}, from 1 (worst) to 9 (best)`))
          : "– (Steam gives none)",
      ],
      ["Since", score ? sinceText(app, newest) : null],
      ["Positive", share === null ? null : `${share} %`],
      ["Without review bombs", without],
      ["Metacritic", metacritic && (metacritic_url ? webLink(metacritic_url, metacritic) : metacritic)],
      [
        "Owners (SteamSpy)",
        steamspy?.owners_estimate &&
          `${steamspy.owners_estimate.replace("..", "–")}${steamspy.owners_doubtful ? ", doubtful" : ""}`,
      ],
      [
        "Reviews (SteamSpy)",
        steamspy && steamspy.positive_reviews !== null
          ? `${count(steamspy.positive_reviews)} positive, ${count(steamspy.negative_reviews)} negative`
          : null,
      ],
    ]),
  );
}

/** @param {string} text */
const quiet = (text) => el("span", { class: "quiet" }, text);

/**
 * Since when an app has the verdict of its reviews, from the newest event of it. Without one it has it for at least as long as it is
 * stored, or as history is kept.
 *
 * @param {App} app @param {import("./app.js").Event | null} newest
 */
export function sinceText({ pics_review_score: score, created_at }, newest) {
  if (newest?.new === score) {
    const before = reviewWord(Number(newest.old));
    return `${dateAndClock(newest.detected_at)}${before === null ? "" : `, before: ${before}`}`;
  }
  if (newest !== null) return "– (its last change was not recorded)";
  if (!settings.history) return "– (HISTORY is off: changes are not recorded)";
  const kept = settings.historyDays === null ? 0 : serviceNow() - settings.historyDays * dayMs;
  return Date.parse(created_at) >= kept
    ? `at least ${dateAndClock(created_at)}, when the app was first stored`
    : `at least ${dateAndClock(kept)}: older history is deleted (HISTORY_DAYS)`;
}
