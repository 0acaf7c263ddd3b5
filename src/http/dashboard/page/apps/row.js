// @ts-check

import { reviewVerdict } from "../code-words.js";
import { appLink, el, tag } from "../dom.js";
import { day, words } from "../format.js";
import { capitalized, platform, reviewTone, verdictTone } from "../names.js";
import { withFilter } from "./filters.js";

/** One app of a list. */

const shownTags = 4;

/** @param {import("./apps.js").AppSummary} app @param {URLSearchParams} query the list's filters, to which a tag adds itself */
export function appRow(app, query) {
  const { appid, name, type, is_active, developers, tags, platforms, steam_deck, steam_release_date, release_state } =
    app;
  const about = [words(type ?? "app"), appid, developers[0]].filter(Boolean).join(" · ");
  const reviews = reviewVerdict(app.pics_review_score, app.pics_review_percentage);
  const deck = steam_deck?.category;
  const released = steam_release_date ? day(steam_release_date) : release_state && words(release_state);
  return el(
    "li",
    {},
    el(
      "div",
      { class: "row-main" },
      el("p", { class: "row-name" }, appLink(appid, name), el("span", { class: "quiet" }, ` ${about}`)),
      el(
        "p",
        { class: "app-tags quiet" },
        ...tags
          .slice(0, shownTags)
          .map(({ id, name: word }) =>
            el("a", { href: withFilter(query, "tag", word ?? String(id)) }, word ?? `tag ${id}`),
          ),
      ),
    ),
    el(
      "div",
      { class: "row-side" },
      el(
        "p",
        { class: "tag-row" },
        !is_active && tag("warn", "No longer available"),
        reviews !== null && tag(reviewTone(app.pics_review_score ?? 0), reviews),
        deck && deck !== "unknown" && tag(verdictTone(deck), `Deck ${capitalized(deck)}`),
      ),
      el("p", { class: "quiet" }, [platforms.map(platform).join(", "), released || "–"].filter(Boolean).join(" · ")),
    ),
  );
}
