import type { AppPlan } from "./app-plan.ts";
import type { KeyValue, KeyValueBlock } from "./key-values-writer.ts";
import type { Random } from "./random.ts";
import { namelessCategory } from "./store-categories.ts";

/**
 * Odd shapes, each seen in real payloads or in the logs of other projects. A share of the generated apps carries one of
 * them; a reader must tolerate all of them.
 */
type Distortion = (plan: AppPlan) => Record<string, KeyValue | undefined>;

const distortions: Distortion[] = [
  () => ({ name: "20482048" }),
  ({ name }) => ({ name: `  ${name}\t` }),
  ({ name }) => ({ name: `${name} \\ "uncut"` }),
  ({ name }) => ({ name: `${name}\u200b 🦊` }),
  ({ name }) => ({ name: `${name}\u0000` }),
  ({ name }) => ({ metacritic_name: `${name}\r\n\tsecond line` }),
  () => ({ associations: {} }),
  ({ developers: [name = ""] }) => ({
    associations: {
      "0": { type: "developer", name: ` ${name} ` },
      "1": { type: "developer", name: name.toUpperCase() },
      "2": { type: "publisher", name: "" },
      "4": { type: "award", name: "Best Teapot" },
    },
  }),
  () => ({ oslist: "macos, windows,android" }),
  () => ({ oslist: "" }),
  () => ({ releasestate: "preloadonly" }),
  () => ({ releasestate: "Released" }),
  () => ({ genres: "" }),
  () => ({ genres: { "0": 23, "3": 4, "7": 4, "8": "x" }, primary_genre: 70 }),
  () => ({ store_tags: { "0": 19, "1": 19, "2": "-4", "3": "99999999999" } }),
  () => ({ category: { category_2: 1, category_1: 0, [`category_${namelessCategory}`]: 1, other: 1 } }),
  () => ({ supported_languages: { english: { supported: "1" }, german: { supported: "" }, french: "1" } }),
  () => ({
    supported_languages: {
      "english (full audio)": { supported: "true" },
      "german;": { supported: "true" },
      "#lang_russian*#lang_full_audio": { supported: "true" },
    },
  }),
  () => ({ supported_languages: "english" }),
  () => ({ review_score: 0, review_percentage: 0 }),
  () => ({ metacritic_score: "99999999999", metacritic_url: "" }),
  () => ({ steam_release_date: 0, original_release_date: 86_400 }),
  () => ({ steam_release_date: "253402300800", store_asset_mtime: "-5" }),
  () => ({ steam_deck_compatibility: { category: 7, tests: "", test_timestamp: "soon" } }),
  () => ({ steam_deck_compatibility: "3" }),
  ({ appid }) => ({ parent: appid }),
  () => ({ parent: "none" }),
  () => ({ type: "Holotape" }),
  () => ({ content_descriptors: { "0": 5, "1": 5, "2": 1, "3": "" } }),
];

/** `common` with one field or a few in an odd shape. */
export function distortCommon(common: KeyValueBlock, plan: AppPlan, random: Random): KeyValueBlock {
  const changed = random.pick(distortions)(plan);
  const pairs = Array.isArray(common) ? common : Object.entries(common);
  const rest = pairs.filter(([key]) => !(key in changed));
  return [...rest.slice(0, 2), ...Object.entries(changed), ...rest.slice(2)];
}

/**
 * Occasionally a repeated key, or a byte in the name that is not UTF-8 (0x99, a trade mark sign of old Windows texts).
 */
export function distortText(text: string, random: Random): string | Buffer {
  if (random.chance(0.06)) return text.replace('\t\t"gameid"', '\t\t"Type"\t\t"Repeated"\n\t\t"gameid"');
  const name = '"name"\t\t"';
  const start = text.indexOf(name);
  if (start < 0 || !random.chance(0.06)) return text;
  const cut = start + name.length;
  return Buffer.concat([Buffer.from(text.slice(0, cut)), Buffer.of(0x99), Buffer.from(text.slice(cut))]);
}
