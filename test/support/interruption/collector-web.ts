import { listKinds } from "../../../src/web/app-list.ts";
import { type GenerateOptions, generateCatalog } from "../steam/generate.ts";
import type { WebRoute } from "../steam/proxy.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../steam/simulated-steam.ts";
import { createSimulatedAppList, type SimulatedAppList } from "../web/app-list.ts";
import { createSimulatedSteamSpy, type SimulatedSteamSpy } from "../web/steamspy.ts";
import { asRoutes } from "../web/web-api.ts";

/** A request of the collector. */
export type Asked =
  /** `isLast`: the last list request of the run. */
  | { kind: "app_list"; list: string; after: number; isLast: boolean }
  | { kind: "all"; page: number }
  | { kind: "appdetails"; appid: number };

export interface CollectorWebOptions {
  /** The key that the store accepts. Default: any. */
  apiKey?: string;
  /** The catalog of the simulated Steam. Default: almost empty. */
  catalog?: GenerateOptions;
}

/** The store's app list and SteamSpy behind a simulated Steam, with a log of requests. */
export interface CollectorWeb extends Pick<SimulatedSteam, "env"> {
  list: SimulatedAppList;
  spy: SimulatedSteamSpy;
  /** Requests since the last call. */
  taken(): Asked[];
  /** Observes every request from now on. */
  watch(watcher: Watcher | null): void;
  close(): Promise<void>;
}

export interface Watcher {
  /** The answer waits for the returned promise. */
  asked?(request: Asked): unknown;
  answered?(request: Asked): void;
}

/** Small, so that a list of some thousands has several pages. */
export const listPageSize = 250;

export async function startCollectorWeb({ apiKey, catalog }: CollectorWebOptions = {}): Promise<CollectorWeb> {
  const list = createSimulatedAppList({ pageSize: listPageSize, ...(apiKey !== undefined && { apiKey }) });
  const spy = createSimulatedSteamSpy();
  let calls: Asked[] = [];
  let watcher: Watcher | null = null;

  function watched({ handle, ...route }: WebRoute): WebRoute {
    return {
      ...route,
      async handle(request, response) {
        const asked = read(request.url.searchParams);
        calls.push(asked);
        const watching = watcher;
        await watching?.asked?.(asked);
        await handle(request, response);
        watching?.answered?.(asked);
      },
    };
  }

  const steam = await startSimulatedSteam({
    catalog: generateCatalog(catalog ?? { seed: 1, count: 1 }),
    routes: asRoutes(spy, list).map(watched),
  });
  return {
    env: steam.env,
    list,
    spy,
    taken() {
      const taken = calls;
      calls = [];
      return taken;
    },
    watch(next) {
      watcher = next;
    },
    close: () => steam.close(),
  };
}

function read(query: URLSearchParams): Asked {
  if (query.get("request") === "all") return { kind: "all", page: Number(query.get("page")) };
  if (query.get("request") === "appdetails") return { kind: "appdetails", appid: Number(query.get("appid")) };
  const list = listKinds.filter((kind) => query.get(`include_${kind}`) === "true").join();
  return { kind: "app_list", list, after: Number(query.get("last_appid")), isLast: list === listKinds.at(-1) };
}
