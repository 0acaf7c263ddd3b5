import { ConfigError } from "../process/errors.ts";

/** The tables of an export: those of the catalog that everybody may read, and what a seeded database needs of `sync_status`. */
export interface ExportedTable {
  name: string;
  /** Selects the table, and others of the same group, in `--only`. */
  group: string;
  /** Primary key, in the order of the rows. */
  key: readonly string[];
  /** Null for those of {@link appColumns} and what PICS writes (`pics_app_columns` in SQL). */
  columns: readonly string[] | null;
  /** Rows of an incremental export: all; those of apps that were written since, whole; or rows that were written since. */
  increment: "all" | "apps" | "rows";
  /** A database is seeded only from an export that has it. */
  isRequired: boolean;
}

type Traits = Partial<Pick<ExportedTable, "increment" | "isRequired">>;

/** @param names columns, separated by spaces; those of the primary key first, with a `|` behind them. */
function table(group: string, name: string, names: string, traits: Traits = {}): ExportedTable {
  const [key = [], others = []] = names.split("|").map((part) => part.split(" ").filter((each) => each !== ""));
  const columns = name === "apps" ? null : [...key, ...others];
  return { name, group, key, columns, increment: "apps", isRequired: true, ...traits };
}

/** Columns of `apps` that others than PICS write; those that the database derives are left out. */
export const appColumns: readonly string[] =
  "appid is_known is_listed is_active price_change_number store_modified_at created_at updated_at".split(" ");

const whole = { increment: "all" } as const;
const kept = { isRequired: false } as const;
const log = { increment: "rows", isRequired: false } as const;

/** In the order in which they are written. */
export const exportedTables: readonly ExportedTable[] = [
  table("apps", "apps", "appid |"),
  table("tags", "steam_tags", "tag_id | name", whole),
  table("tags", "app_steam_tags", "appid tag_id | rank"),
  table("genres", "steam_genres", "genre_id | name", whole),
  table("genres", "app_genres", "appid genre_id | is_primary"),
  table("categories", "steam_categories", "category_id | name description named_at", whole),
  table("categories", "app_categories", "appid category_id |"),
  table("franchises", "franchises", "id | name", whole),
  table("franchises", "app_franchises", "appid franchise_id |"),
  table("developers", "developers", "id | name", whole),
  table("developers", "app_developers", "appid developer_id |"),
  table("publishers", "publishers", "id | name", whole),
  table("publishers", "app_publishers", "appid publisher_id |"),
  table("dlc", "app_dlc", "appid dlc_appid |"),
  table(
    "deck",
    "app_steam_deck",
    "appid | category steamos_category machine_category frame_category test_timestamp tested_build_id tests " +
      "steamos_tests machine_tests frame_tests configuration updated_at",
  ),
  table("branches", "app_branches", "appid branch | build_id built_at updated_at description password_required"),
  table(
    "depots",
    "app_depots",
    "appid depot_id | name os_list os_arch language dlc_appid from_appid shared_install",
    kept,
  ),
  table("depots", "app_depot_manifests", "appid depot_id branch | manifest_id size_bytes download_bytes", kept),
  table("changes", "app_changes", "id | appid change_number field old new detected_at", log),
  table("events", "app_events", "id | appid event subject change_number change_ids old new detected_at", log),
  table(
    "metadata",
    "game_metadata",
    "appid | developer publisher owners_estimate positive_reviews negative_reviews score_rank average_playtime_forever " +
      "average_playtime_2weeks price genre languages tags_json last_updated last_listed_at owners_doubtful fetch_attempts fetch_status fetched_at",
    log,
  ),
  table(
    "sync",
    "sync_status",
    "appid | pics_change_number pics_pending_change needs_token missing_token extractor_version skipped_type " +
      "last_pics_sync last_steamspy_sync",
    whole,
  ),
];

/**
 * The tables of a list such as `apps,tags,app_dlc`: names of tables, and of groups (`tags` has the names of the tags and
 * those of each app).
 *
 * @throws {ConfigError} that names what is no table or group.
 */
export function tablesOf(names: readonly string[]): ExportedTable[] {
  const known = new Set(exportedTables.flatMap(({ name, group }) => [name, group]));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    const groups = [...new Set(exportedTables.map(({ group }) => group))];
    throw new ConfigError(
      `There is no ${unknown.join(", ")} to export; there are ${groups.join(", ")}, or names of tables.`,
    );
  }
  return exportedTables.filter(({ name, group }) => names.includes(name) || names.includes(group));
}
