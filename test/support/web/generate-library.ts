import { createRandom, type Random } from "../steam/random.ts";
import { companionTitle, gameTitle } from "../steam/words.ts";
import type { OwnedGame, OwnedLibrary } from "./owned-games.ts";

/** Odd names of a library. Each occurs once in every `oddEvery` games. */
const oddNames: ((name: string) => string | undefined)[] = [
  () => "",
  () => undefined,
  () => "   ",
  (name) => `${name}, the "Quoted" One`,
  (name) => `${name}\nin two lines`,
  (name) => `${name}\r\nand\rmore`,
  (name) => `=HYPERLINK("${name}")`,
  (name) => `  ${name} `,
  (name) => `${name}™ 🎮🧑‍🚀 夜勤事件`,
  (name) => `+${name};\t'single'`,
  (name) => `Brok\u0000en ${name}`,
];
const oddEvery = 40;

/** Generates a library of distinct games, some of them demos. Deterministic for a seed. */
export function generateLibrary({ seed, games }: { seed: number; games: number }): OwnedLibrary {
  const random = createRandom(seed);
  return { games: Array.from({ length: games }, (_, index) => ownedGame(index, random)) };
}

function ownedGame(index: number, random: Random): OwnedGame {
  const title = gameTitle(random);
  const [windows, mac, linux] = [random.int(0, 9_000), random.int(0, 300), random.int(0, 900)];
  const isPlayed = random.chance(0.6);
  const deck = isPlayed && random.chance(0.2) ? random.int(1, 2_000) : 0;
  const name = random.chance(0.03) ? `${companionTitle(random, "demo", title)}` : title;
  return {
    appid: 400 + index * 10,
    ...nameOf(name, index),
    ...(isPlayed && random.chance(0.05) && { playtime_2weeks: random.int(1, 600) }),
    // Minutes of older clients are not attributed to a platform.
    playtime_forever: isPlayed ? windows + mac + linux + deck + random.int(0, 500) : 0,
    ...(random.chance(0.98) && { img_icon_url: random.hex(40) }),
    playtime_windows_forever: isPlayed ? windows : 0,
    playtime_mac_forever: isPlayed ? mac : 0,
    playtime_linux_forever: isPlayed ? linux : 0,
    playtime_deck_forever: deck,
    rtime_last_played: isPlayed && random.chance(0.95) ? random.int(1_063_000_000, 1_780_000_000) : 0,
    playtime_disconnected: 0,
  };
}

function nameOf(name: string, index: number): Pick<OwnedGame, "name"> {
  const odd = oddNames[index % oddEvery];
  const given = odd ? odd(name) : name;
  return given === undefined ? {} : { name: given };
}
