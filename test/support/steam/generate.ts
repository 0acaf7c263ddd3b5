import type { AppPlan, AppType } from "./app-plan.ts";
import { type Access, type Catalog, createCatalog, listKindOf } from "./catalog.ts";
import { generateText } from "./generate-text.ts";
import { createRandom, type Random } from "./random.ts";
import { companionTitle, gameTitle, properName, studioName } from "./words.ts";

export interface GenerateOptions {
  seed: number;
  count: number;
  /** The highest appid used is at most this. Default: 25 ids for every app, Steam's spacing. */
  maxAppid?: number;
  /**
   * Shares of apps whose appid is a multiple of ten, by type; others get an id between. Default: 94 % of all. Real shares:
   * {@link realTenShares}.
   */
  tenShares?: Partial<Record<AppType, number>>;
  /** Steam's current change number at the start; the apps' own lie below. Default 36,000,000. */
  changeNumber?: number;
  /** The share of apps with one of the odd shapes found in real payloads. Default 0.08. */
  oddShare?: number;
  /**
   * The share of apps that answer in full only with a token, and of those whose token is denied. Defaults 0.03, 0.03.
   */
  tokenShare?: number;
  deniedShare?: number;
  /** Whether apps may have a tag that Steam has no name for. Default true. */
  hasNamelessTag?: boolean;
  /** Appids that no generated app gets. */
  reserved?: readonly number[];
}

/** Counted in real data: 99.95 % of 124,356 games, and of 1,690 apps of all types. */
export const realTenShares: Partial<Record<AppType, number>> = {
  game: 0.9995,
  dlc: 0.65,
  tool: 0.94,
  demo: 1,
  beta: 1,
};

const defaultChangeNumber = 36_000_000;
/** Change numbers of the apps reach back this far, about ten months at 20,600 a day. */
const changeNumberSpan = 6_000_000;

/**
 * A catalog of made-up apps. The same options give the same apps and, after the same changes, the same texts on every
 * machine; texts are generated on request, so that large catalogs stay small in memory.
 */
export function generateCatalog(options: GenerateOptions): Catalog {
  const { seed, changeNumber = defaultChangeNumber, tokenShare = 0.03, deniedShare = 0.03 } = options;
  const catalog = createCatalog(changeNumber);
  for (const plan of planApps(options)) {
    const random = createRandom(seed, plan.appid, 2);
    const access = random.weighted<Access>([
      [tokenShare, "token"],
      [deniedShare, "denied"],
      [1 - tokenShare - deniedShare, "public"],
    ]);
    catalog.add({
      appid: plan.appid,
      name: plan.name,
      changeNumber: changeNumber - Math.floor(random.next() ** 2 * changeNumberSpan),
      access,
      listKind: access === "public" ? listKindOf(plan.type) : null,
      text: (version) => generateText(plan, version),
    });
  }
  return catalog;
}

/** Games, each followed by its DLC, demos and the like, then some apps that belong to no game. */
function planApps(options: GenerateOptions): AppPlan[] {
  const {
    seed,
    count,
    maxAppid = count * 25,
    oddShare = 0.08,
    tenShares,
    reserved = [],
    hasNamelessTag = true,
  } = options;
  const random = createRandom(seed);
  const appids = spreadAppids(random, count, maxAppid, new Set(reserved));
  const appidOf = tenShares
    ? placeByType(seed, maxAppid / count, tenShares)
    : (_: AppType, index: number) => appids[index];
  const plans: AppPlan[] = [];
  const add = (type: AppType, name: string, belongsTo: AppPlan | null): AppPlan => {
    const appid = appidOf(type, plans.length) as number;
    const studio = belongsTo ? belongsTo.developers : studios(random);
    const plan: AppPlan = {
      seed,
      appid,
      type,
      name,
      parent: belongsTo?.appid ?? null,
      dlc: [],
      demos: [],
      developers: studio,
      publishers: belongsTo ? belongsTo.publishers : random.chance(0.6) ? studio : [studioName(random)],
      franchise: belongsTo ? belongsTo.franchise : random.chance(0.08) ? properName(random) : null,
      isOdd: random.chance(oddShare),
      hasNamelessTag,
    };
    plans.push(plan);
    return plan;
  };

  while (plans.length < count) {
    const type = random.weighted<AppType>([
      [80, "game"],
      [6, "application"],
      [6, "config"],
      [5, "tool"],
      [3, "video"],
    ]);
    const game = add(type, gameTitle(random), null);
    if (type !== "game") continue;
    for (const companion of companions(random)) {
      if (plans.length >= count) break;
      const app = add(companion, companionTitle(random, companion, game.name), game);
      if (companion === "dlc") game.dlc.push(app.appid);
      if (companion === "demo") game.demos.push(app.appid);
    }
  }
  return plans;
}

function companions(random: Random): AppType[] {
  const list: AppType[] = [];
  if (random.chance(0.2)) list.push(...Array<AppType>(random.int(1, random.chance(0.1) ? 12 : 3)).fill("dlc"));
  if (random.chance(0.2)) list.push("demo");
  if (random.chance(0.12)) list.push("music");
  if (random.chance(0.06)) list.push("beta");
  if (random.chance(0.12)) list.push("tool");
  return list;
}

function studios(random: Random): string[] {
  const list = [studioName(random)];
  if (random.chance(0.1)) list.push(studioName(random));
  return list;
}

/** Ascending, from 10, evenly spread with jitter; nearly all are multiples of 10. */
function spreadAppids(random: Random, count: number, maxAppid: number, reserved: ReadonlySet<number>): number[] {
  const step = maxAppid / count;
  if (step < 1) throw new Error(`${count} apps do not fit below appid ${maxAppid}.`);
  let last = 0;
  return Array.from({ length: count }, (_, index) => {
    const wanted = (index + random.next()) * step;
    const rounded = step >= 10 && !random.chance(0.06) ? Math.ceil(wanted / 10) * 10 : Math.ceil(wanted);
    const roomLeft = maxAppid - (count - index - 1);
    last = Math.min(index === 0 ? 10 : Math.max(rounded, last + 1), roomLeft);
    while (reserved.has(last)) last += 1;
    return last;
  });
}

/** Ascending and evenly spread, by the shares of {@link GenerateOptions.tenShares}. */
function placeByType(seed: number, step: number, shares: Partial<Record<AppType, number>>) {
  const random = createRandom(seed, 3);
  let last = 0;
  return (type: AppType, index: number): number => {
    const isTen = random.chance(shares[type] ?? 0.94);
    const wanted = Math.max(last + 1, Math.ceil((index + random.next()) * step));
    last = isTen ? Math.ceil(wanted / 10) * 10 : wanted % 10 === 0 ? wanted + 1 : wanted;
    return last;
  };
}
