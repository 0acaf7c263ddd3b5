import { createRandom, type Random } from "../steam/random.ts";
import { storeTags } from "../steam/store-tags.ts";
import { gameTitle, studioName } from "../steam/words.ts";
import type {
  DetailsSource,
  SteamSpyApp,
  SteamSpyDetails,
  SteamSpyDump,
  SteamSpyPage,
  UnknownStyle,
} from "./steamspy.ts";

export interface GenerateSteamSpyOptions {
  seed: number;
  /** Number of distinct apps. */
  games: number;
  /** Default 1,000, like SteamSpy. */
  pageSize?: number;
  /** The share of rows that repeat an app of an earlier page, with the same values. Default 0.05. */
  repeatShare?: number;
  /** The share of apps whose details are unknown or hidden. Default 0.02. */
  unknownShare?: number;
}

/** All buckets of `owners`, with the weight of each. */
const ownersBuckets: [weight: number, owners: string][] = [
  [1, "200,000,000 .. 500,000,000"],
  [1, "100,000,000 .. 200,000,000"],
  [2, "50,000,000 .. 100,000,000"],
  [4, "20,000,000 .. 50,000,000"],
  [7, "10,000,000 .. 20,000,000"],
  [15, "5,000,000 .. 10,000,000"],
  [50, "2,000,000 .. 5,000,000"],
  [60, "1,000,000 .. 2,000,000"],
  [90, "500,000 .. 1,000,000"],
  [180, "200,000 .. 500,000"],
  [200, "100,000 .. 200,000"],
  [260, "50,000 .. 100,000"],
  [430, "20,000 .. 50,000"],
  [3_700, "0 .. 20,000"],
];

/** Oddities of an app in `all` and in its details. Each occurs once in {@link oddEvery} consecutive apps. */
const oddities: ((app: SteamSpyApp) => void)[] = [
  (app) => Object.assign(app, { name: "" }),
  (app) => Object.assign(app, { developer: "", publisher: "" }),
  (app) => Object.assign(app, { publisher: "" }),
  // Listed in `all`, and in `appdetails` the same as an app that SteamSpy does not know.
  (app) => Object.assign(app, { name: "", developer: "" }),
  (app) => Object.assign(app, { developer: "   " }),
  (app) => Object.assign(app, { developer: `  ${app.developer}, \t`, publisher: `${app.publisher} ` }),
  (app) => Object.assign(app, { name: `"${app.name}" \\ 🎮🧑‍🚀`, developer: `Ünï©ode "𝔖tudio" 开发者's` }),
  (app) => Object.assign(app, { developer: `Brok\u0000en ${app.developer}`, publisher: "\u0000" }),
  (app) => Object.assign(app, { price: null }),
  (app) => Object.assign(app, { price: null, initialprice: null, discount: null }),
  (app) => Object.assign(app, { price: "19.99" }),
  (app) => Object.assign(app, { price: "" }),
  (app) => Object.assign(app, { score_rank: 97 }),
  (app) => Object.assign(app, { score_rank: "84" }),
  (app) => Object.assign(app, { score_rank: 100 }),
  (app) => Object.assign(app, { average_forever: 4_294_967_295, median_forever: 4_294_967_295 }),
  (app) => Object.assign(app, { average_2weeks: 12.5 }),
  (app) => Object.assign(app, { positive: 2_147_483_647, negative: 2_147_483_648 }),
];

const detailOddities: ((details: SteamSpyDetails) => void)[] = [
  (details) => Object.assign(details, { tags: [] }),
  (details) => Object.assign(details, { languages: "" }),
  (details) => Object.assign(details, { languages: null }),
  (details) => Object.assign(details, { genre: "" }),
  (details) => Object.assign(details, { languages: ` ${details.languages}\n`, genre: `${details.genre} ` }),
  (details) => Object.assign(details, { languages: "Eng\u0000lish", tags: { "Act\u0000ion": 7, "1990's": 0 } }),
  (details) => Object.assign(details, { tags: { 'Say "Cheese" 🧀': 3 }, genre: null }),
];
const oddEvery = 150;

const languages =
  "English,French,German,Italian,Spanish - Spain,Simplified Chinese,Korean,Russian,Portuguese - Brazil".split(",");
const genres =
  "Action,Adventure,Casual,Indie,RPG,Simulation,Strategy,Free To Play,Early Access,Massively Multiplayer".split(",");
const unknownStyles: UnknownStyle[] = ["empty", "null_name", "blank_name", "hidden"];
const prices = ["0", "99", "199", "499", "999", "1499", "1999", "2999", "5999"];

/**
 * Generates a dump in SteamSpy's format, with the oddities of real dumps that a database cannot store: names with quotes, emoji and
 * NUL, blanks, numbers out of range. Deterministic by seed.
 *
 * Details are generated on access, so that 80,000 games take little memory; `details.set` changes an app permanently.
 */
export function generateSteamSpy(options: GenerateSteamSpyOptions): SteamSpyDump {
  const { seed, games, pageSize = 1_000, repeatShare = 0.05, unknownShare = 0.02 } = options;
  const random = createRandom(seed);
  const apps: SteamSpyApp[] = [];
  let appid = 0;
  for (let i = 0; i < games; i += 1) {
    appid += 10 * random.int(1, 8);
    const owners = ownersBuckets[i]?.[1] ?? random.weighted(ownersBuckets);
    const app = makeApp(random, appid, owners);
    oddities[i % oddEvery]?.(app);
    apps.push(app);
  }

  const shareOf = random.sample(apps, Math.ceil(games * unknownShare));
  const unknown = new Map(shareOf.map((app, i) => [app.appid, unknownStyles[i % 4] as UnknownStyle]));
  // As in real dumps: what the details do not know is blank in `all`, too.
  for (const app of shareOf) if (unknown.get(app.appid) !== "hidden") Object.assign(app, { name: "", developer: "" });
  const known = new Map(apps.flatMap((app, i) => (unknown.has(app.appid) ? [] : [[app.appid, { app, i }]])));
  const details = lazyDetails(known, ({ app, i }) => makeDetails(createRandom(seed, app.appid), app, i));

  const order = new Map(ownersBuckets.map(([, owners], rank) => [owners, rank]));
  const ranked = apps.toSorted((a, b) => (order.get(a.owners) ?? 0) - (order.get(b.owners) ?? 0));
  return { pages: makePages(random, ranked, pageSize, repeatShare), details, unknown };
}

function makeApp(random: Random, appid: number, owners: string): SteamSpyApp {
  const developer = random.chance(0.1) ? `${studioName(random)}, ${studioName(random)}` : studioName(random);
  const played = random.chance(0.2);
  const price = random.pick(prices);
  const onSale = random.chance(0.1);
  const reviews = random.int(0, 9) * 10 ** random.int(0, 4);
  return {
    appid,
    name: gameTitle(random),
    developer,
    publisher: random.chance(0.6) ? developer : studioName(random),
    score_rank: "",
    positive: reviews,
    negative: Math.floor(reviews * random.next() * 0.5),
    userscore: 0,
    owners,
    average_forever: played ? random.int(1, 9_000) : 0,
    average_2weeks: played ? random.int(0, 600) : 0,
    median_forever: played ? random.int(1, 9_000) : 0,
    median_2weeks: played ? random.int(0, 600) : 0,
    price: onSale ? String(Math.floor(Number(price) / 2)) : price,
    initialprice: price,
    discount: onSale ? "50" : "0",
    ccu: random.chance(0.5) ? 0 : random.int(1, 20_000),
  };
}

/** The app with partly newer numbers and with the fields of details. The fields are in SteamSpy's order. */
function makeDetails(random: Random, app: SteamSpyApp, index: number): SteamSpyDetails {
  const { ccu, ...same } = app;
  const newer = random.chance(0.5) && app.positive < 1_000_000 ? random.int(1, 50) : 0;
  const tags: [string, number][] = [];
  for (const name of random.sample([...storeTags.values()], random.chance(0.4) ? 20 : random.int(0, 20)))
    tags.push([name, random.int(1, 6_000)]);
  tags.sort(([, a], [, b]) => b - a);
  const details: SteamSpyDetails = {
    ...same,
    positive: app.positive + newer,
    languages: random.sample(languages, random.int(1, languages.length)).join(", "),
    genre: random.sample(genres, random.int(1, 4)).join(", "),
    ccu,
    tags: tags.length > 0 ? Object.fromEntries(tags) : [],
  };
  // Not the fields with oddities, so that each is visible alone.
  detailOddities[(index % oddEvery) - oddities.length]?.(details);
  return details;
}

function lazyDetails<T>(known: Map<number, T>, make: (source: T) => SteamSpyDetails): DetailsSource {
  const changed = new Map<number, SteamSpyDetails | undefined>();
  const appids = new Set(known.keys());
  return {
    get(appid) {
      const source = known.get(appid);
      if (!appids.has(appid) || changed.has(appid) || source === undefined) return changed.get(appid);
      return make(source);
    },
    has: (appid) => appids.has(appid),
    set(appid, details) {
      appids.add(appid);
      changed.set(appid, details);
    },
    delete(appid) {
      changed.delete(appid);
      return appids.delete(appid);
    },
    keys: () => appids.keys(),
    get size() {
      return appids.size;
    },
  };
}

function makePages(random: Random, ranked: SteamSpyApp[], pageSize: number, repeatShare: number): SteamSpyPage[] {
  const pages: SteamSpyPage[] = [];
  const shown: SteamSpyApp[] = [];
  const fresh = ranked.values();
  for (let next = fresh.next(); !next.done; ) {
    const page: SteamSpyPage = {};
    let rows = 0;
    const before = shown.length;
    while (rows < pageSize && !next.done) {
      // Repeats are only of earlier pages, of which the first has none.
      const repeated = before > 0 && random.chance(repeatShare) ? shown[random.int(0, before - 1)] : undefined;
      const app = repeated ?? next.value;
      if (String(app.appid) in page) continue;
      page[app.appid] = app;
      rows += 1;
      if (repeated) continue;
      shown.push(app);
      next = fresh.next();
    }
    pages.push(page);
  }
  return pages;
}
