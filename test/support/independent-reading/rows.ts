/** The rows of an app in the shape of SQL. */

export type SqlValue = string | number | boolean | null | number[] | Record<string, LanguageColumns>;

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
  tests: { display: number | null; token: string }[] | null;
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

/** What `common` and `extended` list of an app, without its DLC. */
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
