import { type AppRecord, deckCategories } from "./app-record.ts";

/** Ids of this and above have no label; Steam's are below ten million. */
const kindSize = 2 ** 28;

/**
 * Labels of an app (`apps.labels`, by which lists are filtered): its tags, genres, categories and verdicts on Steam Deck, Machine and Frame
 * as one ascending list of integers, each kind in a range of its own. `catalog_labels_of` in SQL says the same.
 *
 * @returns undefined when Steam withheld a section that has some of them: the database then reads them from the relations.
 */
export function labelsOf({ tags, genres, categories, steam_deck: deck }: AppRecord): number[] | undefined {
  if (!tags || !genres || !categories || deck === undefined) return undefined;
  const rated = deck === null ? [] : [deck.category, deck.machine_category, deck.frame_category];
  const ofVerdicts = rated.map((verdict) => (verdict ? [deckCategories.indexOf(verdict) + 1] : []));
  return [tags, genres, categories, ...ofVerdicts]
    .flatMap((ids, kind) => ids.filter((id) => id < kindSize).map((id) => kind * kindSize + id))
    .sort((a, b) => a - b);
}
