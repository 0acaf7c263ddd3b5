import { isDeepStrictEqual } from "node:util";
import { type ExpectedMetadata, emptyMetadata } from "../web/read-steamspy.ts";
import type { Stored } from "./collector-state.ts";
import type { Asked } from "./collector-web.ts";
import type { Day } from "./collector-world.ts";

/** What `apps` holds before a day and at its end, by an undisturbed collector. */
export interface AppsOfDay {
  before: ReadonlyMap<number, string>;
  atEnd: ReadonlyMap<number, string>;
}

/**
 * Describes the wrong rows at a moment of the day. Each app must be in its state before the day or in that of the day's lists,
 * according to the progress of their application; each game in its state before, or in that of its page or its details.
 */
export function faultsOf(stored: Stored, day: Day, apps: AppsOfDay, membersBefore: ReadonlySet<string>): string[] {
  const isApplied = (appid: number) => appid <= stored.appliedUpTo;
  const faults: string[] = [];

  const wrongApps = [...new Set([...apps.before.keys(), ...apps.atEnd.keys(), ...stored.apps.keys()])].filter(
    (appid) => stored.apps.get(appid) !== (isApplied(appid) ? apps.atEnd : apps.before).get(appid),
  );
  if (wrongApps.length > 0) faults.push(`apps neither as before nor as listed: ${sample(wrongApps)}`);

  const listed = listedOn(day);
  const wrongMembers = [...new Set([...membersBefore, ...listed, ...stored.members])].filter(
    (entry) =>
      stored.members.has(entry) !== (isApplied(Number(entry.split(" ")[1])) ? listed : membersBefore).has(entry),
  );
  if (wrongMembers.length > 0) faults.push(`wrong about who is listed: ${sample(wrongMembers)}`);
  const appsListed = new Set([...listed].map((entry) => entry.split(" ")[1])).size;
  if (stored.applied !== null && stored.applied !== appsListed)
    faults.push(`${stored.applied} apps applied, the lists have ${appsListed}`);

  const allowed = metadataAllowed(stored, day, isApplied);
  const games = new Set([...day.metadata.atEnd.keys(), ...stored.metadata.keys()]);
  const wrongGames = [...games].filter(
    (appid) => !allowed(appid).some((row) => isDeepStrictEqual(row, stored.metadata.get(appid))),
  );
  if (wrongGames.length > 0) faults.push(`games in no state of the day: ${sample(wrongGames)}`);
  return faults;
}

/** The rows that a game may have; undefined is none. */
function metadataAllowed({ pages, details }: Stored, day: Day, isApplied: (appid: number) => boolean) {
  const { before, withPages, atEnd } = day.metadata;
  const due = new Set(day.due);
  const listedGames = new Set(day.lists.games.map(({ appid }) => appid));
  const saved = new Set(day.pages.slice(0, pages).flat());
  const partly = new Set(day.pages[pages]);
  return (appid: number): (ExpectedMetadata | undefined)[] => {
    if (details.has(appid)) return due.has(appid) ? [atEnd.get(appid)] : [];
    if (saved.has(appid)) return [withPages.get(appid)];
    const fresh = listedGames.has(appid) && isApplied(appid) ? emptyMetadata() : undefined;
    const unseen = before.get(appid) ?? fresh;
    return partly.has(appid) ? [unseen, withPages.get(appid)] : [unseen];
  };
}

/** Requests of a process whose answers were already stored when the process before it was killed. */
export function askedAgain(stored: Stored, asked: readonly Asked[]): string[] {
  const needless = asked.filter((request) => {
    if (request.kind === "all") return request.page < stored.pages;
    if (request.kind === "appdetails") return stored.details.has(request.appid);
    if (stored.listPhase === "applying") return true;
    const cursor = stored.listCursor[request.list];
    return cursor !== undefined && (cursor.complete || request.after < cursor.after);
  });
  return needless.length > 0 ? [`asked for again although saved: ${sample(needless)}`] : [];
}

/** Answers that a killed process lost, beyond one page of each kind and one batch of details. */
export function lostBy(stored: Stored, asked: readonly Asked[], batchSize: number): string[] {
  const lost = asked.filter((request) => {
    // A process requests a page only after it has saved all pages before it.
    if (request.kind === "all") return request.page > stored.pages;
    if (request.kind === "appdetails" || stored.listPhase !== "reading") return false;
    const cursor = stored.listCursor[request.list];
    return cursor === undefined || (!cursor.complete && request.after > cursor.after);
  });
  const faults = lost.length > 0 ? [`lost what came before ${sample(lost)}`] : [];
  const details = asked.filter((request) => request.kind === "appdetails" && !stored.details.has(request.appid));
  if (details.length > batchSize) faults.push(`lost the details of ${details.length} games`);
  return faults;
}

/** `kind appid` */
export function listedOn({ lists }: Day): Set<string> {
  return new Set(Object.entries(lists).flatMap(([kind, entries]) => entries.map(({ appid }) => `${kind} ${appid}`)));
}

function sample(list: readonly unknown[]): string {
  return `${list.length}, such as ${JSON.stringify(list.slice(0, 3))}`;
}
