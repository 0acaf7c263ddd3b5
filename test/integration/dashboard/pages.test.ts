import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { EventView } from "../../../src/catalog/event-views.ts";
import type { AppView } from "../../../src/catalog/views.ts";
import { hasBrowser, launchBrowser, seriousIssues, watchPage } from "../../support/browser.ts";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { generateRecords } from "../../support/steam/records.ts";
import { hostileName, serve } from "../api/harness.ts";
import { branch, type Catalog, catalogOf, deckVerdict, depot, fullRecord, manifest, record } from "../sql/catalog.ts";

/** The search, the page of an app and the lists, in a real browser over one database and without Steam. */

const desktop = { width: 1280, height: 820 };
const phone = { width: 390, height: 844 };
const apiKey = "pages-key-0123456789";
/** One pixel. */
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

describe.skipIf(!hasBrowser)("the pages of the catalog", () => {
  let browser: Browser;
  let database: TestDatabase;
  let catalog: Catalog;
  let base: string;
  const closing: (() => Promise<void>)[] = [];
  const later = (close: () => Promise<void>) => closing.unshift(close);

  beforeAll(async () => {
    [browser, database] = await Promise.all([launchBrowser(), openTestDatabase("postgres")]);
    catalog = catalogOf(() => database);
    await storeApps(catalog);
    ({ base } = await serve(database, {}, later));
  });
  afterAll(async () => {
    for (const close of closing) await close();
    await browser?.close();
    await database?.close();
  });

  async function openPage(path: string, from = base, options: BrowserContextOptions = {}) {
    const context = await browser.newContext({ viewport: desktop, timezoneId: "UTC", ...options });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    // A reply that is an error is logged by the browser itself.
    const all = watchPage(page, from);
    const faults = () => all.filter((fault) => !/Failed to load resource: the server responded/.test(fault));
    await page.goto(from + path);
    return { page, faults };
  }
  const addressOf = (page: Page) => page.url().slice(base.length);

  test("finds apps while one types, by keyboard alone, and opens an appid at once", async () => {
    const { page, faults } = await openPage("/apps");
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).search));
    const field = page.getByRole("combobox", { name: "Search apps by name or appid" });
    const options = page.locator("#search-options [role=option]");

    await page.keyboard.press("/");
    // Typed within the debounce: one request.
    await page.keyboard.type("l");
    await field.evaluate(typeOn, "antern harb");
    await expect
      .poll(() => options.allTextContents())
      .toEqual([
        "Lantern Harbourgame · 2904110 · Positive 78 %",
        "Lantern Harbour Soundtrackmusic · 2904111 · no longer available",
        "All apps named “lantern harb”",
      ]);
    expect(requests.filter((query) => /q=lant|q=.*harb/.test(query))).toEqual(["?q=lantern+harb&limit=8"]);
    expect(await field.getAttribute("aria-expanded")).toBe("true");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    const chosen = await field.getAttribute("aria-activedescendant");
    expect(await page.locator(`#${chosen}`).getAttribute("aria-selected")).toBe("true");
    expect(await seriousIssues(page)).toEqual([]);
    await page.keyboard.press("Escape");
    expect([await options.count(), await field.getAttribute("aria-expanded")]).toEqual([0, "false"]);
    await page.keyboard.type("o");
    await options.first().waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator("h1").textContent()).toBe("Lantern Harbour");
    expect(addressOf(page)).toBe("/app/2904110");

    await field.fill("onerror");
    await expect.poll(() => options.first().textContent()).toContain(hostileName);
    await field.fill("no such app");
    await page.getByText("No app is named “no such app”.").waitFor();
    for (const [text, address] of [
      ["2904110", "/app/2904110"],
      ["https://store.steampowered.com/app/2904111/Lantern_Harbour_Soundtrack/", "/app/2904111"],
      ["harbour", "/apps?q=harbour"],
    ] as const) {
      await field.fill(text);
      await field.press("Enter");
      await expect.poll(() => addressOf(page)).toBe(address);
    }
    await page.goBack();
    await expect.poll(() => page.locator("h1").textContent()).toBe("Lantern Harbour Soundtrack");
    expect(await page.locator("img").count()).toBe(0);
    expect(faults()).toEqual([]);
  });

  test("shows an app: what its codes mean and since when, tests, branches, depots and history, with links", async () => {
    const { page, faults } = await openPage("/app/2904110");
    await page.locator(".history li").first().waitFor();
    const textOf = (name: string) => shown(page.getByRole("region", { name, exact: true }));

    // The same question, asked of the API.
    const app = await json<AppView>("/v1/apps/2904110");
    const { data } = await json<{ data: EventView[] }>("/v1/events?appid=2904110&event=review_verdict&limit=1");
    const since = data[0]?.detected_at.replace("T", " ").slice(0, 19);
    expect([app.pics_review_score, data[0]?.old, data[0]?.new]).toEqual([7, 5, 7]);
    const { components } = await json<{ components: { schemas: Record<string, object> } }>("/docs/json");
    expect(JSON.stringify(components.schemas.App)).toContain("7 positive, 8 very positive");
    expect(await textOf("Reviews")).toMatch(
      new RegExp(
        `Verdict\\s+Positive · score 7, from 1 \\(worst\\) to 9 \\(best\\)\\s+Since\\s+${since} UTC, before: Mixed`,
      ),
    );

    expect(await shown(page.locator(".app-head"))).toMatch(
      /game · 2904110 · Foo Studio · released 2026-11-12[\s\S]*Positive 78 %\s+Deck Verified\s+SteamOS Compatible\s+Machine Playable\s+Windows\s+Linux[\s\S]*\+ 2[\s\S]*fresh: \d+ s ago\s+change 502/,
    );
    expect(await textOf("Compatibility")).toMatch(
      /Steam Deck Verified\s+✓ Shows the icons of the Deck's buttons\s+! Some text is small.*\s+SteamOS Compatible\s+✓ Starts and runs/,
    );
    expect(await textOf("Branches")).toMatch(/public\s+19602233 · 2026-11-20\s+staging \(password\)\s+19612001$/);
    expect(await textOf("Depots")).toMatch(
      /2904112 Content Linux · 64 bit · German\s+public 18446744073709551615 · 9007 TB/,
    );
    expect(await textOf("Facts")).toMatch(
      /Content warnings\s+frequent violence or gore[\s\S]*Languages\s+2, of which 1 with audio/,
    );
    const history = page.locator(".history");
    expect(await shown(history)).toMatch(
      /reviews\s+Reviews\s+Mixed → Positive[\s\S]*build\s+public\s+19588101 → 19602233/,
    );
    await page.getByRole("button", { name: "reviews" }).click();
    await expect.poll(() => shown(history)).not.toContain("19588101");
    await page.getByRole("button", { name: "every field" }).click();
    await expect.poll(() => shown(history)).toMatch(/Review percentage\s+61 → 78/);
    await page.getByRole("button", { name: "Show 2 more tags" }).click();
    const hrefs = await page.locator(".app-head a").evaluateAll((all) => all.map((each) => each.getAttribute("href")));
    expect(hrefs).toEqual([
      ...["492", "19", "21", "1664", "3839", "4182", "113", "4106"].map((id) => `/apps?tag=Tag+${id}`),
      ...["https://store.steampowered.com/app/2904110/", "https://steamdb.info/app/2904110/", "/v1/apps/2904110"],
    ]);
    await expectFit(page, "app");

    // What is stored while one reads is offered, and shown on demand.
    await catalog.store({ ...lantern, change_number: 503, pics_review_score: 8, pics_review_percentage: 80 });
    await page.getByRole("button", { name: "Show what is new" }).click();
    await expect.poll(() => shown(page.locator(".app-head"))).toContain("Very Positive 80 %");
    expect(faults()).toEqual([]);
  });

  test("says why an app is missing or incomplete, and what to do; a failed request can be repeated", async () => {
    const { page, faults } = await openPage("/app/2904111");
    const main = page.locator("main");
    await expect.poll(() => shown(main)).toMatch(/Removed: Steam no longer knows this app/);
    const notices = await page.locator(".notice p").allTextContents();
    expect(notices.map((text) => text.split(":")[0])).toEqual(["Removed", "Delisted", "Incomplete"]);
    expect(await shown(main)).toMatch(
      /belongs to Lantern Harbour\s[\s\S]*No change has been seen[\s\S]*Branches\s+JSON\s+– \(branches are not known\)[\s\S]*Verdict\s+– \(Steam gives none\)/,
    );
    await expectFit(page, "removed");
    for (const [path, text] of [
      ["/app/77", /App 77 is not stored[\s\S]*npm start -- fetch 77/],
      ["/app/half-life", /“half-life” is no appid/],
      ["/app/0", /“0” is no appid/],
      ["/apps?tag=Pozzle", /unknown tag "Pozzle"[\s\S]*Remove that filter above/],
      ["/apps?deck=unknown&type=music", /No app has all of this/],
    ] as const) {
      await page.evaluate(openLink, path);
      await expect.poll(() => shown(main)).toMatch(text);
    }
    const [rated] = await database.sql<{ appid: number }>(
      "select appid from apps where pics_review_score = 7 and appid < 10000 limit 1",
    );
    await page.evaluate(openLink, `/app/${rated?.appid}`);
    await expect.poll(() => shown(main)).toMatch(/Since\s+at least \d{4}-.{14} UTC, when the app was first stored/);
    await page.route("**/v1/apps/1", (route) => route.abort());
    await page.evaluate(openLink, "/app/1");
    await page.getByText("The service does not answer.").waitFor();
    await page.unroute("**/v1/apps/1");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect.poll(() => page.locator("h1").textContent()).toBe(hostileName);
    expect(faults().filter((fault) => !fault.includes("ERR_FAILED"))).toEqual([]);
  });

  test("lists apps by filters that can be added and removed, sorted, a page at a time", async () => {
    const { page, faults } = await openPage("/apps?type=game");
    const rows = page.locator(".rows > li");
    await expect.poll(() => rows.count()).toBe(50);
    const { by_type } = await json<{ by_type: { name: string; count: number }[] }>("/v1/summary");
    const games = by_type.find(({ name }) => name === "game")?.count ?? 0;
    await expect.poll(() => page.locator("h1").textContent()).toBe(`Apps ${games}`);
    await page.getByRole("button", { name: "Show 50 more" }).click();
    await page.getByText(`${games} apps: all of them`).waitFor();
    expect(await rows.count()).toBe(games);

    await page.getByLabel("Sort by").selectOption("best reviews");
    await expect.poll(() => addressOf(page)).toBe("/apps?type=game&sort=-reviews");
    await expect.poll(() => shown(rows.first())).toMatch(/Overwhelmingly Positive 9\d %/);
    await page.getByLabel("Add a filter by Steam Deck").selectOption("verified");
    await expect.poll(() => addressOf(page)).toBe("/apps?type=game&sort=-reviews&deck=verified");
    await page.getByRole("link", { name: "Remove the filter: game" }).click();
    await expect.poll(() => addressOf(page)).toBe("/apps?sort=-reviews&deck=verified");
    await rows.first().waitFor();
    expect(await shown(page.locator(".filter-chips"))).toBe("Deck: verified ×");
    await expectFit(page, "list");
    await rows.first().locator(".app-tags a").first().click();
    await expect.poll(() => addressOf(page)).toMatch(/&deck=verified&tag=\w/);
    const json50 = await page.getByRole("link", { name: "JSON" }).getAttribute("href");
    const { data } = await json<{ data: AppView[] }>(json50 ?? "");
    await expect.poll(() => rows.count()).toBe(data.length);
    expect(faults()).toEqual([]);
  });

  test("loads art from Steam only where it is switched on, and reads the API with the key of the page", async () => {
    const { base: other, server } = await serve(database, { art: true, history: false, apiKey }, later);
    expect((await server.inject({ url: "/app/2904110", headers: { accept: "text/html" } })).statusCode).toBe(401);
    const httpCredentials = { username: "any", password: apiKey, origin: other };
    const { page, faults } = await openPage("/app/77", other, { httpCredentials });
    await page.route("https://shared.akamai.steamstatic.com/**", (route) =>
      route.fulfill({ contentType: "image/png", body: png }),
    );
    await page.goto(`${other}/app/2904110`);
    const art = page.locator("img.art");
    await expect.poll(() => page.evaluate("document.images[0]?.naturalWidth")).toBe(1);
    expect(await art.getAttribute("src")).toBe(
      "https://shared.akamai.steamstatic.com/store_item_assets/steam/apps/2904110/0123abc/header.jpg",
    );
    expect(faults().filter((fault) => !fault.startsWith("another host: https://shared.akamai"))).toEqual([]);
    // Without art there is a block with the initial.
    await page.unroute("https://shared.akamai.steamstatic.com/**");
    await page.route("https://shared.akamai.steamstatic.com/**", (route) => route.abort());
    await page.reload();
    await expect.poll(() => page.locator("div.art").textContent()).toBe("L");
    await page.evaluate(openLink, "/app/1");
    await page.getByText("No history is recorded: set HISTORY=on").waitFor();
  });

  async function json<T>(path: string): Promise<T> {
    return (await (await fetch(base + path)).json()) as T;
  }
});

/** Adds to the text of a field, letter by letter, in no time. */
const typeOn = (field: unknown, text: string) => {
  const input = field as { value: string; dispatchEvent(event: Event): void };
  for (const letter of text) {
    input.value += letter;
    input.dispatchEvent(new Event("input"));
  }
};

/** Opens another page as a link does, without loading the document again. */
const openLink = (path: string) => {
  const { document } = globalThis as unknown as { document: { createElement(tag: "a"): HTMLLink; body: HTMLLink } };
  const link = document.createElement("a");
  link.href = path;
  document.body.append(link);
  link.click();
  link.remove();
};
interface HTMLLink {
  href: string;
  append(link: HTMLLink): void;
  click(): void;
  remove(): void;
}

/** The text as it is laid out: with line breaks, and without what is hidden. */
// biome-ignore lint/performance/useDomNodeTextContent: the layout is what is tested.
const shown = (locator: Locator) => locator.innerText();

/** Light on a desktop, dark on a phone: without serious faults (axe), and without scrolling sideways. */
async function expectFit(page: Page, name: string): Promise<void> {
  const shots = process.env.SCREENSHOTS;
  for (const [size, colorScheme] of [
    [desktop, "light"],
    [phone, "dark"],
  ] as const) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect(await seriousIssues(page)).toEqual([]);
    if (shots) await page.screenshot({ path: `${shots}/${name}-${size.width}.png`, fullPage: true });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(size.width);
  }
  await page.setViewportSize(desktop);
}

const test4 = (display: number, name: string) => ({ display, token: `#SteamDeckVerified_TestResult_${name}` });
const lantern = fullRecord(2_904_110, 502, {
  name: "Lantern Harbour",
  type: "game",
  is_free: false,
  release_state: "released",
  steam_release_date: "2026-11-12T17:00:00.000Z",
  parent_appid: null,
  vr_support: null,
  platforms: "windows,linux",
  developers: ["Foo Studio"],
  content_descriptors: [2],
  pics_review_score: 7,
  pics_review_percentage: 78,
  tags: [492, 19, 21, 1664, 3839, 4182, 113, 4106],
  assets: { header: { english: "0123abc/header.jpg" } },
  steam_deck: deckVerdict("verified", {
    steamos_category: "compatible",
    steamos_tests: [{ display: 3, token: "#SteamOS_TestResult_GameStartupFunctional" }],
    machine_category: "playable",
    tests: [test4(4, "ControllerGlyphsMatchDeckDevice"), test4(3, "InterfaceTextIsNotLegible")],
  }),
  branches: [
    branch("public", "19602233", { built_at: "2026-11-20T10:00:00+00:00" }),
    branch("staging", "19612001", { password_required: true }),
  ],
  depots: [
    depot(2_904_112, {
      name: "Content",
      os_list: "linux",
      os_arch: "64",
      language: "german",
      manifests: [manifest("public", "18446744073709551615")],
    }),
  ],
});

/** A game with a history, a soundtrack that is removed, delisted and incomplete, a hostile name, and generated apps. */
async function storeApps({ store, sql }: Catalog): Promise<void> {
  await store(
    ...generateRecords(120),
    record(1, 500, { name: hostileName, developers: [hostileName] }),
    record(2_904_111, 500, { name: "Lantern Harbour Soundtrack", type: "music", parent_appid: 2_904_110 }),
    {
      ...lantern,
      change_number: 501,
      pics_review_score: 5,
      pics_review_percentage: 61,
      branches: [branch("public", "19588101")],
    },
  );
  await store(lantern);
  await sql("update steam_tags set name = 'Tag ' || tag_id");
  await sql("update apps set is_known = false, is_listed = false, is_active = false where appid = 2904111");
  await sql("update sync_status set missing_token = true where appid = 2904111");
}
