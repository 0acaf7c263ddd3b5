import {
  aiContentWords,
  appTypes,
  contentDescriptors,
  deckTestResults,
  deckTests,
  deckVerdicts,
  releaseStates,
  reviewScores,
  steamosTestResults,
  steamosVerdicts,
  vrSupportWords,
} from "../../../src/catalog/code-names.ts";
import { eventMeanings } from "../../../src/catalog/event-views.ts";
import type { Dictionary } from "./model.ts";

/** Codes with their words, and the columns that hold them. The words are those of the source, or of the seeds in the database. */
export interface Enumeration {
  title: string;
  /** As `table.column`. Where the comment of one lists values, it lists these. */
  columns: string[];
  words: ReadonlyMap<string | number, string>;
  note?: string;
}

const byKey = (words: Record<string, string>) => new Map(Object.entries(words));
const deckColumns = (...names: string[]) => names.map((name) => `app_steam_deck.${name}`);

export function enumerations({ genres, categories }: Dictionary): Enumeration[] {
  return [
    {
      title: "Review scores",
      columns: ["apps.pics_review_score", "apps.pics_review_score_without_bombs"],
      words: reviewScores,
    },
    {
      title: "Types of apps",
      columns: ["apps.type", "sync_status.skipped_type"],
      words: appTypes,
      note: "Steam adds types.",
    },
    {
      title: "States of release",
      columns: ["apps.release_state"],
      words: releaseStates,
      note: "Steam may add states.",
    },
    { title: "Content descriptors", columns: ["apps.content_descriptors"], words: contentDescriptors },
    { title: "AI content", columns: ["apps.ai_content"], words: byKey(aiContentWords) },
    { title: "Virtual reality", columns: ["apps.vr_support"], words: byKey(vrSupportWords) },
    {
      title: "Deck verdicts",
      columns: deckColumns("category", "machine_category", "frame_category"),
      words: byKey(deckVerdicts),
    },
    { title: "SteamOS verdicts", columns: deckColumns("steamos_category"), words: byKey(steamosVerdicts) },
    { title: "Deck test results", columns: deckColumns("tests"), words: deckTestResults },
    { title: "SteamOS test results", columns: deckColumns("steamos_tests"), words: steamosTestResults },
    {
      title: "Deck tests",
      columns: deckColumns("tests", "steamos_tests"),
      words: deckTests,
      note: "The end of a token, behind `#SteamDeckVerified_TestResult_` or `#SteamOS_TestResult_`. Valve adds tests; the words are ours.",
    },
    { title: "Kinds of events", columns: ["app_events.event"], words: byKey(eventMeanings) },
    {
      title: "Genres",
      columns: ["steam_genres.genre_id", "apps.primary_genre_id"],
      words: genres,
      note: "Steam adds genres.",
    },
    {
      title: "Categories",
      columns: ["steam_categories.category_id"],
      words: categories,
      note: "As seeded; Steam's own names replace them, and Steam adds categories.",
    },
  ];
}
