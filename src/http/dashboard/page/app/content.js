// @ts-check

import { language } from "../code-words.js";
import { appLink, el, facts, panel } from "../dom.js";
import { bytes, count, dateAndClock } from "../format.js";
import { platform } from "../names.js";
import { settings } from "../settings.js";
import { jsonLink } from "./links.js";
import { whenShort } from "./when.js";

/** What an app consists of: branches with their builds, and depots with their manifests. */

const maxBranches = 8;
const maxDepots = 12;

/** @typedef {import("./app.js").App} App */

/** @param {App} app @param {import("./app.js").Branch[]} branches */
export function branchesPanel(app, branches) {
  /** @type {[string, Node | string][]} */
  const lines = branches.map(({ branch, build_id, built_at, updated_at, description, password_required }) => {
    const time = built_at ?? updated_at;
    const age =
      time &&
      el("time", { datetime: time, title: `${built_at ? "built" : "updated"} ${dateAndClock(time)}` }, whenShort(time));
    const value = el("span", {}, build_id ?? "–", ...(age ? [" · ", age] : []));
    if (description) value.append(el("span", { class: "quiet" }, ` · ${description}`));
    return [password_required ? `${branch} (password)` : branch, value];
  });
  const content = lines.length === 0 ? nothing("branches", app) : rows(lines, maxBranches);
  return panel("Branches", jsonLink(`/v1/apps/${app.appid}/branches`), content);
}

/** An empty list says nothing where Steam withholds it, or was not asked yet. @param {string} what @param {App} app */
const nothing = (what, { missing_token, change_number }) =>
  el(
    "p",
    { class: "quiet" },
    missing_token || change_number === null ? `– (${what} are not known)` : `Steam lists no ${what} of this app.`,
  );

/** Facts of which the rest appears on demand. @param {[string, Node | string][]} lines @param {number} most */
function rows(lines, most) {
  const shown = el("div", {}, facts(lines.slice(0, most)));
  if (lines.length > most) shown.append(moreButton(lines.length - most, () => shown.replaceChildren(facts(lines))));
  return shown;
}

/** @param {number} left @param {() => void} use */
function moreButton(left, use) {
  const button = el("button", { class: "link show-more", type: "button" }, `Show ${count(left)} more`);
  button.addEventListener("click", use);
  return button;
}

/** Nothing where depots are not kept. @param {App} app @param {import("./app.js").Depot[] | null} depots */
export function depotsPanel(app, depots) {
  if (depots === null && !settings.depots) return null;
  if (depots === null || depots.length === 0) return panel("Depots", null, nothing("depots", app));
  const list = el("ul", { class: "depots" }, ...depots.slice(0, maxDepots).map(depotItem));
  const box = panel("Depots", jsonLink(`/v1/apps/${app.appid}/depots`), list);
  box.classList.add("depots-panel");
  if (depots.length > maxDepots) {
    const more = moreButton(depots.length - maxDepots, () => {
      list.append(...depots.slice(maxDepots).map(depotItem));
      more.remove();
    });
    box.append(more);
  }
  return box;
}

/** @param {import("./app.js").Depot} depot */
function depotItem(depot) {
  const { depot_id, name, from_appid } = depot;
  const notes = notesOf(depot).join(" · ");
  return el(
    "li",
    {},
    el("p", {}, el("strong", {}, String(depot_id)), name && ` ${name}`, el("span", { class: "quiet" }, ` ${notes}`)),
    from_appid === null
      ? el("p", { class: "quiet" }, manifestText(depot))
      : el("p", { class: "quiet" }, "shared from ", appLink(from_appid, null)),
  );
}

/** @param {import("./app.js").Depot} depot */
const notesOf = ({ os_list, os_arch, language: spoken, dlc_appid }) =>
  [
    os_list?.map(platform).join(", "),
    os_arch && `${os_arch} bit`,
    spoken && language(spoken),
    dlc_appid && `DLC ${dlc_appid}`,
  ].filter(Boolean);

/** The manifest of the public branch, or else of the first. @param {import("./app.js").Depot} depot */
function manifestText({ manifests }) {
  const main = manifests.find(({ branch }) => branch === "public") ?? manifests[0];
  if (main === undefined) return "no manifest";
  const { branch, manifest_id, size_bytes, download_bytes } = main;
  const others = manifests.length - 1;
  const parts = [
    `${branch} ${manifest_id}`,
    size_bytes !== null && bytes(size_bytes),
    download_bytes !== null && `${bytes(download_bytes)} to download`,
    others > 0 && `and ${count(others)} other ${others === 1 ? "branch" : "branches"}`,
  ];
  return parts.filter(Boolean).join(" · ");
}
