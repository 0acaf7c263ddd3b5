import { z } from "zod";
import { WebError } from "../process/errors.ts";
import { int32Max } from "../process/limits.ts";
import type { WebClient } from "./client.ts";

/** Kinds of app that the store lists. Demos, music, tools, playtests and delisted apps are in no list. */
export const listKinds = ["games", "dlc", "software", "videos", "hardware"] as const;
export type ListKind = (typeof listKinds)[number];

export interface AppListPage {
  kind: ListKind;
  /** The name is "" if Steam gives none. */
  apps: { appid: number; name: string }[];
  /** Cursor of the next page: pass it as `after`. Null on the last page. */
  next: number | null;
}

const url = "https://api.steampowered.com/IStoreService/GetAppList/v1/";
/** Maximum page size of Steam. */
const maxResults = 50_000;

/** `apps` is required: Steam was seen to answer without it, and an absent list is not an empty list. */
const shape = z.object({
  response: z.object({
    apps: z.array(
      z.object({
        appid: z.int().min(1).max(int32Max),
        name: z.string().catch(""),
      }),
    ),
    have_more_results: z.boolean().default(false),
    last_appid: z.number().optional(),
  }),
});

/**
 * Fetches one page of one kind from IStoreService/GetAppList/v1, by keyset pagination: up to 50,000 apps with appids above `after`
 * (0 to begin), ascending. The key travels in a header, which keeps it out of addresses and logs.
 *
 * @throws {WebError} `denied` for a bad key; `invalid` also for a page whose cursor does not move forward, which would loop for ever.
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
  const { apps, have_more_results, last_appid } = (await web.json("steam_web_api", request, shape)).response;

  const invalid = (what: string) =>
    new WebError("invalid", `steam_web_api: the list of ${kind} after ${after} ${what}`);
  const early = apps.find(({ appid }) => appid <= after);
  if (early) throw invalid(`contains app ${early.appid}`);
  if (!have_more_results) return { kind, apps, next: null };
  const next = last_appid ?? apps.at(-1)?.appid ?? 0;
  if (apps.length === 0 || next <= after) throw invalid("announces a next page but no higher appid");
  return { kind, apps, next };
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
