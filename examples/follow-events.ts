import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Follows events and misses none: the cursor file holds up to where they are handled, and is written after they are. A kill in between
 * repeats a page, so handle an event by its id. The first start begins with what happens from then on.
 *
 *     node examples/follow-events.ts 'http://localhost:8080/v1/events?event=released,build' events.cursor
 */
const [address = "http://localhost:8080/v1/events", cursorFile = "events.cursor"] = process.argv.slice(2);
const { API_KEY, POLL_SECONDS = 5 } = process.env;
const headers: Record<string, string> = API_KEY ? { authorization: `Bearer ${API_KEY}` } : {};
type Page = { data: { id: number; event: string; name: string | null }[]; last_id: number; next: string | null };

/** What to do with an event; the cursor waits for it. */
const handle = (event: object) => new Promise((done) => process.stdout.write(`${JSON.stringify(event)}\n`, done));

let after = existsSync(cursorFile) ? readFileSync(cursorFile, "utf8") : null;
while (true) {
  const url = new URL(address);
  if (after !== null) url.searchParams.set("after", after);
  const reply = await fetch(url, { headers }).catch(() => null);
  // A fault of the request, or 410: HISTORY_DAYS has deleted what follows the cursor. The reply says how to go on.
  if (reply && reply.status >= 400 && reply.status < 500 && reply.status !== 429) throw new Error(await reply.text());
  const page = reply?.ok ? ((await reply.json().catch(() => null)) as Page | null) : null;

  if (page && after !== null) for (const event of page.data) await handle(event);
  if (page) {
    after = String(page.last_id);
    writeFileSync(`${cursorFile}.new`, after);
    renameSync(`${cursorFile}.new`, cursorFile);
  }
  if (!page?.next) await delay(Number(POLL_SECONDS) * 1_000);
}
