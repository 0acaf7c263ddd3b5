import { contentDescriptors, reviewScores } from "./code-names.ts";
import type { EventKind, EventView } from "./event-views.ts";

/** What happened, as a sentence without the app's name: "has a new build on the branch public: 6517070 (was 6342108)". */
export function describeEvent(event: Pick<EventView, "event" | "subject" | "old" | "new">): string {
  return sentences[event.event](event);
}

/** The address of an app's page in the store. */
export const storePage = (appid: number): string => `https://store.steampowered.com/app/${appid}/`;

type Facts = Pick<EventView, "subject" | "old" | "new">;

const sentences: Record<EventKind, (facts: Facts) => string> = {
  added: () => "is new on Steam",
  released: () => "is released",
  release_state: (facts) => `has another state of release: ${moved(facts)}`,
  release_date_moved: (facts) => `has another date of release: ${moved(facts, day)}`,
  renamed: ({ old }) => `has another name; it was ${text(old)}`,
  type_changed: (facts) => `is of another type: ${moved(facts)}`,
  removed: () => "is no longer known to Steam",
  returned: () => "is known to Steam again",
  delisted: () => "is no longer listed in the store",
  relisted: () => "is listed in the store again",
  became_free: () => "is free now",
  no_longer_free: () => "is no longer free",
  price_changed: () => "has another price",
  build: (facts) => `has a new build on the branch ${facts.subject}: ${moved(facts)}`,
  branch_added: ({ subject, new: build }) => `has a new branch, ${subject}${build === null ? "" : `: ${text(build)}`}`,
  branch_removed: ({ subject }) => `has lost its branch ${subject}`,
  review_verdict: (facts) =>
    `has another verdict of its reviews: ${moved(facts, (score) => word(reviewScores, score))}`,
  metacritic_score: (facts) => `has another score at Metacritic: ${moved(facts)}`,
  deck_verdict: (facts) => `has another verdict for the Steam Deck: ${moved(facts)}`,
  steamos_verdict: (facts) => `has another verdict for SteamOS: ${moved(facts)}`,
  machine_verdict: (facts) => `has another verdict for the Steam Machine: ${moved(facts)}`,
  frame_verdict: (facts) => `has another verdict for the Steam Frame: ${moved(facts)}`,
  tags: (facts) => `has other tags: ${difference(facts)}`,
  genres: (facts) => `has other genres: ${difference(facts)}`,
  categories: (facts) => `has other features: ${difference(facts)}`,
  entered_early_access: () => "is in Early Access",
  left_early_access: () => "has left Early Access",
  languages: (facts) => `has other languages: ${difference(facts)}`,
  platforms: (facts) => `runs on other platforms: ${difference(facts)}`,
  controller_support: (facts) => `supports controllers otherwise: ${moved(facts)}`,
  vr_support: (facts) => `supports virtual reality otherwise: ${moved(facts)}`,
  content_descriptors: (facts) => `has other warnings about its content: ${moved(facts, descriptors)}`,
  ai_content: (facts) => `declares AI content otherwise: ${moved(facts)}`,
  dlc_added: ({ new: came }) => `has new DLC: ${names(came)}`,
  dlc_removed: ({ old }) => `has lost DLC: ${names(old)}`,
  developer_changed: (facts) => `has other developers: ${difference(facts)}`,
  publisher_changed: (facts) => `has other publishers: ${difference(facts)}`,
  franchise_changed: (facts) => `belongs to other franchises: ${difference(facts)}`,
  art_changed: ({ new: kinds }) => `has other art: ${names(kinds)}`,
};

/** `new (was old)`. */
function moved({ old, new: now }: Facts, show: (value: unknown) => string = text): string {
  if (now === null) return old === null ? "none" : `none (was ${show(old)})`;
  return old === null ? show(now) : `${show(now)} (was ${show(old)})`;
}

/** `+ Puzzle, Cozy; − Action`. */
function difference({ old: left, new: came }: Facts): string {
  return [came !== null && `+ ${names(came)}`, left !== null && `− ${names(left)}`].filter(Boolean).join("; ");
}

const day = (time: unknown) => text(time).slice(0, 10);
const descriptors = (ids: unknown) =>
  list(ids)
    .map((id) => word(contentDescriptors, id))
    .join(", ") || "none";
const names = (values: unknown) => list(values).map(nameOf).join(", ");
const list = (values: unknown): unknown[] => (Array.isArray(values) ? values : []);
const word = (words: ReadonlyMap<number, string>, code: unknown) => words.get(Number(code)) ?? text(code);

/** Of a tag, genre, category or app by its name, where it has one; other values are names. */
function nameOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return text(value);
  const { id, appid, name } = value as { id?: number; appid?: number; name: string | null };
  return name ?? (appid === undefined ? `${id}` : `app ${appid}`);
}

function text(value: unknown): string {
  if (Array.isArray(value)) return value.map(text).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}
