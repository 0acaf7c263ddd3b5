import { z } from "zod";
import * as examples from "./view-examples.ts";
import { count, id, time } from "./views.ts";

/**
 * Kinds of events, each with its meaning: the one list of them. `pics_events_of` (supabase/routines/events.sql) derives
 * them from changes of fields; docs/events.md says what `old` and `new` hold.
 */
export const eventMeanings = {
  added: "a new app, stored for the first time after the first complete pass",
  released: "its state became released",
  release_state: "its state became another: prerelease, preloadonly, unavailable, …",
  release_date_moved: "its date of release was set, moved or taken back, other than by its release",
  renamed: "another name",
  type_changed: "another type: a demo that became a game, …",
  removed: "Steam no longer knows it",
  returned: "Steam knows it again",
  delisted: "the store's app list no longer names it",
  relisted: "the store's app list names it again",
  became_free: "Steam marks it as free",
  no_longer_free: "Steam no longer marks it as free",
  price_changed: "the store's app list says that its price changed; not which price",
  build: "a branch has another build",
  branch_added: "a new branch",
  branch_removed: "a branch is gone",
  review_verdict: "another verdict of its reviews",
  metacritic_score: "another score of Metacritic",
  deck_verdict: "another verdict for the Steam Deck",
  steamos_verdict: "another verdict for SteamOS",
  machine_verdict: "another verdict for the Steam Machine",
  frame_verdict: "another verdict for the Steam Frame",
  tags: "tags came or left",
  genres: "genres came or left",
  categories: "categories (features) came or left",
  entered_early_access: "Early Access came among its genres",
  left_early_access: "Early Access left its genres",
  languages: "languages came or left",
  platforms: "platforms came or left",
  controller_support: "another support of controllers",
  vr_support: "another support of virtual reality",
  content_descriptors: "other warnings about its content",
  ai_content: "another declaration of content made with generative AI",
  dlc_added: "DLC came",
  dlc_removed: "DLC left",
  developer_changed: "developers came or left",
  publisher_changed: "publishers came or left",
  franchise_changed: "franchises came or left",
  art_changed: "other art; new names its kinds",
} as const;

export type EventKind = keyof typeof eventMeanings;
export const eventKinds = Object.keys(eventMeanings) as EventKind[];

export const eventView = z
  .object({
    id: count.meta({ description: "increases in the order in which events are served" }),
    event: z
      .enum(eventKinds)
      .meta({ id: "EventKind", description: "what happened; docs/events.md has each", examples: ["build"] }),
    appid: id,
    name: z.string().nullable().meta({ description: "of the app, as it is now" }),
    type: z.string().nullable(),
    image: z.string().nullable().meta({ description: "address of the header of its store page" }),
    subject: z.string().nullable().meta({ description: "the branch of a build; null for other events" }),
    old: z.unknown().meta({ description: "the value before; of lists, what left; null where the event has none" }),
    new: z.unknown().meta({ description: "the value since; of lists, what came; null where the event has none" }),
    change_number: count,
    change_ids: z.array(count).meta({ description: "ids of the changes that it follows from" }),
    detected_at: time,
  })
  .meta({ id: "Event", examples: [examples.event] });
export type EventView = z.infer<typeof eventView>;
