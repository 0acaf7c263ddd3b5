import { createRandom, type Random } from "../steam/random.ts";
import { gameTitle } from "../steam/words.ts";
import type { IgdbDump, IgdbEntry, IgdbExternalGame, IgdbLabel } from "./igdb.ts";

export interface GenerateIgdbOptions {
  seed: number;
  /** The Steam apps of the games. */
  appids: readonly number[];
  /** Share of apps unknown to IGDB. Default 0.03. */
  unknownShare?: number;
  /** Share of apps with two rows, the first one without a game or with the same game. Default 0.03. */
  repeatShare?: number;
  /** Share of apps that are another edition of the previous game. Default 0.02. */
  editionShare?: number;
}

const label = (id: number, name: string, abbreviation?: string): IgdbLabel => ({
  id,
  name,
  slug: name.toLowerCase().replace(/[^a-z0-9]+/g, "-"),
  ...(abbreviation && { abbreviation }),
});

const genres = [
  label(4, "Fighting"),
  label(5, "Shooter"),
  label(8, "Platform"),
  label(9, "Puzzle"),
  label(12, "Role-playing (RPG)"),
  label(15, "Strategy"),
  label(25, "Hack and slash/Beat 'em up"),
  label(31, "Adventure"),
  label(32, "Indie"),
];
const platforms = [
  label(3, "Linux"),
  label(6, "PC (Microsoft Windows)", "PC"),
  label(14, "Mac"),
  label(48, "PlayStation 4", "PS4"),
  label(130, "Nintendo Switch", "Switch"),
  label(13, "DOS", "DOS"),
];

/** Odd names of games. */
const oddNames: ((name: string) => string)[] = [
  (name) => `${name}™`,
  (name) => `Pokéñ ${name}®`,
  (name) => `${name} 🎮🧑‍🚀`,
  (name) => `"${name}" \\ the 'quoted', one`,
  (name) => `=${name}; where & (all)`,
  (name) => `  ${name} 夜勤事件`,
];

/** Weight and `game_type`. */
const gameTypes: [number, number][] = [
  [80, 0],
  [3, 1],
  [3, 2],
  [2, 3],
  [3, 4],
  [1, 5],
  [1, 6],
  [1, 7],
  [2, 8],
  [3, 9],
  [2, 10],
  [2, 11],
  [1, 12],
  [1, 13],
  [1, 14],
];

/** Generates games for most of the apps, with the irregularities of IGDB's rows. Deterministic for a seed. */
export function generateIgdbGames(options: GenerateIgdbOptions): IgdbDump {
  const { seed, appids, unknownShare = 0.03, repeatShare = 0.03, editionShare = 0.02 } = options;
  const random = createRandom(seed);
  const games: IgdbEntry[] = [];
  const externalGames: IgdbExternalGame[] = [];
  const list = (uid: string, game?: number) =>
    externalGames.push({
      id: externalGames.length + 1,
      uid,
      external_game_source: 1,
      ...(game !== undefined && { game }),
    });

  for (const appid of appids) {
    if (random.chance(unknownShare)) {
      if (random.chance(0.5)) list(String(appid));
      continue;
    }
    const before = games.at(-1);
    const game = before && random.chance(editionShare) ? before : entry(1_000 + games.length * 3, random);
    if (game !== before) games.push(game);
    if (random.chance(repeatShare)) list(String(appid), random.chance(0.5) ? game.id : undefined);
    list(String(appid), game.id);
    // Ids of other stores overlap with Steam's.
    if (random.chance(0.05)) {
      externalGames.push({ id: externalGames.length + 1, uid: String(appid), external_game_source: 5, game: 1 });
    }
  }
  return { games, externalGames };
}

function entry(id: number, random: Random): IgdbEntry {
  const title = gameTitle(random);
  const name = random.chance(0.1) ? random.pick(oddNames)(title) : title;
  return {
    id,
    name,
    slug: `${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}-${id}`,
    game_type: random.weighted(gameTypes),
    ...(random.chance(0.9) && { summary: `${title}, told in\n"several" lines, with 🎲 and = signs.` }),
    // From 1950 to 2030; IGDB has games from before 1970.
    ...(random.chance(0.95) && { first_release_date: random.int(-631_152_000, 1_893_456_000) }),
    ...(random.chance(0.95) && { cover: { id: id + 7, image_id: `co${random.hex(4)}` } }),
    ...(random.chance(0.95) && { genres: random.sample(genres, random.int(1, 4)) }),
    ...(random.chance(0.98) && { platforms: random.sample(platforms, random.int(1, 5)) }),
  };
}
