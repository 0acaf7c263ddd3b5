import { createWebFaults, faultName, spoil, type WebFault, type WebFaults, withoutShare } from "./faults.ts";
import { createWebLog, type WebLog } from "./request-log.ts";
import { type Answer, htmlAnswer, jsonAnswer, type SimulatedWebApi, type WebRequest } from "./web-api.ts";

export type AppListKind = "games" | "dlc" | "software" | "videos" | "hardware";

export interface AppListEntry {
  appid: number;
  name: string;
  last_modified?: number;
  price_change_number?: number;
}

export interface AppListOptions {
  lists?: Partial<Record<AppListKind, AppListEntry[]>>;
  /** The key that is accepted. Default: any. */
  apiKey?: string;
  /** Maximum page size, so that small lists have several pages. */
  pageSize?: number;
}

export interface SimulatedAppList extends SimulatedWebApi {
  /** The served lists; may be changed and replaced between requests. */
  lists: Partial<Record<AppListKind, AppListEntry[]>>;
  log: WebLog;
  faults: WebFaults;
}

const kinds: AppListKind[] = ["games", "dlc", "software", "videos", "hardware"];
const maxListPage = 50_000;
const defaultListPage = 10_000;

/**
 * IStoreService/GetAppList/v1: kinds by `include_…` (games unless switched off), ascending appids after `last_appid`, at most
 * `max_results`; `have_more_results` and `last_appid` come only when there is more. A bad key (`key` or the header `x-webapi-key`) is 401 with
 * HTML.
 */
export function createSimulatedAppList(options: AppListOptions = {}): SimulatedAppList {
  const { apiKey, pageSize = maxListPage } = options;
  const log = createWebLog();
  const faults = createWebFaults();
  const list: SimulatedAppList = {
    host: "api.steampowered.com",
    path: "/IStoreService/GetAppList/v1",
    lists: options.lists ?? {},
    log,
    faults,
    answer(request) {
      const call = { kind: "app_list", lastAppid: Number(request.url.searchParams.get("last_appid") ?? 0) };
      const fault = faults.strike(call);
      log.add(call, fault && faultName(fault));
      const right: Answer = isKeyRight(apiKey, request)
        ? jsonAnswer({ response: response(list.lists, request.url.searchParams, pageSize, fault) })
        : htmlAnswer(401, "Unauthorized");
      return spoil(fault, right);
    },
  };
  return list;
}

function isKeyRight(apiKey: string | undefined, { url, headers }: WebRequest): boolean {
  const key = url.searchParams.get("key") ?? headers["x-webapi-key"] ?? "";
  return apiKey === undefined ? key !== "" : key === apiKey;
}

function response(lists: SimulatedAppList["lists"], query: URLSearchParams, pageSize: number, fault: WebFault | null) {
  if (fault === "no_apps") return {};
  if (fault === "null_entry") return { apps: [null] };
  if (fault === "none_of_more") return { apps: [], have_more_results: true };
  const isOn = (kind: AppListKind) => {
    const value = query.get(`include_${kind}`);
    return value === null ? kind === "games" : ["1", "true"].includes(value);
  };
  const after = Number(query.get("last_appid") ?? 0);
  const modifiedSince = Number(query.get("if_modified_since") ?? 0);
  const max = Math.min(Number(query.get("max_results") ?? 0) || defaultListPage, maxListPage, pageSize);
  const whole = kinds
    .filter(isOn)
    .flatMap((kind) => lists[kind] ?? [])
    .map(wireEntry)
    .sort((a, b) => a.appid - b.appid);
  const rest = withoutShare(whole, fault).filter(
    ({ appid, last_modified }) => appid > after && last_modified >= modifiedSince,
  );
  const start = fault === "missing_page" ? max : 0;
  const apps = rest.slice(start, start + max);
  if (fault === "no_progress") return { apps, have_more_results: true, last_appid: after };
  return { apps, ...(rest.length > start + max && { have_more_results: true, last_appid: apps.at(-1)?.appid }) };
}

function wireEntry({ appid, name, ...numbers }: AppListEntry): Required<AppListEntry> {
  return { appid, name, last_modified: 1_700_000_000 + (appid % 1_000_000), price_change_number: 0, ...numbers };
}
