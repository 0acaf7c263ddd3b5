import type { Catalog, CatalogApp } from "../steam/catalog.ts";
import { createRandom } from "../steam/random.ts";

/** Generated changes at Steam: apps change, appear, disappear and reappear, and packages change. */
export interface Traffic {
  /** Announces one more change of an app, and occasionally one of a package as well. */
  step(): void;
  /** Changes of apps so far. */
  readonly changes: number;
  /** Apps removed from Steam. */
  readonly removed: ReadonlyMap<number, CatalogApp>;
  /** Apps added since the start. */
  readonly added: number;
  /** Announces this many changes per second until `stop`. */
  start(perSecond: number): void;
  stop(): void;
}

/** A few apps change all the time, so that new changes come while their work is under way. */
const busyApps = 6;
const tickMs = 100;

export function createTraffic(catalog: Catalog, seed: number): Traffic {
  const random = createRandom(seed, 1);
  const removed = new Map<number, CatalogApp>();
  let present = [...catalog.apps.keys()];
  const busy = random.sample(present, busyApps);
  let nextAppid = Math.max(...present) + 7;
  let changes = 0;
  let added = 0;
  let timer: NodeJS.Timeout | undefined;

  const change = (appid: number) => {
    if (catalog.apps.has(appid)) catalog.change(appid);
  };
  function add() {
    const appid = nextAppid;
    // Some new apps appear below the highest known id.
    nextAppid += random.int(1, 40);
    catalog.add({ appid, text: (version) => newAppText(appid, version) });
    present.push(appid);
    added += 1;
  }
  function remove() {
    const appid = random.pick(present);
    const app = catalog.apps.get(appid);
    if (!app || busy.includes(appid)) return change(appid);
    catalog.remove(appid);
    removed.set(appid, app);
    present = present.filter((each) => each !== appid);
  }
  function bringBack() {
    const [gone] = random.sample([...removed.values()], 1);
    if (!gone) return add();
    const { appid, text, access } = gone;
    catalog.add({ appid, text, access });
    removed.delete(appid);
    present.push(appid);
  }

  const traffic = {
    removed,
    get changes() {
      return changes;
    },
    get added() {
      return added;
    },
    step() {
      changes += 1;
      random.weighted<() => void>([
        [65, () => change(random.pick(present))],
        [25, () => change(random.pick(busy))],
        [4, add],
        [3, remove],
        [3, bringBack],
      ])();
      if (random.chance(0.2)) catalog.changePackage(random.int(1, 500));
    },
    start(perSecond: number) {
      const startedAt = performance.now();
      const before = changes;
      timer = setInterval(() => {
        const due = before + ((performance.now() - startedAt) / 1_000) * perSecond;
        while (changes < due) traffic.step();
      }, tickMs);
    },
    stop() {
      clearInterval(timer);
    },
  };
  return traffic;
}

/** Every version differs from the one before in its name and its tags, and some also in a developer. */
function newAppText(appid: number, version: number): string {
  const tags = [19, 21, 492].slice(0, 1 + (version % 3)).map((tag, index) => `"${index}" "${tag}"`);
  return `"appinfo"
{
"appid" "${appid}"
"common"
{
"name" "Newcomer ${appid}, version ${version}"
"type" "${appid % 2 === 0 ? "game" : "DLC"}"
"store_tags"
{
${tags.join("\n")}
}
"associations"
{
"0"
{
"type" "developer"
"name" "Newcomers ${version % 5}"
}
}
}
}
`;
}
