import { z } from "zod";
import { WebError } from "../process/errors.ts";
import { int32Max } from "../process/limits.ts";
import type { WebClient } from "./client.ts";

/** The kinds of app that the store lists. Demos, music, tools, playtests and delisted apps are in none. */
export const listKinds = ["games", "dlc", "software", "videos", "hardware"] as const;
export type ListKind = (typeof listKinds)[number];

export interface AppListPage {
  kind: ListKind;
  /** The name is "" where Steam gives none. */
  apps: { appid: number; name: string }[];
  /** What the next page comes after; null after the last. */
  next: number | null;
}

const url = "https://api.steampowered.com/IStoreService/GetAppList/v1/";
/** The most that Steam gives. */
const maxResults = 50_000;

/** A day on which Steam answered without `apps` at all was seen, so it is required here: an absent list is no empty list. */
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
 * One page of one kind of IStoreService/GetAppList/v1: up to 50,000 apps whose appids are above `after` (0 to begin), ascending. The
 * key travels in a header, which keeps it out of addresses and logs.
 *
 * @throws {WebError} `denied` for a bad key, `invalid` also for a page that would be read for ever.
 */
export async function appListPage(
  web: WebClient,
  apiKey: string,
  kind: ListKind,
  after: number,
  signal: AbortSignal,
): Promise<AppListPage> {
  const searchParams: Record<string, string> = { max_results: String(maxResults), last_appid: String(after) };
  // Steam includes games unless told otherwise.
  for (const each of listKinds) searchParams[`include_${each}`] = String(each === kind);
  const request = { url, searchParams, headers: { "x-webapi-key": apiKey }, signal };
  const { apps, have_more_results, last_appid } = (await web.json("steam_web_api", request, shape)).response;

  const invalid = (what: string) =>
    new WebError("invalid", `steam_web_api: the list of ${kind} after ${after} ${what}`);
  const early = apps.find(({ appid }) => appid <= after);
  if (early) throw invalid(`holds ${early.appid}`);
  if (!have_more_results) return { kind, apps, next: null };
  const next = last_appid ?? apps.at(-1)?.appid ?? 0;
  if (apps.length === 0 || next <= after) throw invalid("promises more and does not move forward");
  return { kind, apps, next };
}

/** The appids of all kinds, kind by kind, a page at a time, ascending within a kind. Throws as {@link appListPage} does. */
export async function* storeAppids(web: WebClient, apiKey: string, signal: AbortSignal): AsyncGenerator<number[]> {
  for (const kind of listKinds) {
    for (let after: number | null = 0; after !== null; ) {
      const { apps, next }: AppListPage = await appListPage(web, apiKey, kind, after, signal);
      if (apps.length > 0) yield apps.map(({ appid }) => appid);
      after = next;
    }
  }
}
