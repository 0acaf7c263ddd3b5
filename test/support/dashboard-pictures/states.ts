import type { EventView } from "../../../src/catalog/event-views.ts";
import type { CatalogSummary } from "../../../src/catalog/list-views.ts";
import type { AppSummary } from "../../../src/catalog/views.ts";
import type { CatalogReader } from "../../../src/db/catalog-reader.ts";
import { sleep } from "../../../src/process/time.ts";
import type { ServiceSnapshot } from "../../../src/status/snapshot.ts";

/** Invented apps and counts for the pictures of the dashboard. Times are relative to now. */

const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
const ahead = (seconds: number) => ago(-seconds);

const requests = {
  ...{ changes: 0, metadata: 0, product_info: 0, access_tokens: 0 },
  ...{ tag_names: 0, category_names: 0, http_payload: 0 },
};
const steam = {
  ...{ connected: true, connected_since: ago(560), reconnect_attempts: 0, last_error: null, requests },
};
const database = { driver: "postgres", reachable: true, reachable_since: ago(560), last_error: null } as const;
const catalog = {
  ...{ last_change_number: 36_000_446, bulk_started_at: ago(200_000), bulk_completed_at: ago(198_000) },
  ...{ last_verified_at: ago(9_000), apps: 301_482, pending: 3, failing: 4, unconfirmed: 0, skipped: 0 },
  ...{ mass_unknown_at: null, unread_keys: { count: 0, new_count: 0, new: [] }, lag_seconds: 4 },
  size: { bytes: 1_412_000_000, growth_per_day: 12_400_000, tables: [] },
};
const monitor: ServiceSnapshot["monitor"] = {
  ...{ last_change_number: 36_000_446, pending: 3, failing: 4, unconfirmed: 0, mass_unknown_at: null, leading: true },
  ...{ sweeping: false, unanswered: 0, empty_changelists: 0, last_poll_at: ago(1), lag_seconds: 4 },
  ...{ poll_interval_seconds: 30, bulk_completed_at: ago(198_000), drain_only: false },
};
const loops = (state: "running" | "waiting"): ServiceSnapshot["loops"] => [
  { name: "change monitor", state, last_progress_at: ago(1), limit_ms: 120_000 },
];
const failing = [
  {
    appid: 1_203_220,
    name: "Naraka",
    attempts: 3,
    error: "Steam did not answer for this app",
    next_attempt_at: ahead(190),
  },
  {
    appid: 814_380,
    name: "Sekiro",
    attempts: 2,
    error: "Steam did not answer for this app",
    next_attempt_at: ahead(240),
  },
  { appid: 2_358_720, name: null, attempts: 5, error: "line 7: a key without a value", next_attempt_at: ahead(1_200) },
];

const common = { mode: "sync", started_at: ago(561), collector: null, library: null, apps_stored: 5_210 };

/** A service that follows changes. */
export const following = (): ServiceSnapshot => ({
  ...{ ...common, steam, database, bulk: null, monitor, failing_apps: failing, loops: loops("running"), catalog },
});

/** The same while Steam is away. */
export const outage = (): ServiceSnapshot => ({
  ...following(),
  steam: {
    ...steam,
    ...{ connected: false, connected_since: null, reconnect_attempts: 3, last_error: "no server accepts the logon" },
    ...{ last_error_at: ago(14), away_since: ago(106), next_attempt_at: ahead(24) },
  },
  loops: loops("waiting"),
});

/** A first load, half way. */
export const loading = (): ServiceSnapshot => ({
  ...following(),
  ...{ monitor: null, failing_apps: [], catalog: { ...catalog, bulk_completed_at: null, apps: 165_400 } },
  bulk: {
    ...{ phase: "sweeping", swept_ids: 1_860_000, sweep_end: 4_210_000, total: 198_300, done: 165_400, skipped: 0 },
    ...{
      failed: 0,
      unknown: 1_312,
      unconfirmed: 0,
      unanswered: 0,
      share: 0.442,
      rate_per_second: 400,
      eta_seconds: 340,
    },
    elapsed_seconds: 420,
  },
  collector: {
    ...{ phase: "details", done: 1_240, total: 92_000, failed: 0, rate_per_minute: 59.8, eta_seconds: 91_000 },
    ...{ games: null, endpoints: [], last_error: null, next_run_at: null },
  },
});

/** A service that has just started, with an empty database and no answer from Steam yet. */
export const fresh = (): ServiceSnapshot => ({
  ...{ ...common, started_at: ago(3), apps_stored: 0, steam: { ...steam, connected: false, connected_since: null } },
  ...{
    database,
    monitor: null,
    failing_apps: [],
    loops: [{ name: "bulk sync", state: "starting", last_progress_at: null, limit_ms: 60_000 }],
  },
  bulk: {
    ...{ phase: "starting", swept_ids: 0, sweep_end: null, total: 0, done: 0, skipped: 0, failed: 0, unknown: 0 },
    ...{ unconfirmed: 0, unanswered: 0, share: 0, rate_per_second: 0, eta_seconds: null, elapsed_seconds: 0 },
  },
});

type Told = Pick<EventView, "event" | "appid" | "name" | "type"> & Partial<EventView>;
const label = (id: number, name: string) => ({ id, name });
const told: Told[] = [
  {
    event: "build",
    appid: 730,
    name: "Counter-Strike 2",
    type: "game",
    subject: "public",
    old: "19591492",
    new: "19602233",
  },
  {
    event: "build",
    appid: 730,
    name: "Counter-Strike 2",
    type: "game",
    subject: "beta",
    old: "19591490",
    new: "19602230",
  },
  { event: "released", appid: 2_904_110, name: "Lantern Harbour", type: "game", old: "prerelease", new: "released" },
  { event: "deck_verdict", appid: 1_039_430, name: "Hollow Ithafell", type: "game", old: "playable", new: "verified" },
  { event: "review_verdict", appid: 914_700, name: "Wexamere's Teahouse", type: "game", old: 6, new: 8 },
  { event: "delisted", appid: 1_557_000, name: "Savizan VR: Little Pack", type: "dlc" },
  {
    event: "tags",
    appid: 710_050,
    name: "Quiet Mill",
    type: "game",
    old: [label(9, "Strategy")],
    new: [label(97_376, "Cozy"), label(3_810, "Automation")],
  },
  { event: "added", appid: 3_184_850, name: "Ardaedor: Tides of the Railway", type: "demo" },
  {
    event: "build",
    appid: 440,
    name: "Team Fortress 2",
    type: "game",
    subject: "prerelease",
    old: "19588101",
    new: "19601774",
  },
  {
    event: "languages",
    appid: 1_118_200,
    name: "People of the Delta",
    type: "game",
    old: null,
    new: ["polish", "turkish"],
  },
  {
    event: "release_date_moved",
    appid: 2_440_510,
    name: "Iron Crowns: Northern Lords",
    type: "dlc",
    old: "2026-12-03T18:00:00Z",
    new: "2027-01-21T18:00:00Z",
  },
  {
    event: "dlc_added",
    appid: 620_980,
    name: "Beat Harbour",
    type: "game",
    new: [{ appid: 3_190_220, name: "Beat Harbour: Synth Pack" }],
  },
  { event: "review_verdict", appid: 1_284_190, name: "The Last Ferryman", type: "game", old: 8, new: 6 },
  { event: "platforms", appid: 811_340, name: "Gravel & Grain", type: "game", old: null, new: ["linux"] },
  { event: "art_changed", appid: 1_920_030, name: "Old Rail", type: "game", new: ["header_image", "library_hero"] },
];
const events: EventView[] = told.map((event, index) => ({
  ...{ id: 90_000 - index, subject: null, old: null, new: null, image: null, change_ids: [1] },
  ...{ change_number: 36_000_446 - Math.floor(index / 2), detected_at: ago(4 + index * 21) },
  ...event,
}));

const summary: CatalogSummary = {
  apps: 301_482,
  by_type: [
    ["game", 192_310],
    ["dlc", 61_220],
    ["demo", 21_904],
    ["music", 9_880],
    ["tool", 8_123],
    ["beta", 6_020],
    ["video", 2_025],
  ].map(([name, count]) => ({ name: String(name), count: Number(count) })),
  deck: [
    { category: "playable", count: 5_168 },
    { category: "verified", count: 4_033 },
    { category: "unsupported", count: 2_899 },
    { category: "unknown", count: 504 },
  ],
  top_tags: [
    ["Indie", 118_400],
    ["Singleplayer", 101_220],
    ["Action", 79_310],
    ["Casual", 76_900],
    ["Adventure", 72_800],
    ["2D", 49_120],
    ["Simulation", 44_100],
    ["Strategy", 40_020],
    ["3D", 38_300],
    ["RPG", 35_480],
  ].map(([name, count]) => ({ name: String(name), count: Number(count) })),
};
const none: CatalogSummary = { apps: 0, by_type: [], deck: [], top_tags: [] };

/** Only what the page shows of an app that was just stored. */
const stored = [
  ["Lantern Harbour", 2_904_110, "game", ["Puzzle", "Cozy", "Point & Click"], 8, 91, "verified", null],
  ["Iron Crowns: Northern Lords", 710_081, "dlc", [], null, null, null, { appid: 710_080, name: "Iron Crowns" }],
  ["Old Rail", 710_040, "game", ["Simulation", "Trains"], 6, 76, null, null],
  ["Quiet Mill", 710_050, "game", ["Strategy", "Automation", "Cozy"], 9, 96, "playable", null],
  ["Gravel & Grain Soundtrack", 811_341, "music", [], null, null, null, { appid: 811_340, name: "Gravel & Grain" }],
  ["The Last Ferryman", 1_284_190, "game", ["Adventure", "Story Rich", "Atmospheric"], 5, 58, null, null],
  ["Wexamere's Teahouse", 914_700, "game", ["Casual", "Management", "Cute"], 8, 80, "verified", null],
  ["Ardaedor: Tides of the Railway", 3_184_850, "demo", [], null, null, null, { appid: 3_184_840, name: "Ardaedor" }],
].map(
  ([name, appid, type, tags, score, percentage, deck, parent], index) =>
    ({
      ...{ appid, name, type, parent, developers: [], updated_at: ago(Math.floor(index / 3)) },
      ...{ tags: (tags as string[]).map((tag, id) => label(id + 1, tag)), pics_review_score: score },
      ...{ pics_review_percentage: percentage, steam_deck: deck === null ? null : { category: deck } },
    }) as unknown as AppSummary,
);

/** A smooth series with two peaks, of which the pictures are the same each time. */
const wave = (index: number) =>
  Math.round(
    12 + 5 * Math.sin(index / 3.1) + 26 * Math.exp(-((index - 14) ** 2) / 9) + 30 * Math.exp(-((index - 43) ** 2) / 5),
  );

/** A reader of the invented catalog; of an empty one when `isEmpty`. */
export function inventedReader(isEmpty: boolean): CatalogReader {
  const minute = (index: number) => new Date(Math.floor(Date.now() / 60_000 - 59 + index) * 60_000).toISOString();
  const hour = (index: number) => new Date(Math.floor(Date.now() / 3_600_000 - 23 + index) * 3_600_000).toISOString();
  const reader: Partial<CatalogReader> = {
    for: () => reader as CatalogReader,
    news: (ms) => sleep(ms),
    events: async ({ after }) => ({ items: isEmpty || after !== undefined ? [] : events, last_id: 90_000, next: null }),
    apps: async () => ({ apps: isEmpty ? [] : stored, next: null }),
    activity: async () =>
      Array.from({ length: 60 }, (_, index) => ({
        minute: minute(index),
        apps: isEmpty ? 0 : wave(index),
        changes: 0,
      })),
    day: async () => ({
      ...{ apps: isEmpty ? 0 : 20_610, added: isEmpty ? 0 : 214 },
      hours: Array.from({ length: 24 }, (_, index) => ({
        hour: hour(index),
        apps: isEmpty ? 0 : 60 * wave(2 * index),
      })),
    }),
    summary: async () => (isEmpty ? none : summary),
    version: async () => null,
  };
  return reader as CatalogReader;
}
