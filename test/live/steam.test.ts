import { existsSync } from "node:fs";
import http from "node:http";
import { getProxyForUrl } from "proxy-from-env";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { extractApp } from "../../src/catalog/extract.ts";
import { runChecks } from "../../src/doctor/check.ts";
import { steamChecks } from "../../src/doctor/steam-facts.ts";
import { applyProxySettings } from "../../src/process/proxy.ts";
import { createPics, type ProductInfoReply } from "../../src/steam/pics.ts";
import type { Pics } from "../../src/steam/port.ts";
import { createSteamSession, type SteamSession } from "../../src/steam/session.ts";
import { storeAppids } from "../../src/web/app-list.ts";
import { openWebClient } from "../support/sync.ts";
import { silent } from "../support/templates.ts";

/** Assumptions of the service about the real Steam: some twenty requests, a second apart. */
if (existsSync(".env.integration")) process.loadEnvFile(".env.integration");
const { LIVE_STEAM, STEAM_API_KEY } = process.env;
const timeoutMs = 30_000;

describe.skipIf(LIVE_STEAM !== "true")("Steam (skipped unless LIVE_STEAM=true)", () => {
  let session: SteamSession;
  let pics: Pics;
  let reply: readonly ProductInfoReply[] = [];

  beforeAll(async () => {
    applyProxySettings();
    session = createSteamSession({
      proxyUrl: getProxyForUrl("https://api.steampowered.com") || undefined,
      logger: silent,
      reconnectMaxDelayMs: 10_000,
      requestTimeoutMs: timeoutMs,
    });
    pics = createPics({
      session,
      logger: silent,
      requestDelayMs: 1_000,
      concurrency: 1,
      timeoutMs,
      onReply(kind, messages) {
        if (kind === "metadata" || kind === "product_info") reply = messages as ProductInfoReply[];
      },
    });
    session.start();
    await pics.ready(AbortSignal.timeout(timeoutMs));
  });
  afterAll(() => session.stop());

  it("sends the current change number, and lists recent changes without force flags", async () => {
    const { currentChangeNumber, apps } = await pics.changesSince(0);
    expect(currentChangeNumber).toBeGreaterThan(37_000_000);
    expect(apps).toEqual([]);
    const recent = await pics.changesSince(currentChangeNumber - 200);
    expect(recent).toMatchObject({ forceFullUpdate: false, forceFullAppUpdate: false });
    expect(recent.apps.length).toBeGreaterThan(0);
  });

  it("sends app info that the extractor reads", async () => {
    const { apps, unknown } = await pics.productInfo([{ appid: 620 }, { appid: 570 }, { appid: 2_147_483_647 }]);
    expect(unknown).toEqual([2_147_483_647]);
    const names = apps.map(({ appid, text, onlyPublic }) => extractApp(appid, text ?? "", onlyPublic).record.name);
    expect(names.sort()).toEqual(["Dota 2", "Portal 2"]);
  });

  it("meets the assumptions that `doctor` measures", async () => {
    const { signal } = new AbortController();
    const checks = steamChecks({
      pics,
      lastReply: () => reply,
      isLoggedOn: () => true,
      limitMs: 2 * timeoutMs,
      signal,
    });
    const outcomes = await runChecks([{ title: "Steam", checks }], { signal, onOutcome: () => {} });
    const otherwise = outcomes.filter(({ result }) => result === "warning" || result === "failed");
    expect(otherwise.map(({ name, summary }) => `${name}: ${summary}`)).toEqual([]);
  }, 300_000);
});

it.skipIf(!STEAM_API_KEY)(
  "storeAppids pages through the store's app list (skipped without STEAM_API_KEY)",
  async () => {
    http.setGlobalProxyFromEnv();
    for await (const page of storeAppids(openWebClient(), STEAM_API_KEY ?? "", AbortSignal.timeout(60_000))) {
      expect(page.length).toBeGreaterThan(10_000);
      break;
    }
  },
);
