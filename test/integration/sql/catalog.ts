import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach } from "vitest";
import type { Branch, DeckCategory, Depot, DepotManifest, SteamDeckRecord } from "../../../src/catalog/app-record.ts";
import { extractorVersion } from "../../../src/catalog/extract.ts";
import type { StoredRecord } from "../../../src/db/sync-calls.ts";
import { forEachDatabase, oneOf, type TestDatabase, type TestDatabaseOptions } from "../../support/databases.ts";

/** The SQL functions as a test calls them: raw requests and replies, and the tables behind them. */
export interface Catalog {
  database: TestDatabase;
  /** Any function of the routines with its one request. */
  call<T>(name: string, request?: object): Promise<T>;
  sql: TestDatabase["sql"];
  mark(
    apps: [appid: number, changeNumber: number, needsToken?: boolean][],
    options?: { unknown?: number[]; full?: boolean },
  ): Promise<Marked>;
  claim(options?: ClaimOptions): Promise<Claimed>;
  apply(lease: string, request: ApplyOptions): Promise<Applied>;
  /** Marks, claims and applies: the shortest way to a stored app. */
  store(...records: StoredRecord[]): Promise<void>;
  /** The row of `sync_status`. */
  status(appid: number): Promise<Row>;
  /** The row of `apps`. */
  app(appid: number): Promise<Row>;
  /** The relations of an app, as an `AppRecord` has them. */
  relations(appid: number): Promise<Row>;
}

export type Row = Record<string, unknown>;
export interface Marked {
  known: number;
  marked: number;
  now: string;
}
export interface ClaimOptions {
  lease?: string;
  max?: number;
  seconds?: number;
  appids?: number[] | null;
  maxAttempts?: number | null;
}
export interface Claimed {
  lease: string;
  apps: {
    appid: number;
    change_number: number;
    attempts: number;
    access_token: string | null;
    token_denied: boolean;
  }[];
  appids: number[];
  waiting: number;
  due_in_seconds: number | null;
}
export interface ApplyOptions {
  request?: string;
  apps?: StoredRecord[];
  extractorVersion?: number;
  unknown?: number[];
  failed?: { appid: number; error: string }[];
  tokens?: { appid: number; access_token: string | null }[];
  retrySeconds?: number;
  retryMaxSeconds?: number;
  /** Between two answers "unknown"; 0 believes the first. */
  confirmSeconds?: number;
  maxShrink?: number;
  acceptUnknown?: boolean;
  types?: string[] | null;
}
export interface Applied {
  stored: number;
  skipped: number;
  stale: number;
  unknown: number;
  unconfirmed: number;
  withheld: number;
  failed: number;
  lease_lost: number;
  doubted: { appid: number; error: string }[];
  mass_unknown: boolean;
}

/** Tests of rules that SQL alone decides. PostgREST adds nothing to them. */
export function forEachSqlDatabase(name: string, tests: Parameters<typeof forEachDatabase>[1]): void {
  forEachDatabase(name, tests, oneOf("postgres", ["pglite", "postgres"]));
}

/** A reply of `pics_apply` in which everything not named is 0, empty or false. */
export const applied = (counts: Partial<Applied>): Applied => ({
  stored: 0,
  skipped: 0,
  stale: 0,
  unknown: 0,
  unconfirmed: 0,
  withheld: 0,
  failed: 0,
  lease_lost: 0,
  doubted: [],
  mass_unknown: false,
  ...counts,
});

export const emptyTables = `do $$ begin
  delete from apps; delete from sync_status; delete from developers; delete from publishers; delete from franchises;
  delete from steam_tags; delete from steam_genres where name is null; delete from steam_categories where name is null;
  delete from pics_replies; delete from pics_claims; delete from pics_sizes; delete from pics_access_tokens; delete from app_changes; delete from app_events; delete from webhooks; delete from steam_keys;
  delete from pics_sync_state; insert into pics_sync_state (id) values (1);
  delete from game_metadata; delete from app_list_entries; delete from web_api_usage; delete from web_api_throttles;
  delete from leader_leases; delete from collector_state; insert into collector_state (id) values (1);
  if to_regclass('public."ImportedGame"') is not null then
    delete from "LibraryItem"; delete from "ImportedGame"; delete from "Game"; delete from "Genre"; delete from "Platform";
  end if;
  delete from library_choices; delete from library_written; delete from igdb_answers; delete from web_tokens;
end $$`;

/** One database for the tests of a file, emptied to the seeds before each. */
export function useCatalog(open: (options?: TestDatabaseOptions) => Promise<TestDatabase>): Catalog {
  let database: TestDatabase | undefined;
  beforeAll(async () => {
    database = await open();
  });
  beforeEach(async () => {
    await opened().sql(emptyTables);
  });

  function opened(): TestDatabase {
    if (!database) throw new Error("the database is opened before the first test");
    return database;
  }
  return catalogOf(opened);
}

export function catalogOf(opened: () => TestDatabase): Catalog {
  async function call<T>(name: string, request?: object): Promise<T> {
    return (await opened().db.rpc(name, request ? { request } : {})) as T;
  }
  const sql: Catalog["sql"] = (query, params) => opened().sql(query, params);
  const only = async (query: string, appid: number): Promise<Row> => (await sql(query, [appid]))[0] ?? {};

  const catalog: Catalog = {
    get database() {
      return opened();
    },
    call,
    sql,
    mark: (apps, { unknown = [], full = false } = {}) => call("pics_mark", { apps, unknown, full }),
    async claim({ lease = randomUUID(), max = 100, seconds = 60, appids = null, maxAttempts = null } = {}) {
      const request = { lease_id: lease, max, lease_seconds: seconds, appids, max_attempts: maxAttempts };
      const reply = await call<Omit<Claimed, "lease" | "appids">>("pics_claim", request);
      return { ...reply, lease, appids: reply.apps.map((app) => app.appid) };
    },
    apply: (lease, options) =>
      call("pics_apply", {
        request_id: options.request ?? randomUUID(),
        lease_id: lease,
        apps: options.apps ?? [],
        extractor_version: options.extractorVersion ?? extractorVersion,
        unknown: options.unknown ?? [],
        failed: options.failed ?? [],
        tokens: options.tokens ?? [],
        retry_seconds: options.retrySeconds ?? 60,
        retry_max_seconds: options.retryMaxSeconds ?? 3_600,
        unknown_confirm_seconds: options.confirmSeconds ?? 600,
        max_shrink: options.maxShrink ?? 0.05,
        accept_unknown: options.acceptUnknown ?? false,
        types: options.types ?? null,
      }),
    async store(...records) {
      const appids = records.map(({ appid }) => appid);
      await catalog.mark(
        records.map(({ appid, change_number }) => [appid, change_number]),
        { full: true },
      );
      const { lease } = await catalog.claim({ appids, max: appids.length });
      const reply = await catalog.apply(lease, { apps: records });
      if (reply.stored !== records.length) throw new Error(`not all stored: ${JSON.stringify(reply)}`);
    },
    status: (appid) => only("select * from sync_status where appid = $1", appid),
    app: (appid) => only("select * from apps where appid = $1", appid),
    relations: (appid) => only(relationsQuery, appid),
  };
  return catalog;
}

const names = (relation: string) =>
  `array(select n.name from app_${relation} r join ${relation} n on n.id = r.${relation.slice(0, -1)}_id
         where r.appid = $1 order by n.name collate "C") as ${relation}`;

const relationsQuery = `select
  array(select tag_id from app_steam_tags where appid = $1 order by rank) as tags,
  array(select rank from app_steam_tags where appid = $1 order by rank) as ranks,
  array(select genre_id from app_genres where appid = $1 order by 1) as genres,
  (select genre_id from app_genres where appid = $1 and is_primary) as primary_genre,
  array(select category_id from app_categories where appid = $1 order by 1) as categories,
  array(select dlc_appid from app_dlc where appid = $1 order by 1) as dlc,
  ${names("developers")}, ${names("publishers")}, ${names("franchises")},
  (select to_jsonb(d) - '{appid,updated_at}'::text[] from app_steam_deck d where appid = $1) as steam_deck,
  (select coalesce(jsonb_agg(to_jsonb(b) - 'appid' order by branch collate "C"), '[]') from app_branches b where appid = $1) as branches,
  (select coalesce(jsonb_agg(to_jsonb(d) - 'appid' || jsonb_build_object('manifests', (
     select coalesce(jsonb_agg(to_jsonb(m) - '{appid,depot_id}'::text[] order by branch collate "C"), '[]')
     from app_depot_manifests m where m.appid = d.appid and m.depot_id = d.depot_id)) order by depot_id), '[]')
   from app_depots d where appid = $1) as depots`;

/** A whole record in which everything but what is given is empty. */
export function record(appid: number, changeNumber: number, given: Partial<StoredRecord> = {}): StoredRecord {
  return {
    appid,
    change_number: changeNumber,
    partial: false,
    missing_token: false,
    lacks: [],
    name: `App ${appid}`,
    type: "game",
    is_free: false,
    release_state: null,
    steam_release_date: null,
    original_release_date: null,
    store_asset_mtime: null,
    platforms: null,
    controller_support: null,
    pics_review_score: null,
    pics_review_percentage: null,
    metacritic_score: null,
    metacritic_url: null,
    parent_appid: null,
    homepage_url: null,
    app_state: null,
    last_content_update: null,
    current_build_id: null,
    content_descriptors: null,
    languages: null,
    has_workshop: false,
    primary_genre_id: null,
    pics_review_score_without_bombs: null,
    pics_review_percentage_without_bombs: null,
    name_localized: null,
    assets: null,
    ai_content: null,
    vr_support: null,
    os_arch: null,
    restricted_countries: null,
    family_sharing_excluded: false,
    install_dir: null,
    must_own_appid: null,
    playtest_type: null,
    tags: [],
    genres: [],
    categories: [],
    franchises: [],
    developers: [],
    publishers: [],
    dlc: [],
    dlc_complete: true,
    steam_deck: null,
    branches: [],
    depots: [],
    ...given,
  };
}

/** A whole record in which nothing is empty. */
export function fullRecord(appid: number, changeNumber: number, given: Partial<StoredRecord> = {}): StoredRecord {
  return record(appid, changeNumber, {
    ...fullColumns,
    tags: [492, 19, 21],
    genres: [1, 25],
    categories: [2, 22],
    franchises: ["Portal"],
    developers: ["Valve"],
    publishers: ["Valve", "Electronic Arts"],
    dlc: [1000, 1001],
    steam_deck: {
      category: "verified",
      steamos_category: "compatible",
      machine_category: "playable",
      frame_category: "unsupported",
      test_timestamp: "2022-02-15T00:00:00+00:00",
      tested_build_id: "8212379",
      tests: [{ display: 4, token: "#SteamDeckVerified_TestResult_DefaultControllerConfigFullyFunctional" }],
      steamos_tests: [{ display: 1, token: "#SteamOS_TestResult_GameStartupFunctional" }],
      machine_tests: [],
      frame_tests: null,
      configuration: { supported_input: "gamepad", small_text: "0" },
    },
    branches: [branch("beta", "8212380", { password_required: true }), branch("public", "8212379")],
    depots: [depot(621, { manifests: [manifest("beta", "11"), manifest("public", "18446744073709551615")] })],
    ...given,
  });
}

/** A verdict for the Steam Deck and nothing else. */
export function deckVerdict(category: DeckCategory, given: Partial<SteamDeckRecord> = {}): SteamDeckRecord {
  const others = { steamos_category: null, machine_category: null, frame_category: null };
  const tests = { tests: null, steamos_tests: null, machine_tests: null, frame_tests: null, configuration: null };
  return { category, ...others, test_timestamp: null, tested_build_id: null, ...tests, ...given };
}

export function branch(name: string, buildId: string | null, given: Partial<Branch> = {}): Branch {
  const nothing = { built_at: null, updated_at: null, description: null, password_required: false };
  return { branch: name, build_id: buildId, ...nothing, ...given };
}

export function depot(depotId: number, given: Partial<Depot> = {}): Depot {
  const nothing = { name: null, os_list: null, os_arch: null, language: null, dlc_appid: null, from_appid: null };
  return { depot_id: depotId, ...nothing, shared_install: false, manifests: [], ...given };
}

export function manifest(branchName: string, manifestId: string): DepotManifest {
  return { branch: branchName, manifest_id: manifestId, size_bytes: 9_007_199_254_740_991, download_bytes: null };
}

/** The columns of {@link fullRecord}; none has the value that a new row or {@link record} has. */
export const fullColumns = {
  name: "Portal 2",
  type: "application",
  is_free: true,
  release_state: "released",
  steam_release_date: "2011-04-18T00:00:00.000Z",
  original_release_date: "2011-04-19T00:00:00.000Z",
  store_asset_mtime: "2024-03-01T12:30:45.000Z",
  platforms: "windows,macos,linux",
  controller_support: "full",
  pics_review_score: 9,
  pics_review_percentage: 98,
  metacritic_score: 95,
  metacritic_url: "https://www.metacritic.com/game/pc/portal-2",
  parent_appid: 400,
  homepage_url: "https://www.thinkwithportals.com/",
  app_state: "eStateAvailable",
  last_content_update: "2025-01-02T03:04:05.000Z",
  current_build_id: "18446744073709551615",
  content_descriptors: [2, 5],
  languages: {
    english: { supported: true, full_audio: true, subtitles: true },
    german: { supported: false, full_audio: false, subtitles: true },
  },
  has_workshop: true,
  primary_genre_id: 25,
  pics_review_score_without_bombs: 8,
  pics_review_percentage_without_bombs: 99,
  name_localized: { japanese: "ポータル2" },
  assets: { header: { english: "0123abc/header.jpg" }, icons: { icon: "abc.jpg" } },
  ai_content: ["pre_generated", "live"],
  vr_support: "supported",
  os_arch: "64",
  restricted_countries: ["CN", "DE"],
  family_sharing_excluded: true,
  install_dir: "Portal 2",
  must_own_appid: 410,
  playtest_type: 1,
} satisfies Partial<StoredRecord>;
