import type { Random } from "./random.ts";

/**
 * Invented names for generated apps. Every title carries a proper name made of syllables, so that none is likely to be
 * that of a real game.
 */

const openings = "Vel Dran Osh Kest Mir Tal Bryn Zor Quil Hesp Lum Farn Ith Cael Morr Pell Sav Wex Yll Ard".split(" ");
const middles = "a e i o u ae ia or en il".split(" ");
const endings = "mora dor wyn thas kesh lune vale rin gard nox tia bel mere zan fell".split(" ");
const adjectives =
  "Copper Hollow Silent Amber Distant Paper Winter Electric Velvet Crooked Golden Little Last Endless Neon Sunken".split(
    " ",
  );
const nouns =
  "Lantern Orchard Harbor Clockwork Garden Expedition Signal Kingdom Postman Voyage Fortress Teahouse Labyrinth Comet Railway Foundry Bakery Archive".split(
    " ",
  );
const plurals = "Tides Echoes Embers Roads Letters Shadows Engines Rivers Wardens Seasons".split(" ");
const studioFirst =
  "Brindlefox Ninth Teapot Moonpenny Gravel Marzipan Tinhat Lowland Oblong Kettle Foxglove Sundial Pebble Umber".split(
    " ",
  );
const studioLast = "Interactive Games Studio Workshop Collective Softworks Entertainment Arts".split(" ");

export function properName(random: Random): string {
  return random.pick(openings) + random.pick(middles) + random.pick(endings);
}

export function gameTitle(random: Random): string {
  const name = properName(random);
  const title = random.weighted<() => string>([
    [3, () => `${name}: ${random.pick(plurals)} of the ${random.pick(nouns)}`],
    [3, () => `The ${random.pick(adjectives)} ${random.pick(nouns)} of ${name}`],
    [2, () => `${name}'s ${random.pick(nouns)}`],
    [2, () => `${random.pick(adjectives)} ${name}`],
    [1, () => `${name} ${random.pick(nouns)} Simulator`],
  ])();
  return random.chance(0.08) ? `${title} ${random.pick(["II", "III", "Remastered", "VR"])}` : title;
}

/** The title of something that belongs to a game. */
export function companionTitle(random: Random, type: string, game: string): string {
  if (type === "demo") return `${game} Demo`;
  if (type === "music") return `${game} Soundtrack`;
  if (type === "beta") return `${game} Playtest`;
  if (type === "tool") return `${game} Dedicated Server`;
  return `${game} - ${random.pick(adjectives)} ${random.pick(["Pack", "Chapter", "Outfit", "Expansion", "Bundle"])}`;
}

export function studioName(random: Random): string {
  return `${random.pick(studioFirst)} ${random.pick(studioLast)}`;
}
