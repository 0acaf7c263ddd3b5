import { describe, expect, it } from "vitest";
import { createSteamLookup } from "../../../src/commands/steam-lookup.ts";
import { SteamError } from "../../../src/process/errors.ts";
import type { AppPayload, AppRequest } from "../../../src/steam/port.ts";

type Context = Parameters<typeof createSteamLookup>[0];

function payload(appid: number, common: string, more: Partial<AppPayload> = {}): AppPayload {
  const text = `"appinfo" { "appid" "${appid}" "common" { ${common} } }`;
  return { appid, changeNumber: 1, missingToken: false, onlyPublic: false, text, bytes: null, error: null, ...more };
}

/** A lookup over a Steam that answers each request with `answer`. */
function lookupOver(answer: (apps: readonly AppRequest[]) => AppPayload[]) {
  const steam = { opened: 0, started: 0, stopped: 0, requests: [] as number[], warnings: [] as string[] };
  const stopping = new AbortController();
  const context = {
    logger: { warn: (_: object, text: string) => steam.warnings.push(text) },
    lifecycle: { signal: stopping.signal },
  } as unknown as Context;
  const open = async () => {
    steam.opened += 1;
    return {
      session: {
        start() {
          steam.started += 1;
        },
        async stop() {
          steam.stopped += 1;
        },
      },
      pics: {
        async productInfo(apps: readonly AppRequest[]) {
          steam.requests.push(apps.length);
          return { apps: answer(apps), unknown: [] };
        },
      },
    };
  };
  return { steam, stopping, lookup: createSteamLookup(context, { open }) };
}

describe("the lookup of apps in Steam", () => {
  it("returns type, name and year of the first release, for apps whose type can be read", async () => {
    const { lookup, steam } = lookupOver(() => [
      payload(10, `"type" "Game" "name" "Ten" "steam_release_date" "1460000000" "original_release_date" "946684800"`),
      payload(20, `"type" "demo" "steam_release_date" "1460000000"`, { onlyPublic: true }),
      payload(30, `"name" "No type"`),
      payload(40, "", { text: null, error: "no buffer" }),
      payload(50, "", { text: "no KeyValues" }),
    ]);
    expect(await lookup([10, 20, 30, 40, 50, 60])).toEqual([
      { appid: 10, type: "game", name: "Ten", release_year: 2000 },
      { appid: 20, type: "demo", name: null, release_year: 2016 },
    ]);
    expect(steam).toMatchObject({ opened: 1, started: 1, warnings: [] });
  });

  it("asks for 200 apps at a time, over one session", async () => {
    const { lookup, steam } = lookupOver((apps) => apps.map(({ appid }) => payload(appid, `"type" "Game"`)));
    const appids = Array.from({ length: 401 }, (_, index) => index + 1);
    expect((await lookup(appids)).map(({ appid }) => appid)).toEqual(appids);
    await lookup([1]);
    expect(steam).toMatchObject({ opened: 1, started: 1, requests: [200, 200, 1, 1] });
  });

  it("keeps what it has when Steam fails, warns once, closes the session and asks nothing more", async () => {
    const { lookup, steam } = lookupOver((apps) => {
      if (steam.requests.length > 1) throw new SteamError("timeout", "no reply");
      return apps.map(({ appid }) => payload(appid, `"type" "Game"`));
    });
    const appids = Array.from({ length: 300 }, (_, index) => index + 1);
    expect(await lookup(appids)).toHaveLength(200);
    expect(await lookup([1])).toEqual([]);
    expect(steam).toMatchObject({ stopped: 1, requests: [200, 100] });
    expect(steam.warnings).toEqual([expect.stringContaining("(no reply)")]);
  });

  it("throws when the process is stopped", async () => {
    const { lookup, stopping, steam } = lookupOver(() => {
      stopping.abort(new Error("SIGTERM"));
      throw new SteamError("disconnected", "closed");
    });
    await expect(lookup([1])).rejects.toThrow("SIGTERM");
    expect(steam.warnings).toEqual([]);
  });
});
