import { setTimeout as delay } from "node:timers/promises";
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
  /** Apps that were removed at some time, also those that came back. */
  readonly everRemoved: ReadonlySet<number>;
  /** Apps added since the start. */
  readonly added: number;
  /** Announces this many changes per second until `stop`. */
  start(perSecond: number): void;
  /** Announces nothing for a while, and what was due at its end. */
  pause(ms: number): Promise<void>;
  stop(): void;
}

/** A few apps change all the time, so that new changes come while their work is under way. */
const busyApps = 6;
/**
 * Most apps that are gone at a time, as a share: fewer than MAX_SHRINK, since more are not believed to be gone.
 */
const maxRemovedShare = 0.02;
const tickMs = 100;

export function createTraffic(catalog: Catalog, seed: number): Traffic {
  const random = createRandom(seed, 1);
  const removed = new Map<number, CatalogApp>();
  let present = [...catalog.apps.keys()];
  const busy = random.sample(present, busyApps);
  const everRemoved = new Set<number>();
  const maxRemoved = Math.floor(present.length * maxRemovedShare);
  let paused = false;
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
    if (!app || busy.includes(appid) || removed.size >= maxRemoved) return change(appid);
    catalog.remove(appid);
    removed.set(appid, app);
    everRemoved.add(appid);
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

  const traffic: Traffic = {
    removed,
    everRemoved,
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
        while (!paused && changes < due) traffic.step();
      }, tickMs);
    },
    async pause(ms: number) {
      paused = true;
      await delay(ms);
      paused = false;
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
