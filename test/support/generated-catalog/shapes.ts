import { type AppSort, appSorts } from "../../../src/catalog/list-views.ts";
import type { AppQuery } from "../../../src/db/catalog-queries.ts";

/** The questions that `/v1/apps` is asked of a catalog of fill.sql: every sort with every filter, and typical combinations. */
export interface Shape {
  name: string;
  query: AppQuery;
}

type Filters = Partial<AppQuery>;

/** Common, usual and rare values of each filter. */
export function filtersOf(now = new Date()): Record<string, Filters> {
  const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000).toISOString();
  const verdicts = { "deck verified": { deck: ["verified"] }, "deck any": { deck: ["verified", "playable"] } };
  return {
    "no filter": {},
    appids: { appids: Array.from({ length: 100 }, (_, index) => 10 + 400 * index) },
    "type game": { types: ["game"] },
    "type dlc": { types: ["dlc"] },
    "type demo": { types: ["demo"] },
    "type beta": { types: ["beta"] },
    "type music": { types: ["music"] },
    "type series": { types: ["series"] },
    "types game, dlc": { types: ["game", "dlc"] },
    "types demo, beta": { types: ["demo", "beta"] },
    "tag most common": { relations: [["tag", "1"]] },
    "tag common": { relations: [["tag", "20"]] },
    "tag usual": { relations: [["tag", "100"]] },
    "tag unusual": { relations: [["tag", "200"]] },
    "tag rare": { relations: [["tag", "350"]] },
    "genre common": { relations: [["genre", "23"]] },
    "genre usual": { relations: [["genre", "9"]] },
    "genre rare": { relations: [["genre", "57"]] },
    "category common": { relations: [["category", "2"]] },
    "category usual": { relations: [["category", "52"]] },
    "category rare": { relations: [["category", "8"]] },
    "developer big": { relations: [["developer", "@1"]] },
    "developer small": { relations: [["developer", "@4000"]] },
    "publisher big": { relations: [["publisher", "@1"]] },
    franchise: { relations: [["franchise", "@1"]] },
    ...verdicts,
    "machine verified": { machine: ["verified"] },
    "frame verified": { frame: ["verified"] },
    "ai any": { ai: ["any"] },
    "ai live": { ai: ["live"] },
    "ai none": { ai: ["none"] },
    "vr only": { vr: ["only"] },
    "platform linux": { platforms: ["linux"] },
    "platforms all": { platforms: ["windows", "macos", "linux"] },
    "parent popular": { parent: -1 },
    free: { free: true },
    "not free": { free: false },
    inactive: { active: false },
    active: { active: true },
    "released within a week": { released_since: daysAgo(30), released_before: daysAgo(23) },
    "released since two years": { released_since: daysAgo(1_400) },
    "released long ago": { released_before: "2010-01-01T00:00:00Z" },
    "changed within an hour": { changed_since: daysAgo(1 / 24) },
    "changed within a week": { changed_since: daysAgo(7) },
    "changed within a year": { changed_since: daysAgo(365) },
    "game, tag": { types: ["game"], relations: [["tag", "20"]] },
    "game, usual tag": { types: ["game"], relations: [["tag", "100"]] },
    "game, two tags": {
      types: ["game"],
      relations: [
        ["tag", "3"],
        ["tag", "30"],
      ],
    },
    "game, three tags": {
      types: ["game"],
      relations: [
        ["tag", "40"],
        ["tag", "60"],
        ["tag", "80"],
      ],
    },
    "game, genre, category": {
      types: ["game"],
      relations: [
        ["genre", "3"],
        ["category", "9"],
      ],
    },
    "game, linux, deck": { types: ["game"], platforms: ["linux"], deck: ["verified"] },
    "game, free, tag": { types: ["game"], free: true, relations: [["tag", "5"]] },
    "game, vr, tag": { types: ["game"], vr: ["only", "supported"], relations: [["tag", "2"]] },
    "game, released, tag": { types: ["game"], released_since: daysAgo(365), relations: [["tag", "10"]] },
    "dlc of a popular game": { types: ["dlc"], parent: -1 },
    "game, no ai, active": { types: ["game"], ai: ["none"], active: true },
    "game, word": { types: ["game"], words: ["simulator"] },
    "word, tag": { words: ["the"], relations: [["tag", "20"]] },
    "rare word": { words: ["stardew"] },
  };
}

/** Every sort in both directions, with every filter: its first page, of 50 apps. */
export function shapes(filters = filtersOf()): Shape[] {
  return appSorts
    .filter((sort) => sort !== ("relevance" as AppSort))
    .flatMap((sort) =>
      [false, true].flatMap((descending) =>
        Object.entries(filters).map(([filter, query]) => ({
          name: `${descending ? "-" : ""}${sort}, ${filter}`,
          query: { max: 50, sort, descending, ...query },
        })),
      ),
    );
}

/** Replaces the placeholders of {@link filtersOf}: companies by their id, the game with most other apps. */
export async function resolved(
  filters: Record<string, Filters>,
  sql: (query: string) => Promise<Record<string, unknown>[]>,
): Promise<Record<string, Filters>> {
  const only = async (query: string) => Object.values((await sql(query))[0] ?? {})[0];
  const parent = Number(
    await only(
      "select parent_appid from apps where parent_appid is not null group by 1 order by count(*) desc limit 1",
    ),
  );
  const entries = Object.entries(filters).map(async ([name, query]): Promise<[string, Filters]> => {
    const relations = await Promise.all(
      (query.relations ?? []).map(async ([relation, value]) => {
        if (!value.startsWith("@")) return [relation, value] as const;
        const table = `${relation}s`;
        return [relation, String(await only(`select name from ${table} where id = ${value.slice(1)}`))] as const;
      }),
    );
    return [
      name,
      {
        ...query,
        ...(query.relations ? { relations: relations.map(([relation, value]) => [relation, value]) } : {}),
        ...(query.parent === -1 ? { parent } : {}),
      },
    ];
  });
  return Object.fromEntries(await Promise.all(entries));
}
