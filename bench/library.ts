import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { createIgdb } from "../src/library/igdb.ts";
import { loadConfig } from "../src/process/config.ts";
import { createWebClient } from "../src/web/client.ts";
import { generateIgdbGames } from "../test/support/web/generate-igdb.ts";
import { createSimulatedIgdb } from "../test/support/web/igdb.ts";
import { asFetch } from "../test/support/web/web-api.ts";
import { table } from "./support/figures.ts";

export interface LibraryBench {
  games: number;
  matched: number;
  requests: number;
  seconds: number;
  oneByOne: { sample: number; requests: number; seconds: number };
}

/**
 * Matches a library with a simulated IGDB at IGDB's rate limit (4 requests a second): in batches, and a sample of it
 * with one query per game through the same client.
 */
export async function benchLibrary(games = 2_000, sample = 60): Promise<LibraryBench> {
  const appids = Array.from({ length: games }, (_, index) => 10 * (index + 1));
  const dump = generateIgdbGames({ seed: 1, appids });

  async function measured(batches: readonly (readonly number[])[]) {
    const simulated = createSimulatedIgdb(dump);
    const logger = pino({ level: "silent" });
    const web = createWebClient({
      ...loadConfig({}).web,
      reserve: async ({ block }) => block,
      logger,
      fetch: asFetch(...simulated.apis),
    });
    const igdb = createIgdb({
      web,
      store: {
        getCached: async () => new Map(),
        cache: async () => {},
        tokens: { get: async () => null, put: async () => {} },
      },
      clientId: simulated.clientId,
      clientSecret: simulated.clientSecret,
      signal: new AbortController().signal,
    });
    const startedAt = performance.now();
    let matched = 0;
    for (const batch of batches) matched += (await igdb.bySteamAppids(batch)).games.size;
    return { matched, requests: simulated.queries.length, seconds: (performance.now() - startedAt) / 1_000 };
  }

  const { matched, requests, seconds } = await measured([appids]);
  const oneByOne = await measured(appids.slice(0, sample).map((appid) => [appid]));
  return { games, matched, requests, seconds, oneByOne: { ...oneByOne, sample } };
}

export function formatLibrary({ games, matched, requests, seconds, oneByOne }: LibraryBench): string {
  const oneByOneSeconds = (oneByOne.seconds / oneByOne.sample) * games;
  const rows = [
    ["hundreds per query", requests, seconds.toFixed(1), Math.round(oneByOneSeconds / seconds)],
    ["one query per game", games, Math.round(oneByOneSeconds), 1],
  ];
  const summary = `${games.toLocaleString("en-US")} games, ${matched.toLocaleString("en-US")} of them in IGDB; one query per game extrapolated from a sample of ${oneByOne.sample}.`;
  return [summary, "", table(["way", "requests", "seconds", "times faster"], rows)].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(formatLibrary(await benchLibrary()));
