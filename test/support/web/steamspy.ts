import { createWebFaults, faultName, spoil, type WebFault, type WebFaults, withoutShare } from "./faults.ts";
import { createWebLog, type WebCall, type WebLog } from "./request-log.ts";
import { type Answer, jsonAnswer, type SimulatedWebApi, textAnswer } from "./web-api.ts";

/** One app in a page of `all`. Money is in cents, playtimes in minutes. */
export interface SteamSpyApp {
  appid: number;
  name: string | null;
  developer: string | null;
  publisher: string | null;
  score_rank: string | number;
  positive: number;
  negative: number;
  userscore: number;
  owners: string;
  average_forever: number;
  average_2weeks: number;
  median_forever: number;
  median_2weeks: number;
  price: string | null;
  initialprice: string | null;
  discount: string | null;
  ccu: number;
}

/** The answer of `appdetails`. */
export interface SteamSpyDetails extends SteamSpyApp {
  languages: string | null;
  genre: string | null;
  /** Votes by tag; without any, an empty list. */
  tags: Record<string, number> | [];
}

/** Keyed by appid. */
export type SteamSpyPage = Record<string, SteamSpyApp>;

/** How SteamSpy answers `appdetails` for an app that it does not know, or hides. */
export type UnknownStyle =
  /** `{}` */
  | "empty"
  /** The appid with a null name, a blank developer and zeros. */
  | "null_name"
  /** The same with a blank name and a null developer. */
  | "blank_name"
  /** Something under the appid 999999. */
  | "hidden";

/** What {@link createSimulatedSteamSpy} needs of a map of details; a `Map` will do. */
export interface DetailsSource {
  get(appid: number): SteamSpyDetails | undefined;
  has(appid: number): boolean;
  set(appid: number, details: SteamSpyDetails): unknown;
  delete(appid: number): boolean;
  keys(): Iterable<number>;
  readonly size: number;
}

export interface SteamSpyDump {
  pages: SteamSpyPage[];
  details: DetailsSource;
  /** Apps that `appdetails` does not know, with the form of the answer. All others without details are `empty`. */
  unknown: Map<number, UnknownStyle>;
}

export interface SimulatedSteamSpy extends SimulatedWebApi {
  /** The served dump; may be changed and replaced between requests. */
  dump: SteamSpyDump;
  log: WebLog;
  faults: WebFaults;
}

/**
 * SteamSpy: `https://steamspy.com/api.php?request=all&page=N` (`{}` after the last page) and `request=appdetails&appid=N`. It has no
 * rate limits: tests check from the log whether a client keeps them.
 */
export function createSimulatedSteamSpy(parts: Partial<SteamSpyDump> = {}): SimulatedSteamSpy {
  const log = createWebLog();
  const faults = createWebFaults();
  const spy: SimulatedSteamSpy = {
    host: "steamspy.com",
    path: "/api.php",
    dump: { pages: [], details: new Map(), unknown: new Map(), ...parts },
    log,
    faults,
    answer({ url, method }) {
      const call = method === "GET" ? callOf(url.searchParams) : { kind: "other" };
      const fault = faults.strike(call);
      log.add(call, fault && faultName(fault));
      return spoil(fault, rightAnswer(spy.dump, call, fault));
    },
  };
  return spy;
}

function callOf(query: URLSearchParams): WebCall {
  const number = (name: string) => (/^\d+$/.test(query.get(name) ?? "") ? Number(query.get(name)) : null);
  const [request, page, appid] = [query.get("request"), number("page"), number("appid")];
  if (request === "all" && page !== null) return { kind: "all", page };
  if (request === "appdetails" && appid !== null) return { kind: "appdetails", appid };
  return { kind: "other" };
}

function rightAnswer(dump: SteamSpyDump, { page, appid }: WebCall, fault: WebFault | null): Answer {
  if (page !== undefined) return textAnswer(fault === "page_empty" ? "{}" : pageText(dump.pages, page, fault));
  if (appid !== undefined) return jsonAnswer(fault === "blank" ? blankDetails(appid) : detailsAnswer(dump, appid));
  return { status: 400, body: "" };
}

/** As SteamSpy sends it: most owned first, an order that an object with numeric keys cannot hold. */
function pageText(pages: SteamSpyPage[], page: number, fault: WebFault | null): string {
  const left = fault && new Set(withoutShare([...new Set(pages.flatMap(Object.keys))], fault));
  const apps = Object.entries(pages[page] ?? {}).filter(([appid]) => left?.has(appid) ?? true);
  const ranked = apps.sort(([, a], [, b]) => leastOwners(b.owners) - leastOwners(a.owners));
  return `{${ranked.map(([appid, app]) => `"${appid}": ${JSON.stringify(app)}`).join(", ")}}`;
}

/** The lower end of a bucket such as `20,000 .. 50,000`; 0 without one. */
export function leastOwners(owners: string): number {
  return Number(owners.split(" ..")[0]?.replaceAll(",", "")) || 0;
}

/** What `appdetails` answers for any appid. */
export function detailsAnswer({ details, unknown }: SteamSpyDump, appid: number): object {
  const style = unknown.get(appid) ?? "empty";
  const known = unknown.has(appid) ? undefined : details.get(appid);
  if (known || style === "empty") return known ?? {};
  if (style === "null_name") return { ...blankDetails(appid), name: null };
  if (style === "blank_name") return { ...blankDetails(appid), developer: null };
  return { ...blankDetails(999_999), name: "Hidden", developer: "Hidden", publisher: "Hidden", genre: "Hidden" };
}

function blankDetails(appid: number): SteamSpyDetails {
  return {
    appid,
    name: "",
    developer: "",
    publisher: "",
    score_rank: "",
    positive: 0,
    negative: 0,
    userscore: 0,
    owners: "0 .. 20,000",
    average_forever: 0,
    average_2weeks: 0,
    median_forever: 0,
    median_2weeks: 0,
    price: null,
    initialprice: null,
    discount: null,
    languages: null,
    genre: "",
    ccu: 0,
    tags: [],
  };
}
