import type { AppQuery } from "../src/db/catalog-queries.ts";
import type { Shape } from "../test/support/generated-catalog/shapes.ts";
import { benchShapes, type Drivers, formatShapes, type ShapesBench } from "./lists.ts";

/**
 * What a search by name costs in the database, measured as the lists are (lists.ts): words that many, some, few and no names have, short
 * ones, close misses, names without spaces between their words.
 *
 *     node bench/search.ts [APPS] [postgres|pglite]
 */
const searches = [
  ...["stardew valley", "valley stardew", "half life", "portal", "simulator", "the", "of the", "dark", "space", "war"],
  ...["stardew vally", "witcer", "counter strkie", "no such name", "pokémon", "ōkami"],
  ...["a", "s", "it", "x", "zz", "vr", "3", "the a", "猫", "计划", "猫娘", "カ", "Кот"],
  ...["one two three four five six seven eight", "simulator 2", "the last"],
];

const others: Partial<AppQuery>[] = [
  {},
  { types: ["game"] },
  { sort: "release_date", descending: true },
  { sort: "name", relations: [["tag", "20"]] },
];

export function benchSearch({
  apps = 300_000,
  drivers = ["postgres", "pglite"],
}: {
  apps?: number;
  drivers?: Drivers;
} = {}): Promise<ShapesBench> {
  return benchShapes(apps, drivers, async () => searchShapes());
}

function searchShapes(): Shape[] {
  return searches.flatMap((search) =>
    others.map((other) => ({
      name: [search, JSON.stringify(other)].join(" "),
      query: { max: 50, sort: "relevance", descending: false, words: search.split(" "), ...other },
    })),
  );
}

if (import.meta.main) {
  const [apps = "300000", driver] = process.argv.slice(2);
  const drivers: Drivers | undefined = driver === "postgres" || driver === "pglite" ? [driver] : undefined;
  console.log(formatShapes(await benchSearch({ apps: Number(apps), ...(drivers ? { drivers } : {}) })));
}
