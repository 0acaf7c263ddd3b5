/**
 * The answers of the store and SteamSpy on two days, one after the other: apps appear, vanish, come back, move from one list to
 * another and change their names, and all numbers of SteamSpy are new.
 */
import { createRandom, type Random } from "../steam/random.ts";
import type { AppListEntry, AppListKind } from "../web/app-list.ts";
import { generateSteamSpy } from "../web/generate-steamspy.ts";
import { type ExpectedMetadata, readSteamSpyIndependently } from "../web/read-steamspy.ts";
import type { SteamSpyDump } from "../web/steamspy.ts";

type Lists = Record<AppListKind, AppListEntry[]>;

export interface Day {
  lists: Lists;
  dump: SteamSpyDump;
  /** Pages of SteamSpy, as the appids on each. */
  pages: number[][];
  /** The games whose details are due. */
  due: number[];
  /** Expected `game_metadata` at the end of the day, before its first page, and after all pages but no details. */
  metadata: Record<"atEnd" | "before" | "withPages", Map<number, ExpectedMetadata>>;
}

export const dayCount = 2;

/**
 * End of a day: makes the next crawl due, and the details of some games ({@link isDueAgain}). Everything so far is more than a day
 * ago.
 */
export const nextDaySql = `
  update collector_state set list_completed_at = list_completed_at - interval '2 days',
    pass_started_at = pass_started_at - interval '2 days', pass_completed_at = pass_completed_at - interval '2 days';
  update game_metadata set fetched_at = fetched_at - case when appid % 80 = 0 then interval '31 days' else interval '2 days' end;`;
const isDueAgain = (appid: number) => appid % 80 === 0;

export function createWorld(seed: number, games: number): Day[] {
  const random = createRandom(seed, 1);
  const days: Day[] = [];
  const everListed = new Set<number>();
  let lists = firstLists(random, appidsOf(generateSteamSpy({ seed, games })));
  let before: Day["metadata"]["before"] = new Map();
  for (let number = 0; number < dayCount; number++) {
    if (number > 0) lists = changedLists(random, lists, everListed);
    const listed = appidsIn(lists);
    for (const appid of listed) everListed.add(appid);

    const dump = generateSteamSpy({ seed, games });
    // The details are made of the same objects.
    const apps = new Set(dump.pages.flatMap((page) => Object.values(page)));
    for (const app of apps) if (app.positive < 1_000_000) app.positive += number;

    const withPages = readSteamSpyIndependently(dump, { onto: structuredClone(before) });
    const known = new Set([...withPages.keys(), ...lists.games.map(({ appid }) => appid)]);
    const due = [...known].filter((appid) => {
      const isDelisted = everListed.has(appid) && !listed.has(appid);
      const isNew = (before.get(appid)?.fetch_status ?? "pending") === "pending";
      return !isDelisted && (isNew || isDueAgain(appid));
    });
    const atEnd = readSteamSpyIndependently(dump, { pages: [], details: due, onto: structuredClone(withPages) });
    const pages = dump.pages.map((page) => Object.keys(page).map(Number));
    days.push({ lists, dump, pages, due, metadata: { before, withPages, atEnd } });
    before = atEnd;
  }
  return days;
}

/** Most games of SteamSpy are in the store, and the store has some games that SteamSpy lacks. */
function firstLists(random: Random, appids: number[]): Lists {
  const entry = (appid: number): AppListEntry => ({ appid, name: random.chance(0.02) ? "" : `App ${appid} ✓` });
  const others = Array.from({ length: 160 }, (_, index) => 1_000_005 + 10 * index);
  return {
    games: [...appids.filter(() => random.chance(0.97)), ...others.slice(0, 20)].map(entry),
    dlc: others.slice(20, 120).map(entry),
    // Its first app stands among the games, too.
    software: others.slice(19, 20).concat(others.slice(120, 150)).map(entry),
    videos: [],
    hardware: others.slice(150, 152).map(entry),
  };
}

/** Two percent of the games vanish, some of them to another list. Half of the vanished games return. */
function changedLists(random: Random, lists: Lists, everListed: ReadonlySet<number>): Lists {
  const listed = appidsIn(lists);
  const gone = [...everListed].filter((appid) => !listed.has(appid));
  const back = random.sample(gone, Math.ceil(gone.length / 2)).map((appid) => ({ appid, name: `Back ${appid}` }));
  const leaving = new Set(random.sample(lists.games, Math.floor(lists.games.length * 0.02)));
  const elsewhere = random.sample([...leaving], Math.floor(leaving.size / 4));
  const fromDlc = new Set(random.sample(lists.dlc, 2));
  const renamed = (entry: AppListEntry) => (random.chance(0.02) ? { ...entry, name: `${entry.name} II` } : entry);
  const highest = Math.max(...everListed);
  const added = Array.from({ length: 15 }, (_, index) => ({ appid: highest + 10 * (index + 1), name: `New ${index}` }));
  added.push({ appid: Math.min(...everListed) - 1, name: "Earlier than all others" });
  const staying = lists.games.filter((entry) => !leaving.has(entry)).map(renamed);
  return {
    ...lists,
    games: ascending([...staying, ...back, ...added, ...fromDlc]),
    dlc: lists.dlc.filter((entry) => !fromDlc.has(entry)),
    software: ascending([...lists.software, ...elsewhere]),
  };
}

/** By appid, each once. */
function ascending(entries: AppListEntry[]): AppListEntry[] {
  return [...new Map(entries.map((entry) => [entry.appid, entry])).values()].sort((a, b) => a.appid - b.appid);
}

function appidsIn(lists: Lists): Set<number> {
  const entries = Object.values(lists).flat();
  return new Set(entries.map(({ appid }) => appid));
}

function appidsOf(dump: SteamSpyDump): number[] {
  return [...new Set(dump.pages.flatMap((page) => Object.keys(page).map(Number)))].sort((a, b) => a - b);
}
