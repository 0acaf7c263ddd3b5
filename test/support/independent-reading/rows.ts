/** The rows of an app in the shape of SQL. */

export type SqlValue =
  | string
  | number
  | boolean
  | null
  | number[]
  | string[]
  | Record<string, LanguageColumns | string | Record<string, string>>;

export interface LanguageColumns {
  supported: boolean;
  full_audio: boolean;
  subtitles: boolean;
}

/** One row of `app_steam_deck`. */
export interface ExpectedDeck {
  category: string;
  steamos_category: string | null;
  machine_category: string | null;
  frame_category: string | null;
  /** ISO 8601, UTC. */
  test_timestamp: string | null;
  tested_build_id: string | null;
  tests: ExpectedTest[] | null;
  steamos_tests: ExpectedTest[] | null;
  machine_tests: ExpectedTest[] | null;
  frame_tests: ExpectedTest[] | null;
  configuration: Record<string, string> | null;
}

export interface ExpectedTest {
  display: number | null;
  token: string;
}

/** One row of `app_branches`, without its appid. */
export interface ExpectedBranch {
  branch: string;
  build_id: string | null;
  built_at: string | null;
  updated_at: string | null;
  description: string | null;
  password_required: boolean;
}

/** One row of `app_depots`, without its appid, with those of `app_depot_manifests`. */
export interface ExpectedDepot {
  depot_id: number;
  name: string | null;
  os_list: string | null;
  os_arch: string | null;
  language: string | null;
  dlc_appid: number | null;
  from_appid: number | null;
  shared_install: boolean;
  /** Sorted by branch, as the branches themselves: by UTF-8 bytes, which is Postgres' collation "C". */
  manifests: { branch: string; manifest_id: string; size_bytes: number | null; download_bytes: number | null }[];
}

/** The rows of one app, as selects would return them. */
export interface ExpectedRows extends Relations {
  /** Steam withheld sections of the last payload. */
  partial: boolean;
  changeNumber: number;
  /** Column of `apps` → value; times are ISO 8601 in UTC, jsonb columns are parsed. */
  apps: Record<string, SqlValue>;
  /** Ascending. */
  dlc: number[];
}

/** What `common`, `extended` and `depots` list of an app, without its DLC. */
export interface Relations {
  /** Ascending by rank. */
  tags: [tagId: number, rank: number][];
  /** Ascending by id. */
  genres: [genreId: number, isPrimary: boolean][];
  /** Ascending. */
  categories: number[];
  /** Sorted by UTF-16 code units, like the two below. */
  franchises: string[];
  developers: string[];
  publishers: string[];
  steam_deck: ExpectedDeck | null;
  branches: ExpectedBranch[];
  /** Ascending by id. */
  depots: ExpectedDepot[];
}

/** What one payload determines: a column or relation that is absent here stays as it was. */
export interface Reading {
  partial: boolean;
  columns: Record<string, SqlValue>;
  relations: Partial<Relations>;
  /** Ascending. */
  dlc: number[];
  /** `dlc` is all that Steam lists, so that others are removed. */
  dlcComplete: boolean;
}
