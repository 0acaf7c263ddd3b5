/**
 * The record extracted from one PICS payload, in the names and units of the database.
 *
 * Keys are the columns of `apps` and, below them, the relations. An absent key means "not determined by this payload"
 * (its sections are missing) and leaves the stored value as it is; `null` or an empty list means "Steam lists none" and
 * replaces it.
 *
 * Times are ISO 8601 in UTC, texts are trimmed and never empty, lists are deduplicated.
 */
export interface AppRecord {
  appid: number;

  name?: string | null;
  /** Names in other languages, by Steam's language key (`japanese`, `sc_schinese`); null when Steam lists none. */
  name_localized?: Record<string, string> | null;
  /** Lower-cased; an open set, since Steam adds types. */
  type?: string | null;
  /** Whether Steam marks it as free; demos and playtests are. False: Steam does not. */
  is_free?: boolean;
  release_state?: string | null;
  steam_release_date?: string | null;
  original_release_date?: string | null;
  store_asset_mtime?: string | null;
  /** The platforms that Steam names, comma-joined: windows, macos, linux in that order, then any other by name. */
  platforms?: string | null;
  controller_support?: string | null;
  /** Word size that the app needs (`64`, `32`); null where Steam names none. */
  os_arch?: string | null;
  /** Virtual reality: `only` needs it. */
  vr_support?: VrSupport | null;
  /** 0–9, from overwhelmingly negative (1) to overwhelmingly positive (9). */
  pics_review_score?: number | null;
  /** Share of positive reviews, 0–100. */
  pics_review_percentage?: number | null;
  /** As the two above, without the reviews of review bombs; null on all but a few apps. */
  pics_review_score_without_bombs?: number | null;
  pics_review_percentage_without_bombs?: number | null;
  /** 0–100. */
  metacritic_score?: number | null;
  metacritic_url?: string | null;
  /** The game that a DLC, demo, playtest or soundtrack belongs to; it may not be stored. */
  parent_appid?: number | null;
  /** The app that must be owned to buy this one; never the app itself. It may not be stored. */
  must_own_appid?: number | null;
  homepage_url?: string | null;
  app_state?: string | null;
  /** When the public branch was last built. */
  last_content_update?: string | null;
  /** Of the public branch. Text: build ids may exceed 2^53 one day, and no arithmetic is done on them. */
  current_build_id?: string | null;
  /** Steam's codes (1 some nudity … 5 general mature content), ascending; null when Steam lists none. */
  content_descriptors?: number[] | null;
  /** What the developer says was made with generative AI; null when nothing. */
  ai_content?: AiContent[] | null;
  /** Two-letter codes, upper-cased and ascending, of the countries where Steam does not sell the app; null when none. */
  restricted_countries?: string[] | null;
  /**
   * Whether Steam's `exfgls` ("excluded from game library sharing") is set. Its values 1, 3, 6, 7, 8 and 9 are reasons
   * that are documented nowhere.
   */
  family_sharing_excluded?: boolean;
  /** Steam's code of a playtest (0 and 1 were seen; not documented). */
  playtest_type?: number | null;
  /** By Steam's language key (`english`, `schinese`); null when Steam lists none. */
  languages?: Record<string, LanguageSupport> | null;
  has_workshop?: boolean;
  /** Folder below `steamapps/common`. */
  install_dir?: string | null;
  assets?: Assets | null;
  /** The genre that Steam calls primary; null when it names none. It need not be among `genres`. */
  primary_genre_id?: number | null;

  /** Tag ids by rank, the most applied first. */
  tags?: number[];
  genres?: number[];
  /** Store categories (2 single-player, 30 Steam Workshop, …), ascending. */
  categories?: number[];
  franchises?: string[];
  developers?: string[];
  publishers?: string[];
  /** Appids in Steam's order, never the app itself; they may not be stored. */
  dlc?: number[];
  /** Whether `dlc` is all that Steam lists. False: the list was cut, or a section that names DLC is missing. */
  dlc_complete?: boolean;
  steam_deck?: SteamDeckRecord | null;
  /** All branches by name, private ones included; absent when the section `depots` is. */
  branches?: Branch[];
  /** By id; absent when the section `depots` is. */
  depots?: Depot[];
}

/**
 * Art as paths that Steam names (`header.jpg`, `<hash>/library_capsule.jpg`), by kind and Steam's language key: {"header":
 * {"english": "header.jpg"}, "library_capsule_2x": …}. An open set of kinds; under `icons` the second key is the icon's
 * name ({"icons": {"clienticon": "<sha>.ico"}}). `assetUrls` makes addresses of them.
 */
export type Assets = Record<string, Record<string, string>>;

export const vrSupports = ["supported", "only"] as const;
export type VrSupport = (typeof vrSupports)[number];

/** Shipped with the app, or generated while it runs. */
export const aiContents = ["pre_generated", "live"] as const;
export type AiContent = (typeof aiContents)[number];

/** Names as the columns of `app_branches`. */
export interface Branch {
  branch: string;
  /** Null when Steam lists no build of the branch. */
  build_id: string | null;
  /** When the build was made. */
  built_at: string | null;
  /** When the branch last changed, mere edits included. */
  updated_at: string | null;
  description: string | null;
  password_required: boolean;
}

/** Names as the columns of `app_depots`. */
export interface Depot {
  depot_id: number;
  name: string | null;
  /** As `platforms`; null for all. */
  os_list: string | null;
  os_arch: string | null;
  language: string | null;
  /** The DLC that the depot belongs to. */
  dlc_appid: number | null;
  /** The app that the depot is shared from; null when it is this app's own. */
  from_appid: number | null;
  /** Installed once for all apps that share it. */
  shared_install: boolean;
  /** By branch. Those of branches with a password are encrypted (`encryptedmanifests`) and not listed. */
  manifests: DepotManifest[];
}

export interface DepotManifest {
  branch: string;
  /** Unsigned 64 bits, as text. */
  manifest_id: string;
  /** Null in the older form of app info, and for what exceeds 2^53 − 1. */
  size_bytes: number | null;
  /** Compressed. */
  download_bytes: number | null;
}

/**
 * Sections whose absence makes an answer doubtful (`config`, of which the catalog reads one key, is not among them).
 */
export const sections = ["common", "extended", "depots"] as const;
export type Section = (typeof sections)[number];

export interface LanguageSupport {
  /** In the interface. */
  supported: boolean;
  full_audio: boolean;
  subtitles: boolean;
}

export const deckCategories = ["unknown", "unsupported", "playable", "verified"] as const;
export type DeckCategory = (typeof deckCategories)[number];
export const steamosCategories = ["unknown", "unsupported", "compatible"] as const;
export type SteamosCategory = (typeof steamosCategories)[number];

export interface SteamDeckRecord {
  category: DeckCategory;
  /** Null when Steam has no verdict for SteamOS. */
  steamos_category: SteamosCategory | null;
  /** Steam Machine; null when Steam has no verdict. */
  machine_category: DeckCategory | null;
  /** Steam Frame; null when Steam has no verdict. */
  frame_category: DeckCategory | null;
  test_timestamp: string | null;
  tested_build_id: string | null;
  /** Valve's test results in their order, on the Deck and on the other systems; null when there are none. */
  tests: SteamDeckTest[] | null;
  steamos_tests: SteamDeckTest[] | null;
  machine_tests: SteamDeckTest[] | null;
  frame_tests: SteamDeckTest[] | null;
  /** What Valve noted, as Steam writes it: {"supported_input": "gamepad", "small_text": "0", …}; null when nothing. */
  configuration: Record<string, string> | null;
}

export interface SteamDeckTest {
  /** Steam's code for how the result is shown (`deckTestResults`); null when it is not a number. */
  display: number | null;
  token: string;
}
