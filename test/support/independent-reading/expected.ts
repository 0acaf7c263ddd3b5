import { readPayload } from "./read.ts";
import type { ExpectedRows, Reading, Relations, SqlValue } from "./rows.ts";
import { ascending } from "./values.ts";

/** The rows of an app that was never stored: its one payload is all that is known. */
export function readIndependently(appid: number, changeNumber: number, text: string): ExpectedRows {
  return rowsAfter(null, appid, changeNumber, readPayload(appid, text, false));
}

/**
 * The rows of an app after one more payload.
 *
 * @param before its rows until then; null when it was never stored
 * @param changeNumber the change number that came with the payload
 * @param parents stored appid → its stored `parent_appid`: a DLC that names the app as its parent is never removed
 */
export function rowsAfter(
  before: ExpectedRows | null,
  appid: number,
  changeNumber: number,
  { partial, columns, relations, dlc, dlcComplete }: Reading,
  parents: ReadonlyMap<number, unknown> = new Map(),
): ExpectedRows {
  const rows = before ?? { apps: { ...emptyColumns, appid }, ...emptyRelations, dlc: [] };
  const kept = rows.dlc.filter((other) => !dlcComplete || parents.get(other) === appid);
  return {
    ...rows,
    ...relations,
    partial,
    changeNumber,
    apps: { ...rows.apps, ...columns, is_known: true, is_active: true },
    dlc: ascending([...kept, ...dlc]),
  };
}

const emptyRelations: Relations = {
  tags: [],
  genres: [],
  categories: [],
  franchises: [],
  developers: [],
  publishers: [],
  steam_deck: null,
  branches: [],
  depots: [],
};

const emptyColumns: Record<string, SqlValue> = Object.fromEntries(
  (
    "name type is_known is_active is_free release_state steam_release_date original_release_date store_asset_mtime platforms " +
    "controller_support pics_review_score pics_review_percentage metacritic_score metacritic_url parent_appid homepage_url " +
    "app_state last_content_update current_build_id content_descriptors languages has_workshop primary_genre_id " +
    "name_localized os_arch vr_support pics_review_score_without_bombs pics_review_percentage_without_bombs must_own_appid ai_content " +
    "restricted_countries family_sharing_excluded playtest_type install_dir assets"
  )
    .split(" ")
    .map((column) => [column, null]),
);
