import type { KyInstance } from "ky";
import { z } from "zod";

const maxResults = 50_000;
const kinds = ["games", "dlc", "software", "videos", "hardware"];

/** A day on which Steam answered without `apps` at all was seen, so it is required here: an absent list is no empty list. */
const page = z.object({
  response: z.object({
    apps: z.array(z.object({ appid: z.number().int().positive() })),
    have_more_results: z.boolean().default(false),
    last_appid: z.number().int().optional(),
  }),
});

/**
 * The appids of Steam's store by IStoreService/GetAppList, all kinds, a page at a time, ascending. It holds no demos, music, tools,
 * playtests or delisted apps.
 *
 * The key travels in a header, which keeps it out of addresses and logs. Throws ky's `HTTPError` (401 and 403: bad key) and
 * `ZodError` for a reply of another shape.
 */
export async function* storeAppids(http: KyInstance, apiKey: string, signal: AbortSignal): AsyncGenerator<number[]> {
  for (let lastAppid: number | undefined = 0; lastAppid !== undefined; ) {
    const searchParams = new URLSearchParams({ max_results: String(maxResults), last_appid: String(lastAppid) });
    for (const kind of kinds) searchParams.set(`include_${kind}`, "true");
    const reply = await http
      .get("https://api.steampowered.com/IStoreService/GetAppList/v1/", {
        searchParams,
        headers: { "x-webapi-key": apiKey },
        signal,
      })
      .json();
    const { apps, have_more_results, last_appid } = page.parse(reply).response;
    yield apps.map((app) => app.appid);
    lastAppid = have_more_results ? (last_appid ?? apps.at(-1)?.appid) : undefined;
  }
}
