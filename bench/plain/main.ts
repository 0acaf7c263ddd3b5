/**
 * Baseline of the benchmark: a bulk sync with the public API of the packages. steam-user's `getProductInfo` (including its KeyValues
 * parser and access tokens), one batch after the other, and supabase-js table by table. It has no resume, no timeouts and no
 * isolation of an app that the database rejects. `--keep` stores texts and depots, too: what `KEEP_APP_INFO` and `KEEP_DEPOTS` do.
 *
 *     node bench/plain/main.ts APPIDS.json [--side-by-side] [--keep]
 *
 * SUPABASE_URL, SUPABASE_SERVICE_KEY and HTTPS_PROXY come from the environment.
 */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import { createClient } from "@supabase/supabase-js";
import SteamUser from "steam-user";
import { factsOf } from "./facts.ts";
import { createTables, type FetchedFacts, type KeptText } from "./tables.ts";

const batchSize = 200;
const { SUPABASE_URL = "", SUPABASE_SERVICE_KEY = "", HTTPS_PROXY = "" } = process.env;
const appids = readFileSync(process.argv[2] ?? "", "utf8")
  .split(",")
  .map(Number);

const supabase = createClient(SUPABASE_URL, SUPABASE_SERVICE_KEY, { auth: { persistSession: false } });
const keep = process.argv.includes("--keep");
const write = createTables(supabase, { sideBySide: process.argv.includes("--side-by-side"), keep });
const steam = new SteamUser({
  httpProxy: HTTPS_PROXY,
  protocol: SteamUser.EConnectionProtocol.WebSocket,
  dataDirectory: null,
});

/** Texts by appid. steam-user returns only what it parses of them, so its parser passes them on. */
const texts = new Map<string, string>();
if (keep) {
  const parser = createRequire(import.meta.resolve("steam-user"))("kvparser") as typeof import("kvparser");
  const { parse } = parser;
  parser.parse = (text) => {
    const parsed = parse(text);
    const appid = (parsed.appinfo as { appid?: string } | undefined)?.appid;
    // The list of servers is one, too.
    if (appid !== undefined) texts.set(appid, text);
    return parsed;
  };
}

async function keptText(appid: string): Promise<KeptText | undefined> {
  const text = texts.get(appid);
  texts.delete(appid);
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text);
  return { sha1: hash("sha1", bytes), size: bytes.length, data: await promisify(deflate)(bytes) };
}

const startedAt = performance.now();
steam.logOn({ anonymous: true });
await new Promise<void>((resolve) => steam.once("loggedOn", () => resolve()));

let stored = 0;
for (let start = 0; start < appids.length; start += batchSize) {
  const { apps } = await steam.getProductInfo(appids.slice(start, start + batchSize), [], true);
  const batch = await Promise.all(
    Object.entries(apps).map(
      async ([appid, { appinfo, changenumber, missingToken }]): Promise<FetchedFacts> => ({
        ...factsOf(Number(appid), appinfo),
        changeNumber: changenumber,
        missingToken,
        kept: await keptText(appid),
      }),
    ),
  );
  await write(batch);
  stored += batch.length;
}
const seconds = (performance.now() - startedAt) / 1_000;

steam.logOff();
process.stdout.write(`${JSON.stringify({ seconds, stored })}\n`, () => process.exit(0));
