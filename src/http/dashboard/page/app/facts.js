// @ts-check
import { contentWarning, language } from "../code-words.js";
import { appLink, el, facts, panel } from "../dom.js";
import { count, dateAndClock, plural } from "../format.js";
import { webLink } from "./links.js";

/** The facts of an app that no other panel has. Fields without a value are left out. */

/** @typedef {import("./app.js").App} App */
/** @typedef {import("../dom.js").Child} Child */

/** @param {App} app */
export function factsPanel(app) {
  return panel("Facts", null, facts([...content(app), ...store(app), ...support(app), ...record(app)]));
}

/** @param {App} app @returns {[string, Child][]} */
function content({ dlc, genres, categories, franchises, publishers, content_descriptors, ai_content }) {
  return [
    ["Publishers", publishers.join(", ")],
    ["Franchises", franchises.join(", ")],
    ["Genres", named(genres, "genre")],
    ["Features", named(categories, "category")],
    ["DLC", dlc.length === 0 ? null : folded(dlc.map(({ appid, name }) => appLink(appid, name)))],
    ["Content warnings", (content_descriptors ?? []).map(contentWarning).join(", ")],
    ["AI content", (ai_content ?? []).map((kind) => kind.replaceAll("_", "-")).join(", ")],
  ];
}

/** @param {App} app @returns {[string, Child][]} */
function store({
  original_release_date,
  homepage_url,
  restricted_countries,
  family_sharing_excluded,
  must_own_appid,
  playtest_type,
  app_state,
}) {
  return [
    ["First released", original_release_date && dateAndClock(original_release_date)],
    ["Homepage", homepage_url && webLink(homepage_url, null)],
    ["Must own", must_own_appid === null ? null : appLink(must_own_appid, null)],
    ["Not sold in", restricted_countries?.join(", ")],
    ["Family sharing", family_sharing_excluded ? "excluded" : null],
    ["Playtest type", playtest_type === null ? null : String(playtest_type)],
    ["App state", app_state],
  ];
}

/** @param {App} app @returns {[string, Child][]} */
function support({ languages, controller_support, os_arch, has_workshop, name_localized, install_dir }) {
  return [
    ["Languages", languageFacts(languages)],
    ["Controllers", controller_support],
    ["Architecture", os_arch && `${os_arch} bit`],
    ["Workshop", has_workshop ? "yes" : null],
    [
      "Other names",
      Object.entries(name_localized ?? {})
        .map(([spoken, name]) => `${name} (${language(spoken)})`)
        .join(", "),
    ],
    ["Folder", install_dir],
  ];
}

/** @param {App} app @returns {[string, Child][]} */
function record({ last_content_update, store_asset_mtime, created_at, updated_at }) {
  return [
    ["Built", last_content_update && dateAndClock(last_content_update)],
    ["Store page changed", store_asset_mtime && dateAndClock(store_asset_mtime)],
    ["First stored here", dateAndClock(created_at)],
    ["Last changed here", dateAndClock(updated_at)],
  ];
}

/** `12, of which 2 with audio`, and which on demand. @param {App["languages"]} languages */
function languageFacts(languages) {
  const all = Object.entries(languages ?? {});
  if (all.length === 0) return null;
  const voiced = all.filter(([, { full_audio }]) => full_audio).length;
  const summary = `${count(all.length)}${voiced > 0 ? `, of which ${count(voiced)} with audio` : ""}`;
  const names = all.map(([name, { supported, full_audio, subtitles }]) => {
    const parts = [full_audio && "audio", subtitles && "subtitles", !supported && "no interface"].filter(Boolean);
    return parts.length === 0 ? language(name) : `${language(name)} (${parts.join(", ")})`;
  });
  return el("details", {}, el("summary", {}, summary), names.join(", "));
}

const shownLinks = 4;
/** The first links, the others on demand. @param {HTMLElement[]} links */
function folded(links) {
  if (links.length <= shownLinks) return el("span", {}, ...joined(links));
  return el("details", {}, el("summary", {}, plural(links.length, "app")), ...joined(links));
}

/** @param {HTMLElement[]} links */
const joined = (links) => links.flatMap((link, at) => (at === 0 ? [link] : [", ", link]));

/** @param {App["genres"]} labels @param {string} filter */
const named = (labels, filter) =>
  labels.length === 0
    ? null
    : el(
        "span",
        {},
        ...joined(
          labels.map(({ id, name }) =>
            el(
              "a",
              { href: `/apps?${new URLSearchParams({ [filter]: name ?? String(id) })}` },
              name ?? `${filter} ${id}`,
            ),
          ),
        ),
      );
