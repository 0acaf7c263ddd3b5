import { listKinds } from "../../../src/web/app-list.ts";
import { generateCatalogue } from "../steam/generate.ts";
import type { WebRoute } from "../steam/proxy.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../steam/simulated-steam.ts";
import { createSimulatedAppList } from "../web/app-list.ts";
import { createSimulatedSteamSpy } from "../web/steamspy.ts";
import { asRoutes } from "../web/web-api.ts";
import type { Day } from "./collector-world.ts";

/** A request of the collector. */
export type Asked =
  /** `isLast`: no list is asked for after it. */
  | { kind: "app_list"; list: string; after: number; isLast: boolean }
  | { kind: "all"; page: number }
  | { kind: "appdetails"; appid: number };

/** The store's app list and SteamSpy, and what was asked of them. */
export interface CollectorWeb extends Pick<SimulatedSteam, "env"> {
  serve(day: Day): void;
  /** What was asked since the last call. */
  taken(): Asked[];
  /** Sees every request from now on: before it is answered, unless `null` keeps the answer back for ever, and when it was. */
  watch(watcher: Watcher | null): void;
  close(): Promise<void>;
}

export interface Watcher {
  asked(request: Asked): "answer" | "silence";
  answered(request: Asked): void;
}

/** Small, so that a list of some thousands has several pages. */
export const listPageSize = 250;

export async function startCollectorWeb(): Promise<CollectorWeb> {
  const list = createSimulatedAppList({ pageSize: listPageSize });
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
        if (watching?.asked(asked) === "silence") return;
        await handle(request, response);
        watching?.answered(asked);
      },
    };
  }

  const steam = await startSimulatedSteam({
    catalogue: generateCatalogue({ seed: 1, count: 1 }),
    routes: asRoutes(spy, list).map(watched),
  });
  return {
    env: steam.env,
    serve({ lists, dump }) {
      list.lists = lists;
      spy.dump = dump;
    },
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
