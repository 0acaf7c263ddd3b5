import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { hasBrowser, launchBrowser, otherMachine, watchPage } from "../../support/browser.ts";
import { openTestDatabase } from "../../support/databases.ts";
import { freePort } from "../../support/free-port.ts";
import { startService } from "../../support/service.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../../support/steam/child.ts";
import { serve } from "../api/harness.ts";

/** The dashboard in a real browser, with the service as a process and a simulated Steam. */

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const hostileName = "<img src=x onerror=alert(1)>";
const phone = { width: 390, height: 844 };

describe.skipIf(!hasBrowser)("the dashboard", () => {
  let browser: Browser;
  let steam: ForkedSteam;
  beforeAll(async () => {
    steam = await forkSimulatedSteam({ generate: { seed: 11, count: 400, maxAppid: 12_000 } });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await steam?.close();
  });

  async function openPage(
    base: string,
    options: Parameters<Browser["newContext"]>[0] = {},
  ): Promise<{ page: Page; faults: string[] }> {
    const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...options });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const faults = watchPage(page, base);
    await page.goto(`${base}/`);
    return { page, faults };
  }
  const textOf = (page: Page, selector: string) => page.locator(selector).textContent();
  const until = (page: Page, selector: string, text: string | RegExp) =>
    page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: 20_000 });
  async function seriousIssues(page: Page): Promise<string[]> {
    await page.evaluate(axeSource);
    return await page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await axe.run();
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    });
  }

  test("updates the progress of a bulk sync without a reload, on the embedded database", async () => {
    const database = await openTestDatabase("pglite");
    onTestFinished(() => database.close());
    await database.lend(async () => {
      // Slow enough to be still running when the browser is there.
      const env = { BULK_REQUEST_DELAY: "0.4", BULK_BATCH_SIZE: "20", APP_ID_MAX: "12000" };
      const service = startService({ args: ["bulk-sync"], steam, database, env });
      // Also after a failed assertion: the folder cannot be opened again before.
      await using _ = { [Symbol.asyncDispose]: async () => void (await service.stop()) };
      const { page, faults } = await openPage(await service.url());
      await page.evaluate('document.body.dataset.loaded = "once"');
      const done = async () => Number((await page.locator("#bulk-bar").getAttribute("value")) ?? 0);
      await expect.poll(done, { timeout: 20_000 }).toBeGreaterThan(0);
      const before = await done();
      await expect.poll(done, { timeout: 20_000 }).toBeGreaterThan(before);
      await until(page, "#types li", "game");
      expect(await page.evaluate("document.body.dataset.loaded")).toBe("once");
      expect(await page.locator("#throughput canvas").count()).toBe(1);
      expect(faults).toEqual([]);
    });
  });

  test("shows changes as they are stored, hostile names as text, after a restart too, accessibly", async () => {
    const database = await openTestDatabase("postgres");
    onTestFinished(() => database.close());
    const bulk = startService({ args: ["bulk-sync"], steam, database, env: { BULK_REQUEST_DELAY: "0" } });
    onTestFinished(() => bulk.stop());
    expect((await bulk.exited).code).toBe(0);
    const env = {
      MODE: "change_monitor",
      POLL_INTERVAL: "0.5",
      BULK_REQUEST_DELAY: "0",
      PORT: String(await freePort()),
    };
    let service = startService({ steam, database, env });
    onTestFinished(() => service.stop());
    await service.until("/health", ({ status }) => status === "ok");
    // The report of another worker on the same database.
    const loading = {
      bulk: { phase: "syncing", done: 80, failed: 2, unknown: 8, total: 360, share: 0.25, eta_seconds: 75 },
    };
    await database.sql("insert into workers (id, mode, snapshot, seen_at) values ($1, 'bulk_sync', $2, now())", [
      randomUUID(),
      JSON.stringify(loading),
    ]);
    const { page, faults } = await openPage(await service.url());
    await until(page, "#connection", "live");
    await until(page, "#health", "ok");
    expect(await textOf(page, "#monitor-figures")).toContain("polls");
    await until(page, "#figures", "Size of the tables");

    // Apps whose app info is complete.
    const whole = await database.sql<{ appid: number }>(
      "select appid from sync_status where not missing_token order by 1 limit 2",
    );
    const [appid = 0, other = 0] = whole.map((row) => row.appid);
    // With depots, since an app that has had a build does not lose all of them.
    const text = (name: string) =>
      `"appinfo"\n{\n\t"appid"\t\t"${appid}"\n\t"common"\n\t{\n\t\t"name"\t\t"${name}"\n\t\t"type"\t\t"game"\n\t}\n\t"depots"\n\t{\n\t\t"branches"\n\t\t{\n\t\t}\n\t}\n}\n`;
    const msUntilShown = async (name: string) => {
      await steam.call("change", appid, text(name));
      const stored = () => database.sql("select 1 as found from apps where name = $1", [name]);
      await expect.poll(stored, { interval: 20, timeout: 10_000 }).toHaveLength(1);
      const storedAt = performance.now();
      await until(page, "#changes strong", name);
      return performance.now() - storedAt;
    };
    const waits = [await msUntilShown(hostileName)];
    // Within a second of being stored, in one of three attempts: the machine may be busy.
    while (Math.min(...waits) >= 1_000 && waits.length < 3)
      waits.push(await msUntilShown(`${hostileName} ${waits.length}`));
    expect(Math.min(...waits)).toBeLessThan(1_000);
    expect(await page.locator("img").count()).toBe(0);
    expect(await textOf(page, "#changes")).toContain(hostileName);
    // Ids are shown as names.
    const [category] = await database.sql<{ name: string }>(
      `select name from steam_categories where category_id in (
         select jsonb_array_elements_text(old)::integer from app_changes where appid = $1 and field = 'categories') limit 1`,
      [appid],
    );
    expect(await page.locator("#changes del").allTextContents()).toContain(category?.name);
    await until(page, "#worker-list li", "bulk sync: syncing, 80 of 360, 75 s left");
    expect(await page.locator("#worker-list progress").getAttribute("value")).toBe("0.25");

    const shots = process.env.SCREENSHOTS;
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      expect(await seriousIssues(page)).toEqual([]);
      if (shots) await page.screenshot({ path: `${shots}/${colorScheme}.png` });
    }
    await page.setViewportSize(phone);
    if (shots) await page.screenshot({ path: `${shots}/phone.png`, fullPage: true });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(phone.width);
    expect(await seriousIssues(page)).toEqual([]);
    expect(faults).toEqual([]);

    // An orderly stop releases the leader lease, so that the next process need not wait for it to expire.
    service.kill("SIGTERM");
    expect((await service.exited).code).toBe(0);
    await until(page, "#connection", "reconnecting");
    // The browser reports the lost connection; nothing else may be reported.
    const others = faults.filter(
      (fault) => !/ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/.test(fault),
    );
    expect(others).toEqual([]);
    service = startService({ steam, database, env });
    await until(page, "#connection", "live");
    await steam.call("change", other, text("After the restart").replace(String(appid), String(other)));
    await until(page, "#changes strong", "After the restart");
  });

  test("shows the collector, a library import, connection errors and failing apps", async () => {
    const progress = {
      failed: 0,
      rate_per_minute: 59.8,
      eta_seconds: 7_800,
      endpoints: [],
      last_error: null,
      next_run_at: null,
    };
    const games = { pending: 0, success: 0, failed: 0, not_found: 0 };
    const { base } = await serve(null, {}, onTestFinished, {
      steam: {
        connected: false,
        connected_since: null,
        reconnect_attempts: 7,
        last_error: "no server answers",
        requests: {
          changes: 0,
          metadata: 0,
          product_info: 0,
          access_tokens: 0,
          tag_names: 0,
          category_names: 0,
          http_payload: 0,
        },
      },
      collector: { ...progress, phase: "details", done: 50, total: 200, games },
      library: { phase: "igdb_enrichment", done: 30, total: 40 },
      failing_apps: [{ appid: 620, name: null, attempts: 4, error: hostileName, next_attempt_at: null }],
      loops: [{ name: "collector", state: "running", last_progress_at: new Date().toISOString(), limit_ms: 60_000 }],
    });
    const { page, faults } = await openPage(base);
    await until(page, "#health", "degraded");
    expect(await textOf(page, "#reasons")).toBe("Steam is unreachable: no server answers");
    expect(await textOf(page, "#figures")).toMatch(/Steamdisconnected.*Reconnects7.*no server answers/);
    expect(await page.locator("#collector-bar").getAttribute("value")).toBe("0.25");
    expect(await textOf(page, "#collector-figures")).toMatch(/details.*Time left2 h 10 min.*Per minute59.8/);
    expect(await page.locator("#library-bar").getAttribute("value")).toBe("0.75");
    expect(await textOf(page, "#failing-list")).toBe(`App 620 620, 4 attempts: ${hostileName}`);
    expect(
      await page.locator("#bulk, #monitor, #workers").evaluateAll((all) => all.map(({ hidden }) => hidden)),
    ).toEqual([true, true, true]);
    expect(await seriousIssues(page)).toEqual([]);
    expect(faults).toEqual([]);
  });

  test("requires the API key, and serves JSON to clients that do not accept HTML", async () => {
    const database = await openTestDatabase("postgres");
    onTestFinished(() => database.close());
    const service = startService({ steam, database, env: { MODE: "change_monitor", API_KEY: "dashboard-key-0123" } });
    onTestFinished(() => service.stop());
    const base = await service.url();
    const accept = { accept: "text/html" };
    expect((await fetch(`${base}/`, { headers: accept })).status).toBe(401);
    expect((await fetch(`${base}/dashboard/stream`)).status).toBe(401);
    const { page, faults } = await openPage(base, {
      httpCredentials: { username: "any", password: "dashboard-key-0123", origin: base },
    });
    await until(page, "#connection", "live");
    expect(faults).toEqual([]);
    const list = await fetch(`${base}/`, { headers: { authorization: "Bearer dashboard-key-0123" } });
    expect(await list.json()).toMatchObject({ endpoints: { "/": "the dashboard, in a browser" } });
    const html = await fetch(`${base}/`, { headers: { ...accept, authorization: "Bearer dashboard-key-0123" } });
    expect(html.headers.get("content-security-policy")).toMatch(
      /default-src 'none'.*require-trusted-types-for 'script'/,
    );
  });

  test("serves /docs over plain HTTP to other machines: each operation, tried out, without console errors", async () => {
    const { base, get } = await serve(null, { apiKey: "secret-key-0123456789" });
    const remote = base.replace("127.0.0.1", otherMachine);
    const httpCredentials = { username: "any", password: "secret-key-0123456789", origin: remote };
    const { page, faults } = await openPage(remote, { httpCredentials });
    await page.goto(`${remote}/docs`);
    expect(await page.evaluate("isSecureContext")).toBe(false);
    const operations = page.locator(".opblock");
    await operations.first().waitFor();
    const document = await get("/docs/json", { "x-api-key": "secret-key-0123456789" });
    const { paths } = (await document.json()) as { paths: Record<string, object> };
    expect(await operations.count()).toBe(Object.values(paths).flatMap((methods) => Object.keys(methods)).length);
    expect(await page.title()).toBe("Steam catalog API");

    await page.locator("#operations-API-listEndpoints .opblock-summary-control").click();
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await until(page, ".live-responses-table .response-col_status", "200");
    expect(faults).toEqual([]);
  });
});
