import { connect } from "node:net";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import pg from "pg";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { EventView } from "../../../src/catalog/event-views.ts";
import type { AppView, ChangeView } from "../../../src/catalog/views.ts";
import { createCatalogReader } from "../../../src/db/catalog-reader.ts";
import { openPostgres } from "../../../src/db/postgres.ts";
import { type DatabaseKind, forEachDatabase } from "../../support/databases.ts";
import { freePort } from "../../support/free-port.ts";
import { silent } from "../../support/templates.ts";
import { record, useCatalog } from "../sql/catalog.ts";
import { eventsOf, serve } from "./harness.ts";

interface EventPage {
  data: EventView[];
  last_id: number;
}

/** Caching, streams, authentication, CORS, rate limit and errors of the API. */

// HTTP behaviour, on one database: contract.test.ts runs the API on two, and the SQL tests show the order of changes on each.
const databases: readonly DatabaseKind[] = ["postgres"];

forEachDatabase(
  "serving the catalog",
  (open) => {
    const catalog = useCatalog(open);
    const { store, sql } = catalog;
    const started = (...args: Parameters<typeof serve> extends [unknown, ...infer Rest] ? Rest : never) =>
      serve(catalog.database, ...args);

    test("replies 304 to If-None-Match until the app changes", async () => {
      const { get } = await started();
      await store(record(10, 500));
      const first = await get("/v1/apps/10");
      const etag = first.headers.get("etag") ?? "";
      expect(first.headers.get("cache-control")).toBe("no-cache");
      const again = await get("/v1/apps/10", { "if-none-match": etag });
      expect([again.status, await again.text()]).toEqual([304, ""]);
      await store(record(10, 501, { tags: [19] }));
      const changed = await get("/v1/apps/10", { "if-none-match": etag });
      expect(changed.status).toBe(200);
      expect(((await changed.json()) as AppView).change_number).toBe(501);
    });

    test("answers a repeated request without reading again until something is committed, and never what was before a commit", async () => {
      const { db } = catalog.database;
      let reads = 0;
      const rpc: typeof db.rpc = (name, ...rest) => {
        if (name !== "catalog_version") reads += 1;
        return db.rpc(name, ...rest);
      };
      const { get, json } = await serve({ db: { ...db, rpc } });
      await store(record(10, 500), record(20, 500));
      for (const path of ["/v1/apps/10", "/v1/apps?sort=name"]) {
        // Other tests commit to the same server, and the first request only makes the version known.
        await vi.waitFor(async () => {
          const before = reads;
          await get(path);
          expect(reads).toBe(before);
        }, 20_000);
        const [kept, other] = [await get(path), await get(`${path}${path.includes("?") ? "&" : "?"}`)];
        expect([kept.status, await kept.json()]).toEqual([200, await other.json()]);
        const headers = (answer: Response) =>
          ["etag", "content-type", "cache-control"].map((name) => answer.headers.get(name));
        expect(headers(kept)).toEqual(headers(other));
        const etag = kept.headers.get("etag") ?? "";
        expect((await get(path, { "if-none-match": etag })).status).toBe(304);
        const head = await fetch(kept.url, { method: "HEAD" });
        expect([head.status, head.headers.get("etag")]).toEqual([200, etag]);
      }
      for (let change = 501; change < 521; change++) {
        await store(record(10, change));
        expect((await json<AppView>("/v1/apps/10")).change_number).toBe(change);
      }
    });

    test("pages changes newest first, all pages with the last_id of the first, or oldest first from an id", async () => {
      const { json, get } = await started();
      type Page = { data: ChangeView[]; next: string | null; last_id: number };
      const change = (count: number) =>
        sql("insert into app_changes (appid, change_number, field) select 1, i, 'f' from generate_series(1, $1) i", [
          count,
        ]);
      await change(5);
      const first = await json<Page>("/v1/changes?limit=3");
      await change(1);
      const second = await json<Page>(`/v1/changes?limit=3&cursor=${first.next}`);
      const ids = [...first.data, ...second.data].slice(0, 5).map(({ id }) => id);
      expect(ids).toEqual([0, 1, 2, 3, 4].map((back) => first.last_id - back));
      expect(second.last_id).toBe(first.last_id);

      const since = await json<Page>(`/v1/changes?after=${ids[4]}&limit=3`);
      const rest = await json<Page>(`/v1/changes?after=${ids[4]}&limit=3&cursor=${since.next}`);
      const oldest = [...since.data, ...rest.data].map(({ id }) => id);
      expect(oldest).toEqual([1, 2, 3, 4, 5].map((further) => (ids[4] ?? 0) + further));
      expect([since.last_id, rest.last_id, rest.next]).toEqual([oldest[2], oldest[4], null]);
      // A cursor is valid for one order.
      expect((await get(`/v1/changes?after=1&cursor=${first.next}`)).status).toBe(400);
    });

    test("answers 410 and how to go on where the changes after an id are deleted for their age", async () => {
      const { get, base } = await started();
      await sql("insert into app_changes (appid, change_number, field) select 1, i, 'f' from generate_series(1, 5) i");
      const first = (await (await get("/v1/changes?limit=4")).json()) as { next: string; last_id: number };
      const kept = first.last_id;
      await sql("update app_changes set detected_at = now() - interval '8 days' where id < $1", [kept]);
      await catalog.call("pics_trim_changes", { days: 7, max: 100 });

      for (const path of [
        `/v1/changes?after=${kept - 2}`,
        `/v1/changes?cursor=${first.next}`,
        `/v1/changes/stream?after=${kept - 2}`,
      ]) {
        const reply = await get(path);
        expect([path, reply.status]).toEqual([path, 410]);
        expect(await reply.json()).toMatchObject({
          title: "Gone",
          detail: expect.stringContaining(`What is kept starts at after=${kept - 1}.`),
        });
      }
      const headers = { "last-event-id": String(kept - 2) };
      expect((await fetch(`${base}/v1/changes/stream`, { headers })).status).toBe(410);
      expect((await get(`/v1/changes?after=${kept - 1}`)).status).toBe(200);
      const events = eventsOf(await get(`/v1/changes/stream?after=${kept - 1}`));
      await events.next();
      expect(await events.next()).toMatchObject({ value: { event: "change", id: String(kept) } });
    });

    test("answers 404 with the setting's name where no text or depots are kept", async () => {
      await store(record(10, 500));
      const detail = async (path: string, keep: boolean) => {
        const reply = await (await started({ keep: { appInfo: keep, depots: keep } })).get(path);
        return reply.status === 404 ? ((await reply.json()) as { detail: string }).detail : reply.status;
      };
      for (const path of ["/v1/apps/10/info", "/v1/info/10"]) {
        expect(await detail(path, false)).toMatch(
          /^No app info of app 10 is kept: KEEP_APP_INFO is off; .*bulk-sync --full/,
        );
        expect(await detail(path, true)).toMatch(/: it was stored while KEEP_APP_INFO was off; `bulk-sync --full`/);
      }
      await sql(
        "insert into app_info (appid, change_number, sha1, size, partial, fetched_at, data) values (10, 1, '', 2097153, false, now(), '')",
      );
      expect(await detail("/v1/info/10", true)).toBe(
        "The app info of app 10 has 2097153 bytes; at most 2097152 are served.",
      );
      expect(await detail("/v1/apps/10/depots", false)).toMatch(/^No depot of app 10 is kept: KEEP_DEPOTS is off; /);
      expect(await detail("/v1/apps/10/depots", true)).toBe(200);
      expect(await detail("/v1/depots/10", false)).toMatch(/^No depot 10 is kept: KEEP_DEPOTS is off; /);
      expect(await detail("/v1/depots/10", true)).toBe("No stored app has depot 10.");
      expect(await detail("/v1/apps/10/branches", false)).toBe(200);
    });

    test("streams changes as they are stored and resumes after Last-Event-ID", async () => {
      const { get, base } = await started();
      await store(record(10, 500), record(20, 500));
      const live = eventsOf(await get("/v1/changes/stream"));
      expect(await live.next()).toMatchObject({ value: { event: "open", retry: "1000" } });
      // The stream starts at the newest change of the feed's first poll, so changes are stored until one arrives.
      const seen: ChangeView[] = [];
      const reading = (async () => {
        for await (const { event, id, data } of live) {
          if (event !== "change") continue;
          const change = JSON.parse(data ?? "") as ChangeView;
          expect(id).toBe(String(change.id));
          seen.push(change);
          if (change.field === "type") return;
        }
      })();
      for (let number = 501; seen.length === 0; number++) {
        await store(record(10, number, { name: `Name ${number}` }));
      }
      await store(record(20, 1_000, { type: "dlc" }));
      await reading;
      expect(seen.at(-1)).toMatchObject({ appid: 20, field: "type", old: "game", new: "dlc" });

      // Resumes exactly after the first change.
      const [first] = seen;
      const resumed: ChangeView[] = [];
      for await (const { event, data } of eventsOf(
        await fetch(`${base}/v1/changes/stream`, { headers: { "last-event-id": String(first?.id) } }),
      )) {
        if (event === "change") resumed.push(JSON.parse(data ?? "") as ChangeView);
        if (resumed.at(-1)?.field === "type") break;
      }
      expect(resumed).toEqual(seen.slice(1));
    });

    test("streams the events that fit the filters, woken by the commit, and pages have the same", async () => {
      const { get, json } = await started();
      await store(record(10, 500), record(20, 500, { type: "dlc" }));
      const filters = "type=game&event=renamed,released";
      const { last_id } = await json<EventPage>(`/v1/events?${filters}`);
      const live = eventsOf(await get(`/v1/events/stream?${filters}&after=${last_id}`));
      await live.next();
      await store(
        record(10, 501, { name: "New", metacritic_score: 90 }),
        record(20, 501, { name: "DLC", type: "dlc" }),
      );
      const { value: message } = await live.next();
      const { data } = await json<EventPage>(`/v1/events?${filters}&after=${last_id}`);
      expect(data).toMatchObject([{ event: "renamed", appid: 10, old: "App 10", new: "New" }]);
      expect([message?.event, message?.id, JSON.parse(message?.data ?? "")]).toEqual([
        "renamed",
        String(data[0]?.id),
        data[0],
      ]);
      // Half a second is the pace without a notification.
      const waiting = live.next();
      const { db } = catalog.database;
      await createCatalogReader(db).news(50);
      await store(record(10, 502, { name: "Newer" }));
      expect(JSON.parse((await waiting).value?.data ?? "")).toMatchObject({ new: "Newer" });
      expect((await get("/v1/events?tag=nothing")).status).toBe(400);
      expect((await get(`/v1/events/stream?event=build`, { "last-event-id": "1" })).status).toBe(200);
    });

    test("serves events as Atom and JSON Feed, whatever a name contains", async () => {
      const { get } = await started();
      const name = '<b>&\u0007 "Quote" ]]> 汉字';
      const assets = { header: { english: "a b.jpg" } };
      await store(record(10, 500, { assets }));
      await store(record(10, 501, { name, is_free: true, assets }));
      const atom = await get("/v1/events.atom?event=renamed,became_free&limit=5");
      const text = await atom.text();
      expect(atom.headers.get("content-type")).toBe("application/atom+xml; charset=utf-8");
      expect(XMLValidator.validate(text)).toBe(true);
      const { feed } = new XMLParser({ ignoreAttributes: false }).parse(text);
      // What RFC 4287 demands: of the feed id, title, updated, an author and a link to itself; of an entry id, title, updated and a link.
      const self = `${atom.url}`;
      expect(feed).toMatchObject({
        id: self,
        title: expect.any(String),
        updated: expect.any(String),
        author: { name: "steam-pics-sync" },
      });
      expect([feed.link].flat()).toContainEqual({ "@_rel": "self", "@_href": self });
      expect(new Set(feed.entry.map((entry: { id: string }) => entry.id)).size).toBe(2);
      for (const entry of feed.entry) {
        expect(entry).toMatchObject({
          id: expect.stringMatching(/^urn:/),
          updated: expect.stringMatching(/Z$/),
          link: expect.arrayContaining([{ "@_href": "https://store.steampowered.com/app/10/" }]),
        });
        expect(entry.title["#text"]).toMatch(
          /^<b>& {2}"Quote" \]\]> 汉字 (has another name; it was App 10|is free now)$/,
        );
        expect(entry.content["#text"]).toContain("/10/a%20b.jpg");
      }
      const answer = await get("/v1/events.json?event=became_free&developer=Valve");
      expect(answer.status).toBe(400);
      const json = await get("/v1/events.json?event=became_free");
      expect(json.headers.get("content-type")).toBe("application/feed+json; charset=utf-8");
      expect(await json.json()).toMatchObject({
        version: expect.stringMatching(/^https:\/\/jsonfeed\.org\/version\/1/),
        items: [
          {
            id: expect.stringMatching(/^urn:/),
            url: "https://store.steampowered.com/app/10/",
            content_html: expect.any(String),
            image: expect.stringContaining("a%20b.jpg"),
          },
        ],
      });
      expect((await get("/v1/events.atom?appid=999")).status).toBe(200);
    });

    test("the stream holds back changes that an open transaction could still precede", async () => {
      const { get } = await started();
      const late = new pg.Client({ connectionString: catalog.database.url ?? "" });
      await late.connect();
      onTestFinished(() => late.end());
      await sql("insert into app_changes (appid, change_number, field) values (1, 1, 'a')");
      const [{ start } = { start: 0 }] = await sql<{ start: number }>("select max(id) as start from app_changes");
      await late.query("begin");
      await late.query("insert into app_changes (appid, change_number, field) values (2, 1, 'b')");
      await sql("insert into app_changes (appid, change_number, field) values (3, 1, 'c')");
      const events = eventsOf(await get(`/v1/changes/stream?after=${start}`));
      await events.next();
      const next = events.next();
      // Pages hold the change back as well, which shows that the stream had nothing to send.
      expect(await (await get(`/v1/changes?after=${start}`)).json()).toMatchObject({ data: [], last_id: start });
      await late.query("commit");
      const fields = [
        JSON.parse((await next).value?.data ?? "{}").field,
        JSON.parse((await events.next()).value?.data ?? "{}").field,
      ];
      expect(fields).toEqual(["b", "c"]);
    });

    test("a stream that is far behind catches up from the database", async () => {
      const { get } = await started();
      await sql(
        "insert into app_changes (appid, change_number, field) select 1, i, 'f' from generate_series(1, 3000) i",
      );
      const [{ first, last } = { first: 0, last: 0 }] = await sql<{ first: number; last: number }>(
        "select min(id) as first, max(id) as last from app_changes",
      );
      const ids: number[] = [];
      for await (const { id } of eventsOf(await get(`/v1/changes/stream?after=${first - 1}`))) {
        if (id !== undefined) ids.push(Number(id));
        if (ids.at(-1) === last) break;
      }
      expect(ids).toEqual(Array.from({ length: 3_000 }, (_, index) => first + index));
    });
  },
  databases,
);

describe("policies", () => {
  test("requires the API key as bearer token, Basic password or x-api-key", async () => {
    const { get } = await serve(null, { apiKey: "open sesame é" });
    const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
    const paths = [
      "/v1",
      "/v1/apps",
      "/v1/info/10",
      "/v1/depots/10",
      "/v1/changes/stream",
      "/docs/json",
      "/docs",
      "/docs/static/swagger-ui-bundle.js",
      "/docs/static/theme/icon.svg",
      "/v1/nothing",
      "/status",
      "/metrics",
    ];
    for (const path of paths) {
      for (const headers of [{}, { authorization: basic("user:") }, { "x-api-key": "" }] as Record<string, string>[]) {
        const answer = await get(path, headers);
        expect([path, headers, answer.status]).toEqual([path, headers, 401]);
        expect(answer.headers.get("www-authenticate")).toMatch(/^Basic/);
      }
      const status = (await get(path, { authorization: basic("user:open sesame é") })).status;
      expect([path, status]).toEqual([path, path.startsWith("/v1") ? status : 200]);
      expect(status).not.toBe(401);
    }
    for (const headers of [{ authorization: "Bearer wrong" }, { authorization: basic("open sesame é:") }]) {
      expect((await get("/v1/apps", headers)).status).toBe(401);
    }
    const plain = await serve(null, { apiKey: "k" });
    expect((await plain.get("/v1/apps", { "x-api-key": "k" })).status).toBe(503);
    expect((await plain.get("/v1/apps", { authorization: "bearer k" })).status).toBe(503);
  });

  test("allows only the configured CORS origins", async () => {
    const ask = async (corsOrigins: string[], origin: string) => {
      const { base } = await serve(null, { corsOrigins });
      const answer = await fetch(`${base}/v1/apps?limit=0`, { headers: { origin } });
      const preflight = await fetch(`${base}/v1/apps`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "GET", "access-control-request-headers": "x-api-key" },
      });
      return [answer.headers.get("access-control-allow-origin"), preflight.headers.get("access-control-allow-origin")];
    };
    expect(await ask([], "https://a.example")).toEqual([null, null]);
    expect(await ask(["*"], "https://a.example")).toEqual(["*", "*"]);
    expect(await ask(["https://a.example", "https://b.example"], "https://b.example")).toEqual([
      "https://b.example",
      "https://b.example",
    ]);
    const refused = await ask(["https://a.example", "https://b.example"], "https://evil.example");
    expect(refused).not.toContain("https://evil.example");
    expect(refused).not.toContain("*");
  });

  test("answers 429 with Retry-After above the rate limit of an address, for the API and the dashboard, probes excepted", async () => {
    const rateLimit = { count: 3, periodMs: 60_000 };
    const { get } = await serve(null, { rateLimit });
    for (let request = 0; request < 3; request++) expect((await get("/v1/apps?limit=0")).status).toBe(400);
    const refused = await get("/v1/summary");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ status: 429, title: "Too Many Requests" });
    // The dashboard has the same count.
    for (const path of ["/dashboard/stream", "/dashboard/app.js"]) expect((await get(path)).status).toBe(429);
    expect((await get("/health")).status).toBe(200);
    // X-Forwarded-For is trusted for TRUSTED_PROXIES hops only.
    expect((await get("/v1/apps?limit=0", { "x-forwarded-for": "203.0.113.7" })).status).toBe(429);
    const behind = await serve(null, { rateLimit, trustedProxies: 1 });
    for (let caller = 0; caller < 6; caller++) {
      expect((await behind.get("/v1/apps?limit=0", { "x-forwarded-for": `203.0.113.${caller}` })).status).toBe(400);
    }
    // Entries before that of the last trusted proxy are the client's and are ignored.
    const forged = async (address: string) =>
      (await behind.get("/v1/apps?limit=0", { "x-forwarded-for": `${address}, 198.51.100.1` })).status;
    expect([
      await forged("1.1.1.1"),
      await forged("2.2.2.2"),
      await forged("3.3.3.3"),
      await forged("4.4.4.4"),
    ]).toEqual([400, 400, 400, 429]);
  });

  test("answers 404 for the API and dashboard when they are off", async () => {
    const { get } = await serve(null, { api: false, dashboard: false });
    for (const path of ["/v1/apps", "/v1/changes/stream", "/docs", "/docs/json"])
      expect((await get(path)).status).toBe(404);
    expect(Object.keys(((await (await get("/")).json()) as { endpoints: object }).endpoints)).toEqual([
      "/health",
      "/ready",
      "/status",
      "/metrics",
    ]);
  });

  test("rejects request bodies and overlong URLs", async () => {
    const { base, get } = await serve(null);
    const post = async (body: string) => (await fetch(`${base}/v1/apps`, { method: "POST", body })).status;
    expect([await post("x"), await post("x".repeat(2_000))]).toEqual([404, 413]);
    expect((await get(`/v1/apps?q=${"x".repeat(8_000)}`)).status).toBe(400);
    expect((await get(`/v1/apps?q=${"x".repeat(40_000)}`)).status).toBe(431);
    expect((await get(`/v1/apps/${"1".repeat(1_000)}`)).status).toBeLessThan(500);
  });

  test("answers 503 with Retry-After while the database is not open yet or unreachable", async () => {
    const answers = [await (await serve(null)).get("/v1/apps/10")];
    const db = await openPostgres({ url: `postgres://user@127.0.0.1:${await freePort()}/none`, logger: silent });
    onTestFinished(() => db.close());
    const reader = createCatalogReader(db);
    const { get } = await serve({ db } as never);
    answers.push(await get("/v1/apps/10"), await get("/v1/tags"), await get("/v1/changes"));
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("5");
      expect(await answer.json()).toMatchObject({ status: 503, title: "Service Unavailable" });
    }
    await expect(reader.app(1)).rejects.toMatchObject({ fault: "unreachable" });
  });

  test("limits the open streams of a client and of all, and ends them when the server closes", async () => {
    const { get, server, base } = await serve(null, { trustedProxies: 1, maxConnections: 40 });
    const open = (client: string) => get("/v1/changes/stream", { "x-forwarded-for": client });
    const streams = await Promise.all(Array.from({ length: 10 }, () => open("2001:db8::1")));
    // Another address of the same customer.
    const own = await open("2001:db8::2");
    expect([own.status, own.headers.get("retry-after")]).toEqual([429, "30"]);
    expect(await own.json()).toMatchObject({ detail: expect.stringContaining("10 streams open") });
    // Three quarters of the connections may be streams.
    streams.push(...(await Promise.all(Array.from({ length: 20 }, (_, client) => open(`192.0.2.${client}`)))));
    expect(streams.map(({ status }) => status)).toEqual(Array(30).fill(200));
    const all = await open("198.51.100.1");
    expect([all.status, all.headers.get("retry-after")]).toEqual([503, "30"]);
    expect(await all.json()).toMatchObject({ detail: expect.stringContaining("The limit of 30 open streams") });
    // A client that disconnects frees its place.
    await streams[0]?.body?.cancel();
    await expect
      .poll(async () => {
        const again = await open("2001:db8::2");
        if (again.status === 200) streams[0] = again;
        return again.status;
      })
      .toBe(200);
    await server.close();
    for (const stream of streams) await stream.text().catch(() => {});
    await expect(
      new Promise((resolve, reject) =>
        connect(Number(new URL(base).port), "127.0.0.1")
          .on("connect", resolve)
          .on("error", reject),
      ),
    ).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
