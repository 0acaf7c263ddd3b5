/** Real answers from `../shared` beside the repository, if present. They are never copied into it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { AppListEntry } from "./app-list.ts";
import type { SteamSpyDetails, SteamSpyDump, SteamSpyPage } from "./steamspy.ts";

const shared = new URL("../../../../shared/", import.meta.url);

/** Three raw pages of `all` (the first, the middle and the last of 80) as pages 0 to 2, and 300 details; null when absent. */
export function loadRealSteamSpy(): SteamSpyDump | null {
  const folder = new URL("steamspy/", shared);
  if (!existsSync(folder)) return null;
  const pages = [0, 40, 79].map((page) => readJson(new URL(`all-page-${page}.json.gz`, folder)) as SteamSpyPage);
  const details = readJson(new URL("appdetails-300.json.gz", folder)) as Record<string, SteamSpyDetails>;
  return {
    pages,
    details: new Map(Object.entries(details).map(([appid, app]) => [Number(appid), app])),
    unknown: new Map(),
  };
}

export interface RealAppLists {
  /** The apps of the kind `software` on several days, oldest first. */
  days: { day: string; apps: AppListEntry[] }[];
  /** The apps of a day when Steam failed: `[null]`. */
  brokenDay: unknown[];
}

/** Null when absent. */
export function loadRealAppLists(): RealAppLists | null {
  const folder = new URL("applist/", shared);
  if (!existsSync(folder)) return null;
  const names = readdirSync(folder).sort();
  const days = names.flatMap((name) => {
    const day = /^software-(\d{4}-\d\d-\d\d)\.json\.gz$/.exec(name)?.[1];
    return day ? [{ day, apps: readJson(new URL(name, folder)) as AppListEntry[] }] : [];
  });
  return { days, brokenDay: readJson(new URL("software-broken-day.json.gz", folder)) as unknown[] };
}

function readJson(file: URL): unknown {
  return JSON.parse(gunzipSync(readFileSync(file)).toString());
}
