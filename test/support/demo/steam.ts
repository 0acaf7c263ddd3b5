import { setTimeout as delay } from "node:timers/promises";
import { listKindOf } from "../steam/catalog.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../steam/child.ts";
import { demoApps, demoText } from "./apps.ts";
import { story } from "./story.ts";

/** The simulated Steam of the demo, and what happens to it. */
export interface DemoSteam extends Pick<ForkedSteam, "env" | "close"> {
  /** Makes some apps fail for good, each for one of three causes. */
  failApps(): Promise<void>;
  /** Resolves once the address answers with 200. */
  untilReady(url: string, signal: AbortSignal): Promise<void>;
  /** Lets things happen until the signal aborts. */
  changes(signal: AbortSignal): Promise<void>;
  /** Steam goes away once, while the first load runs. */
  outageDuringLoad(signal: AbortSignal): Promise<void>;
  /** Steam goes away again and again; `say` gets a sentence each time. */
  outages(signal: AbortSignal, say: (text: string) => void): Promise<void>;
}

const storyMs = 4_000;
/** About Steam's own rate, 20,600 changes a day. */
const otherChangeMs = 4_200;
const readyPollMs = 500;
const failingApps = 12;
const loadOutageMs = 8_000;
const outageMs = 30_000;
const firstOutageAfterMs = 15_000;
const nextOutageAfterMs = 90_000;

export async function startDemoSteam(count: number): Promise<DemoSteam> {
  const named = demoApps.slice(0, count - 1);
  const steam = await forkSimulatedSteam({
    generate: { seed: 1, count: count - named.length, maxAppid: 25 * count, hasNamelessTag: false },
    apps: named.map((app) => ({
      appid: app.appid,
      text: demoText(app),
      name: app.name,
      // On a list all of them, so that they are found beyond the end of the sweep.
      listKind: listKindOf(app.type.toLowerCase()) ?? "dlc",
    })),
    steamSpy: true,
    latencyMs: 50,
    keepRequests: false,
  });
  /** No connection for a while, and the present one ends. */
  const goAway = async (ms: number) => {
    await steam.call("addFault", { kind: "unreachable", until: Date.now() + ms });
    await steam.call("disconnectAll");
  };

  return {
    // The sweep of all ids up to those of the named apps would take longer than the rest of the load.
    env: { ...steam.env, APP_ID_MAX: String(25 * count) },
    close: () => steam.close(),
    async failApps() {
      const known = new Set(demoApps.map(({ appid }) => appid));
      const appids = (await steam.call("appids")).filter((appid) => !known.has(appid));
      const step = Math.max(1, Math.floor(appids.length / failingApps));
      for (const [index, appid] of appids
        .filter((_, at) => at % step === 0)
        .slice(0, failingApps)
        .entries()) {
        const answers = [{ changeNumber: 36_000_000, text: `"appinfo"\n{\n\t"appid"\t\t"1"\n}\n` }];
        const kinds = [{ kind: "truncated" }, { kind: "no_buffer" }, { kind: "answered_with", answers }] as const;
        const fault = kinds[index % kinds.length];
        if (fault) await steam.call("addFault", { ...fault, ...("answers" in fault && { answers }), appids: [appid] });
      }
    },
    async untilReady(url, signal) {
      for (;;) {
        const reply = await fetch(url, { signal }).catch(() => null);
        if (reply?.ok) return;
        await delay(readyPollMs, undefined, { signal });
      }
    },
    async changes(signal) {
      const happenings = story();
      const tell = async () => {
        for (;;) {
          const { value } = happenings.next();
          if (value.kind === "change") await steam.call("change", value.appid, value.text);
          else await steam.call("list", value.appid, value.isListed ? "games" : null);
          await delay(storyMs, undefined, { signal });
        }
      };
      const others = async () => {
        for (;;) {
          await steam.call("changeRandom", 1);
          await delay(otherChangeMs, undefined, { signal });
        }
      };
      await Promise.all([tell(), others()]);
    },
    async outageDuringLoad(signal) {
      while ((await steam.call("stats")).appsServed < count / 3) await delay(100, undefined, { signal });
      await goAway(loadOutageMs);
    },
    async outages(signal, say) {
      await delay(firstOutageAfterMs, undefined, { signal });
      for (;;) {
        say(`\nSteam goes away for ${outageMs / 1_000} s.\n`);
        await goAway(outageMs);
        await delay(nextOutageAfterMs, undefined, { signal });
      }
    },
  };
}
