import { z } from "zod";
import { int32Max } from "../process/limits.ts";
import type { WebClient } from "./client.ts";

/** Kinds of app that the store lists. Demos, music, tools, playtests and delisted apps are in no list. */
export const listKinds = ["games", "dlc", "software", "videos", "hardware"] as const;
export type ListKind = (typeof listKinds)[number];

/** An app as a list has it. */
export interface ListedApp {
  appid: number;
  /** "" if Steam gives none. */
  name: string;
  /** When the store page was last changed, in Unix seconds; null if Steam gives none. */
  last_modified: number | null;
  /** Rises with each change of the app's prices; null if Steam gives none. */
  price_change_number: number | null;
}

/**
 * How a list ends: as Steam says; `broken`: a page was announced that has no further app; `absent`: there is no list at all, which Steam
 * was seen to answer on bad days.
 */
export type ListEnd = "complete" | "broken" | "absent";

export interface AppListPage {
  kind: ListKind;
  /** Ascending by appid. */
  apps: ListedApp[];
  /** Cursor of the next page: pass it as `after`. Null on the last page. */
  next: number | null;
  /** Null unless this is the last page. */
  end: ListEnd | null;
}

const url = "https://api.steampowered.com/IStoreService/GetAppList/v1/";
/** Maximum page size of Steam. */
const maxResults = 50_000;
/** Last second of the year 9999. */
const maxSeconds = 253_402_300_799;

const shape = z.object({
  response: z
    .object({
      apps: z
        .array(
          z.object({
            appid: z.int().min(1).max(int32Max),
            name: z.string().catch(""),
            last_modified: z.int().min(1).max(maxSeconds).nullable().catch(null),
            price_change_number: z.int().min(0).max(int32Max).nullable().catch(null),
          }),
        )
        .optional(),
      have_more_results: z.boolean().default(false),
      last_appid: z.number().optional(),
    })
    .optional(),
});

/**
 * Fetches one page of one kind from IStoreService/GetAppList/v1, by keyset pagination: up to 50,000 apps with appids above `after`
 * (0 to begin). The key travels in a header, which keeps it out of addresses and logs.
 *
 * Apps up to `after`, which a repeated page or a wrong order brings, are left out, and the cursor always moves forward, so that paging ends.
 *
 * @throws {WebError} `denied` for a bad key, `blocked` for a blocked address; else as {@link WebClient.json}.
 */
export async function appListPage(
  web: WebClient,
  apiKey: string,
  kind: ListKind,
  after: number,
  signal: AbortSignal,
): Promise<AppListPage> {
  const searchParams: Record<string, string> = { max_results: String(maxResults), last_appid: String(after) };
  // Games are included by default.
  for (const each of listKinds) searchParams[`include_${each}`] = String(each === kind);
  const request = { url, searchParams, headers: { "x-webapi-key": apiKey }, signal };
  const { response } = await web.json("steam_web_api", request, shape);

  const sent = response?.apps ?? [];
  const apps = sent.filter(({ appid }) => appid > after).sort((a, b) => a.appid - b.appid);
  const highest = apps.at(-1)?.appid ?? after;
  if (highest === after) return { kind, apps, next: null, end: endWithoutApps(after, response) };
  if (!response?.have_more_results) return { kind, apps, next: null, end: "complete" };
  const { last_appid = highest } = response;
  return { kind, apps, next: last_appid > after ? Math.min(last_appid, int32Max) : highest, end: null };
}

/** The end of a list whose page has no app above `after`. Pages after the first are only asked for when they were announced. */
function endWithoutApps(after: number, response: z.infer<typeof shape>["response"]): ListEnd {
  if (after > 0 || response?.have_more_results) return "broken";
  return response?.apps ? "complete" : "absent";
}

/** Yields the appids of all kinds page by page, ascending within a kind. Throws like {@link appListPage}. */
export async function* storeAppids(web: WebClient, apiKey: string, signal: AbortSignal): AsyncGenerator<number[]> {
  for (const kind of listKinds) {
    for (let after: number | null = 0; after !== null; ) {
      const { apps, next }: AppListPage = await appListPage(web, apiKey, kind, after, signal);
      if (apps.length > 0) yield apps.map(({ appid }) => appid);
      after = next;
    }
  }
}
