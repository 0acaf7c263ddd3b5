/**
 * Names of store categories, by id, as the simulated Steam gives them: those that generated apps carry, one that only
 * Steam names (74), one that the seeds write otherwise (28), and one that the seeds take for another category (63). Of
 * the seeded ones some are left out, such as 6 and 16.
 */
export const storeCategories: ReadonlyMap<number, string> = new Map([
  [1, "Multi-player"],
  [2, "Single-player"],
  [9, "Co-op"],
  [13, "Captions available"],
  [15, "Stats"],
  [18, "Partial Controller Support"],
  [20, "MMO"],
  [22, "Steam Achievements"],
  [23, "Steam Cloud"],
  [24, "Shared/Split Screen"],
  [25, "Steam Leaderboards"],
  [27, "Cross-Platform Multiplayer"],
  [28, "Full Controller Support"],
  [29, "Steam Trading Cards"],
  [30, "Steam Workshop"],
  [35, "In-App Purchases"],
  [36, "Online PvP"],
  [37, "Shared/Split Screen PvP"],
  [38, "Online Co-op"],
  [39, "Shared/Split Screen Co-op"],
  [41, "Remote Play on Phone"],
  [42, "Remote Play on Tablet"],
  [43, "Remote Play on TV"],
  [44, "Remote Play Together"],
  [62, "Family Sharing"],
  [63, "Adjustable Text Size"],
  [74, "Playable without Timed Input"],
]);

/** Carried by some generated apps, though Steam has no name for it. */
export const namelessCategory = 9_999;
