import type { AppRecord, Branch, Depot, DepotManifest } from "./app-record.ts";
import type { KeyValues } from "./key-values.ts";
import { block, commaList, flag, id, ids, int, maxId, platforms, text, time, type Value } from "./values.ts";

/**
 * The fields of `depots`. `timeupdated` is only the fallback of the content update: it also moves when the branch is merely
 * edited. `withDepots`: read the depots themselves; without it there are none.
 */
export function fromDepots(appid: number, depots: KeyValues, withDepots: boolean) {
  const branches = block(depots.get("branches"));
  const branch = block(branches.get("public"));
  return {
    last_content_update: time(branch.get("timebuildupdated")) ?? time(branch.get("timeupdated")),
    current_build_id: text(branch.get("buildid")),
    branches: byKey(branches, branchName, branchOf),
    depots: withDepots ? byKey(depots, depotId, (depotId, depot) => depotOf(appid, depotId, depot)) : [],
  } satisfies Partial<AppRecord>;
}

/** Entries at which Steam cuts `listofdlc`; the newest stay. */
const dlcListLimit = 64;

/** The DLC that `listofdlc` and the depots name; nothing when neither section is there. */
export function dlcOf(
  appid: number,
  extended: KeyValues | null,
  depots: KeyValues | null,
  isWhole: boolean,
): Partial<AppRecord> {
  if (extended === null && depots === null) return {};
  const list = commaList(extended?.get("listofdlc"));
  const ofDepots: Value[] = [];
  depots?.each((key, depot) => {
    if (/^\d+$/.test(key)) ofDepots.push(block(depot).get("dlcappid"));
  });
  return {
    dlc: ids([...list, ...ofDepots]).filter((dlc) => dlc !== appid),
    dlc_complete: list.length < dlcListLimit && extended !== null && (depots !== null || isWhole),
  };
}

/** Branches of apps have up to 64 characters. The limit keeps a name within an entry of a Postgres index (2,704 bytes). */
const maxBranchName = 500;

function branchName(key: string): string | null {
  const name = text(key);
  return name === null || name.length > maxBranchName ? null : name;
}

/** Depots stand among other keys (`branches`, `baselanguages`). */
function depotId(key: string): number | null {
  return /^\d+$/.test(key) ? id(key) : null;
}

function branchOf(branch: string, value: Value): Branch | null {
  if (typeof value !== "object") return null;
  return {
    branch,
    build_id: text(value.get("buildid")),
    built_at: time(value.get("timebuildupdated")),
    updated_at: time(value.get("timeupdated")),
    description: text(value.get("description")),
    password_required: flag(value.get("pwdrequired")),
  };
}

/** `sharedinstall` is 1 or 2 (1,030 and 225 of 7,200 depots); the difference is not documented. */
function depotOf(appid: number, depotId: number, value: Value): Depot | null {
  if (typeof value !== "object") return null;
  const config = block(value.get("config"));
  const owner = id(value.get("depotfromapp"));
  return {
    depot_id: depotId,
    name: text(value.get("name")),
    os_list: platforms(config.get("oslist")),
    os_arch: text(config.get("osarch")),
    language: text(config.get("language")),
    dlc_appid: id(value.get("dlcappid")),
    from_appid: owner === appid ? null : owner,
    shared_install: int(value.get("sharedinstall"), 1, maxId) !== null,
    manifests: byKey(block(value.get("manifests")), branchName, manifestOf),
  };
}

/** `{ "gid" "…" "size" "…" "download" "…" }`, or in the form of before 2023 the id alone. */
function manifestOf(branch: string, value: Value): DepotManifest | null {
  const manifest = block(value);
  const manifestId = text(typeof value === "string" ? value : manifest.get("gid"));
  if (manifestId === null || !/^\d{1,20}$/.test(manifestId)) return null;
  return {
    branch,
    manifest_id: manifestId,
    size_bytes: int(manifest.get("size"), 0, Number.MAX_SAFE_INTEGER),
    download_bytes: int(manifest.get("download"), 0, Number.MAX_SAFE_INTEGER),
  };
}

/** What the entries of a block are read as, ascending by key, without what reads as null; of equal keys the first. */
function byKey<Key extends string | number, T>(
  entries: KeyValues,
  keyOf: (key: string) => Key | null,
  read: (key: Key, value: Value) => T | null,
): T[] {
  const found = new Map<Key, T>();
  entries.each((_, value, written) => {
    const key = keyOf(written);
    if (key === null || found.has(key)) return;
    const item = read(key, value);
    if (item !== null) found.set(key, item);
  });
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}
