import type { Catalog } from "../steam/catalog.ts";
import { createRandom } from "../steam/random.ts";
import type { SteamSpyApp, SteamSpyDump, SteamSpyPage } from "./steamspy.ts";

/** As SteamSpy has it. */
const gamesPerPage = 1_000;
const owners = ["0 .. 20,000", "20,000 .. 50,000", "100,000 .. 200,000", "1,000,000 .. 2,000,000"];
const cents = ["0", "499", "999", "1999", "3999"];

/** What SteamSpy would say about the listed games of a catalog. Its numbers are made up, the same for the same appid. */
export function catalogDump(catalog: Catalog): Pick<SteamSpyDump, "pages"> {
  const games = [...catalog.apps.values()].filter(({ listKind }) => listKind === "games");
  const pages: SteamSpyPage[] = [];
  for (let start = 0; start < games.length; start += gamesPerPage) {
    const page = games
      .slice(start, start + gamesPerPage)
      .map(({ appid, name }) => [appid, gameOf(appid, name)] as const);
    pages.push(Object.fromEntries(page));
  }
  return { pages };
}

function gameOf(appid: number, name: string): SteamSpyApp {
  const random = createRandom(1, appid, 7);
  const size = random.weighted([[60, 0] as const, [25, 1] as const, [10, 2] as const, [5, 3] as const]);
  const reviews = random.int(20, 90) * 10 ** size;
  const price = random.pick(cents);
  return {
    ...{ appid, name, developer: "", publisher: "", score_rank: "", userscore: 0 },
    ...{ positive: reviews, negative: Math.floor(reviews * random.next() * 0.5) },
    owners: owners[size] ?? "",
    ...{ average_forever: random.int(10, 3_000), average_2weeks: random.int(0, 300) },
    ...{ median_forever: random.int(10, 2_000), median_2weeks: random.int(0, 200) },
    ...{ price, initialprice: price, discount: "0", ccu: random.int(0, 40) * 10 ** size },
  };
}
