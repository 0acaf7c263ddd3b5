/**
 * Baseline of the benchmark: a bulk sync with the public API of the packages. steam-user's `getProductInfo` (including its KeyValues
 * parser and access tokens), one batch after the other, and supabase-js table by table. It has no resume, no timeouts and no
 * isolation of an app that the database rejects.
 *
 *     node bench/plain/main.ts APPIDS.json [--side-by-side]
 *
 * SUPABASE_URL, SUPABASE_SERVICE_KEY and HTTPS_PROXY come from the environment.
 */
import { readFileSync } from "node:fs";
import { createClient } from "@supabase/supabase-js";
import SteamUser from "steam-user";
import { factsOf } from "./facts.ts";
import { createTables } from "./tables.ts";

const batchSize = 200;
const { SUPABASE_URL = "", SUPABASE_SERVICE_KEY = "", HTTPS_PROXY = "" } = process.env;
const appids = readFileSync(process.argv[2] ?? "", "utf8")
  .split(",")
  .map(Number);

const supabase = createClient(SUPABASE_URL, SUPABASE_SERVICE_KEY, { auth: { persistSession: false } });
const write = createTables(supabase, { sideBySide: process.argv.includes("--side-by-side") });
const steam = new SteamUser({
  httpProxy: HTTPS_PROXY,
  protocol: SteamUser.EConnectionProtocol.WebSocket,
  dataDirectory: null,
});

const startedAt = performance.now();
steam.logOn({ anonymous: true });
await new Promise<void>((resolve) => steam.once("loggedOn", () => resolve()));

let stored = 0;
for (let start = 0; start < appids.length; start += batchSize) {
  const { apps } = await steam.getProductInfo(appids.slice(start, start + batchSize), [], true);
  const batch = Object.entries(apps).map(([appid, { appinfo, changenumber, missingToken }]) => ({
    ...factsOf(Number(appid), appinfo),
    changeNumber: changenumber,
    missingToken,
  }));
  await write(batch);
  stored += batch.length;
}
const seconds = (performance.now() - startedAt) / 1_000;

steam.logOff();
process.stdout.write(`${JSON.stringify({ seconds, stored })}\n`, () => process.exit(0));
