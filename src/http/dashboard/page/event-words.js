// @ts-check
import { count, day, titled, words } from "./format.js";

/**
 * Events in people's words: a tag, what it is about, and what was and is. Pure; `event-row.js` renders them.
 *
 * @typedef {import("../../../catalog/event-views.ts").EventView} AppEvent
 * @typedef {Pick<AppEvent, "event" | "subject" | "old" | "new">} Facts
 * @typedef {"info" | "good" | "warn" | "neutral"} Tone
 * @typedef {object} EventWords
 * @property {string} label of the tag
 * @property {Tone} tone
 * @property {string} about what has changed: a branch, `Steam Deck`, `Reviews`
 * @property {boolean} isAboutNeeded the label alone does not say it
 * @property {string | null} old
 * @property {string | null} now
 * @property {string[]} added
 * @property {string[]} removed
 * @property {string | null} text what happened, where there is no old and new
 * @typedef {{ reviewScores: ReadonlyMap<number, string>, contentDescriptors: ReadonlyMap<number, string> }} CodeNames
 */

/** Builds of branches: the most frequent events by far. */
export const buildKinds = ["build", "branch_added", "branch_removed"];
/** All kinds but these. @returns {string[]} */
export const otherKinds = () => Object.keys(kinds).filter((kind) => !buildKinds.includes(kind));

/** @param {Facts} event @param {CodeNames} codes @returns {EventWords} */
export function eventWords(event, codes) {
  const { label, about, tone, ...of } = kinds[event.event] ?? {
    label: words(event.event),
    about: "Other",
    tone: "neutral",
  };
  const subject = event.subject;
  return {
    label,
    about: subject ?? about,
    isAboutNeeded: subject !== null || of.isAboutNeeded === true,
    tone: typeof tone === "function" ? tone(event) : tone,
    ...{ old: null, now: null, added: [], removed: [], text: null },
    ...of.say?.(event, codes),
  };
}

/**
 * @typedef {Partial<Pick<EventWords, "old" | "now" | "added" | "removed" | "text">>} Said
 * @typedef {object} Kind
 * @property {string} label
 * @property {string} about
 * @property {boolean} [isAboutNeeded]
 * @property {Tone | ((event: Facts) => Tone)} tone
 * @property {(event: Facts, codes: CodeNames) => Said} [say]
 */

/** @type {(text: string) => () => Said} */
const plain = (text) => () => ({ text });
/** @type {(show?: (value: unknown, codes: CodeNames) => string) => (event: Facts, codes: CodeNames) => Said} */
const moved =
  (show = plainValue) =>
  ({ old, new: now }, codes) => ({
    old: old === null ? "none" : show(old, codes),
    now: now === null ? "none" : show(now, codes),
  });
/** Lists: what left and what came. @type {(event: Facts) => Said} */
const difference = ({ old, new: now }) => ({ removed: namesOf(old), added: namesOf(now) });
/** The same of Steam's own lower-case names: languages, platforms. @type {(event: Facts) => Said} */
const codes = ({ old, new: now }) => ({ removed: namesOf(old).map(codeName), added: namesOf(now).map(codeName) });
/** Lists that are given whole. @type {(show: (value: unknown, codes: CodeNames) => string) => (event: Facts, codes: CodeNames) => Said} */
const lists =
  (show) =>
  ({ old, new: now }, codes) => {
    const [had, has] = [old, now].map((value) => listOf(value).map((item) => show(item, codes)));
    return {
      removed: (had ?? []).filter((item) => !has?.includes(item)),
      added: (has ?? []).filter((item) => !had?.includes(item)),
    };
  };

/** @type {(value: unknown, codes: CodeNames) => string} */
const reviewName = (value, { reviewScores }) => titled(reviewScores.get(Number(value)) ?? plainValue(value));
/** @type {(value: unknown, codes: CodeNames) => string} */
const descriptorName = (value, { contentDescriptors }) => contentDescriptors.get(Number(value)) ?? plainValue(value);
const verdict = (/** @type {unknown} */ value) => titled(words(plainValue(value)));
const state = (/** @type {unknown} */ value) => (value === "prerelease" ? "coming soon" : words(plainValue(value)));
const date = (/** @type {unknown} */ value) => (typeof value === "string" ? day(value) : plainValue(value));

/** @type {(event: Facts) => Tone} */
const rising = ({ old, new: now }) =>
  Number(now) > Number(old) ? "good" : Number(now) < Number(old) ? "warn" : "info";
/** @type {(event: Facts) => Tone} */
const verdictTone = ({ new: now }) => (now === "verified" ? "good" : now === "unsupported" ? "warn" : "info");
/** @param {string} about @returns {Kind} */
const verdictOf = (about) => ({ label: "verdict", about, isAboutNeeded: true, tone: verdictTone, say: moved(verdict) });
/** @param {string} label @param {string} about @param {typeof difference} [say] @returns {Kind} */
const listOfNames = (label, about, say = difference) => ({ label, about, tone: "info", say });

/** @type {Record<AppEvent["event"], Kind>} */
const kinds = {
  added: { label: "added", about: "Added", tone: "good", say: plain("new on Steam") },
  released: { label: "released", about: "Release", tone: "good", say: moved(state) },
  release_state: { label: "release", about: "Release", tone: "info", say: moved(state) },
  release_date_moved: { label: "date", about: "Release date", isAboutNeeded: true, tone: "info", say: moved(date) },
  renamed: { label: "renamed", about: "Name", tone: "info", say: moved() },
  type_changed: { label: "type", about: "Type", tone: "info", say: moved() },
  removed: { label: "removed", about: "Removed", tone: "warn", say: plain("no longer known to Steam") },
  returned: { label: "returned", about: "Returned", tone: "good", say: plain("known to Steam again") },
  delisted: { label: "delisted", about: "Delisted", tone: "warn", say: plain("no longer in the store’s list") },
  relisted: { label: "relisted", about: "Relisted", tone: "good", say: plain("in the store’s list again") },
  became_free: { label: "free", about: "Price", tone: "good", say: plain("free now") },
  no_longer_free: { label: "price", about: "Price", tone: "warn", say: plain("no longer free") },
  price_changed: { label: "price", about: "Price", tone: "info", say: plain("another price") },
  build: { label: "build", about: "Build", tone: "info", say: moved() },
  branch_added: { label: "branch", about: "Branch", tone: "info", say: ({ new: build }) => newBranch(build) },
  branch_removed: { label: "branch", about: "Branch", tone: "neutral", say: plain("branch is gone") },
  review_verdict: { label: "reviews", about: "Reviews", tone: rising, say: moved(reviewName) },
  metacritic_score: { label: "metacritic", about: "Metacritic", tone: rising, say: moved() },
  deck_verdict: verdictOf("Steam Deck"),
  steamos_verdict: verdictOf("SteamOS"),
  machine_verdict: verdictOf("Steam Machine"),
  frame_verdict: verdictOf("Steam Frame"),
  tags: listOfNames("tags", "Tags"),
  genres: listOfNames("genres", "Genres"),
  categories: listOfNames("features", "Features"),
  entered_early_access: {
    label: "early access",
    about: "Early Access",
    tone: "info",
    say: plain("now in Early Access"),
  },
  left_early_access: {
    label: "early access",
    about: "Early Access",
    tone: "good",
    say: plain("has left Early Access"),
  },
  languages: listOfNames("languages", "Languages", codes),
  platforms: listOfNames("platforms", "Platforms", codes),
  controller_support: { label: "controller", about: "Controller support", tone: "info", say: moved() },
  vr_support: { label: "VR", about: "Virtual reality", tone: "info", say: moved() },
  content_descriptors: { label: "content", about: "Content warnings", tone: "info", say: lists(descriptorName) },
  ai_content: { label: "AI", about: "AI content", tone: "info", say: lists((value) => words(plainValue(value))) },
  dlc_added: { label: "DLC", about: "DLC", tone: "good", say: difference },
  dlc_removed: { label: "DLC", about: "DLC", tone: "warn", say: difference },
  developer_changed: listOfNames("developer", "Developers"),
  publisher_changed: listOfNames("publisher", "Publishers"),
  franchise_changed: listOfNames("franchise", "Franchises"),
  art_changed: { label: "art", about: "Art", tone: "neutral", say: ({ new: art }) => ({ text: artText(art) }) },
};

/** @param {unknown} build @returns {Said} */
const newBranch = (build) => (build === null ? { text: "new branch" } : { old: "new branch", now: plainValue(build) });

/** @param {unknown} art */
const artText = (art) => `another ${namesOf(art).map(words).join(", ") || "picture"}`;

/** @param {unknown} value @returns {unknown[]} */
const listOf = (value) => (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]);

/** Names of tags and apps, or the values themselves. @param {unknown} values */
function namesOf(values) {
  return listOf(values).map((value) => {
    if (typeof value !== "object" || value === null) return plainValue(value);
    const { id, appid, name } = /** @type {{ id?: number, appid?: number, name?: string | null }} */ (value);
    return name || (appid === undefined ? `no. ${id}` : `app ${appid}`);
  });
}

/** `brazilian` becomes `Brazilian`. @param {string} code */
const codeName = (code) => (code === "macos" ? "macOS" : titled(words(code)));

/** @param {unknown} value @returns {string} */
function plainValue(value) {
  if (typeof value === "number") return count(value);
  if (Array.isArray(value)) return value.map(plainValue).join(", ") || "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}
