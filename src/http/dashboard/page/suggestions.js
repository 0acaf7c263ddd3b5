// @ts-check
import { getJson } from "./api.js";
import { reviewVerdict } from "./code-words.js";
import { words } from "./format.js";

/**
 * What the search field suggests, and where its text leads.
 *
 * @typedef {import("../../../catalog/views.ts").AppSummary} AppSummary
 * @typedef {{ address: string, title: string, about: string }} Option
 */

const maxSuggestions = 8;
const maxAppid = 2 ** 31 - 1;

/** Where text leads that is no choice among the suggestions. @param {string} text @returns {string | null} */
export function addressOf(text) {
  if (text === "") return null;
  const appid = appidIn(text);
  return appid === null ? `/apps?${new URLSearchParams({ q: text })}` : `/app/${appid}`;
}

/** The appid that a text is, or that the address of a page of the store or of SteamDB names. @param {string} text */
function appidIn(text) {
  const [, digits = ""] =
    /^(\d{1,10})$/.exec(text) ?? /^(?:https?:\/\/)?[\w.]+\/(?:agecheck\/)?app\/(\d{1,10})\b/.exec(text) ?? [];
  const appid = Number(digits);
  return appid >= 1 && appid <= maxAppid ? appid : null;
}

/** The app of an appid first, then apps by name, then all of them as a list. @param {string} text @param {AbortSignal} signal @returns {Promise<Option[]>} */
export async function suggestionsFor(text, signal) {
  const appid = appidIn(text);
  const byName = new URLSearchParams({ q: text, limit: String(maxSuggestions) });
  const [own, named] = await Promise.all([
    appid === null ? [] : apps(`appid=${appid}`, signal),
    // The address of a page is no name.
    appid !== null && /\D/.test(text) ? [] : apps(byName, signal),
  ]);
  const others = named.filter((app) => app.appid !== appid);
  /** @type {Option[]} */
  const direct =
    appid === null || own.length > 0 ? [] : [{ address: `/app/${appid}`, title: `App ${appid}`, about: "not stored" }];
  const all = { address: `/apps?${new URLSearchParams({ q: text })}`, title: `All apps named “${text}”`, about: "" };
  return [...own.map(optionOf), ...direct, ...others.map(optionOf), ...(others.length > 0 ? [all] : [])];
}

/** @param {string | URLSearchParams} query @param {AbortSignal} signal @returns {Promise<AppSummary[]>} */
async function apps(query, signal) {
  const { data } = await getJson(`/v1/apps?${query}`, signal);
  return data;
}

/** @param {AppSummary} app @returns {Option} */
function optionOf({ appid, name, type, is_active, pics_review_score: score, pics_review_percentage: share }) {
  const about = [words(type ?? "app"), appid, reviewVerdict(score, share), !is_active && "no longer available"];
  return { address: `/app/${appid}`, title: name?.trim() || `App ${appid}`, about: about.filter(Boolean).join(" · ") };
}
