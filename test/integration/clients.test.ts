import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient, type QueryData } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, expectTypeOf, inject, it, onTestFinished, vi } from "vitest";
import { reviewScores } from "../../src/catalog/code-names.ts";
import type { Database, Json, Tables } from "../../supabase/database.types.ts";
import { databaseTypes, typesFile } from "../support/database-types.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { dictionaryOf } from "../support/dictionary/database.ts";
import { hasRealPayloads, untrueExamples } from "../support/dictionary/examples.ts";
import { faultsOf } from "../support/dictionary/faults.ts";
import type { Dictionary } from "../support/dictionary/model.ts";
import { renderDictionary } from "../support/dictionary/render.ts";
import { serve } from "./api/harness.ts";
import { branch, type Catalog, catalogOf, deckVerdict, depot, fullRecord, manifest, record } from "./sql/catalog.ts";

/** Clients of the catalog: the generated types, the data dictionary, and the examples that are programs. */

let database: TestDatabase;
let catalog: Catalog;

beforeAll(async () => {
  database = await openTestDatabase("supabase");
  catalog = catalogOf(() => database);
  const released = (day: string) => ({ steam_release_date: `2026-11-${day}T00:00:00+00:00`, tags: [1628, 19] });
  await catalog.store(
    fullRecord(620, 500, { type: "game", parent_appid: null }),
    record(10, 501, {
      name: "Older",
      ...released("01"),
      pics_review_percentage: 88,
      steam_deck: deckVerdict("verified"),
    }),
    record(20, 502, {
      name: "Newer <3",
      ...released("02"),
      steam_deck: deckVerdict("verified"),
      developers: ["A", "B"],
    }),
    record(30, 503, { name: "Only playable", ...released("03"), steam_deck: deckVerdict("playable") }),
    record(40, 504, { name: "Without a verdict", ...released("04") }),
    record(50, 505, { name: "A demo", type: "demo", ...released("05"), steam_deck: deckVerdict("verified") }),
  );
  await database.sql(
    "update steam_tags set name = case tag_id when 1628 then 'Metroidvania' when 19 then 'Action' end",
  );
});
afterAll(() => database.close());

function openClient() {
  if (!database.api) throw new Error("the database has no REST interface");
  return createClient<Database>(database.api.url, database.api.anonKey, { auth: { persistSession: false } });
}

describe("supabase/database.types.ts", () => {
  it("is what the migrations make: else run `npm run types`", async () => {
    expect(await databaseTypes(inject("cluster"))).toBe(await readFile(typesFile, "utf8"));
  });

  it("describes what the anonymous key may read, and nothing else", async () => {
    const readable = await database.sql<{ name: string }>(
      `select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind = 'r' and has_table_privilege('anon', oid, 'select')`,
    );
    const described = (await readFile(typesFile, "utf8")).matchAll(/^ {6}(\w+): \{\n {8}Row:/gm);
    expect([...described].map(([, name]) => name)).toEqual(readable.map(({ name }) => name).sort());
    for (const { name } of readable) {
      const { error } = await openClient()
        .from(name as keyof Database["public"]["Tables"])
        .select("*")
        .limit(1);
      expect([name, error]).toEqual([name, null]);
    }
  });

  it("embeds tags and companies of an app without the tables between", async () => {
    const { data } = await openClient()
      .from("apps")
      .select("name, steam_tags(tag_id), developers(name)")
      .eq("appid", 20)
      .single()
      .throwOnError();
    expect(data.steam_tags.map(({ tag_id }) => tag_id).sort()).toEqual([1628, 19]);
    expect(data.developers.map(({ name }) => name).sort()).toEqual(["A", "B"]);
  });

  it("types a query with relations as PostgREST answers it", async () => {
    const query = openClient()
      .from("apps")
      .select(
        `appid, name, languages, ai_content, header:assets->header->>english,
         app_steam_deck(category), app_steam_tags(rank, steam_tags(name)), app_genres(is_primary, steam_genres(name)),
         app_developers(developers(name)), app_branches(branch, build_id), app_depot_manifests(manifest_id, size_bytes), app_dlc(dlc_appid)`,
      )
      .eq("appid", 620)
      .order("rank", { referencedTable: "app_steam_tags" })
      .order("branch", { referencedTable: "app_branches" })
      .order("manifest_id", { referencedTable: "app_depot_manifests" })
      .order("dlc_appid", { referencedTable: "app_dlc" })
      .order("genre_id", { referencedTable: "app_genres" })
      .single();
    expectTypeOf<QueryData<typeof query>>().toEqualTypeOf<{
      appid: number;
      name: string | null;
      languages: Json | null;
      ai_content: string[] | null;
      header: string;
      app_steam_deck: { category: string } | null;
      app_steam_tags: { rank: number; steam_tags: { name: string | null } }[];
      app_genres: { is_primary: boolean; steam_genres: { name: string | null } }[];
      app_developers: { developers: { name: string } }[];
      app_branches: { branch: string; build_id: string | null }[];
      app_depot_manifests: { manifest_id: string; size_bytes: number | null }[];
      app_dlc: { dlc_appid: number }[];
    }>();
    const { data } = await query.throwOnError();
    expect(data).toEqual({
      appid: 620,
      name: "Portal 2",
      languages: fullRecord(620, 500).languages,
      ai_content: ["pre_generated", "live"],
      header: "0123abc/header.jpg",
      app_steam_deck: { category: "verified" },
      app_steam_tags: [
        { rank: 1, steam_tags: { name: null } },
        { rank: 2, steam_tags: { name: "Action" } },
        { rank: 3, steam_tags: { name: null } },
      ],
      app_genres: [
        { is_primary: false, steam_genres: { name: "Action" } },
        { is_primary: true, steam_genres: { name: "Adventure" } },
      ],
      app_developers: [{ developers: { name: "Valve" } }],
      app_branches: [
        { branch: "beta", build_id: "8212380" },
        { branch: "public", build_id: "8212379" },
      ],
      app_depot_manifests: [
        { manifest_id: "11", size_bytes: 9_007_199_254_740_991 },
        { manifest_id: "18446744073709551615", size_bytes: 9_007_199_254_740_991 },
      ],
      app_dlc: [{ dlc_appid: 1000 }, { dlc_appid: 1001 }],
    });
  });

  it("rejects columns, relations and functions that there are not", () => {
    const client = openClient();
    // @ts-expect-error no such column
    client.from("apps").select("appid").eq("app_id", 620);
    // @ts-expect-error a table of the service
    client.from("sync_status").select("appid");
    // @ts-expect-error a function of the service
    client.rpc("pics_claim", {});
    const embedded = client.from("app_events").select("id, apps(name)");
    expectTypeOf<QueryData<typeof embedded>[number]["apps"]>().not.toEqualTypeOf<{ name: string | null }>();
    expectTypeOf<Tables<"app_events">["event"]>().toEqualTypeOf<string>();
    expectTypeOf<Tables<"game_metadata">["fetch_status"]>().toEqualTypeOf<
      "pending" | "success" | "failed" | "not_found"
    >();
  });
});

describe("docs/data.md", () => {
  let dictionary: Dictionary;
  let text: string;
  beforeAll(async () => {
    dictionary = await dictionaryOf(inject("cluster"));
    text = await readFile(new URL("../../docs/data.md", import.meta.url), "utf8");
  });

  it("describes every table and column, with source and example where clients read them", () => {
    expect(faultsOf(dictionary)).toEqual([]);
  });

  it("misses no absent comment, word of an enumeration, or source that the extractor does not read", () => {
    const broken = structuredClone(dictionary);
    const column = (path: string) =>
      broken.tables.flatMap(({ name, columns }) => columns.filter((each) => `${name}.${each.name}` === path))[0];
    const apps = broken.tables.find(({ name }) => name === "apps");
    Object.assign(apps ?? {}, { comment: null });
    Object.assign(column("workers.mode") ?? {}, { comment: null, meaning: null });
    Object.assign(column("apps.name") ?? {}, { comment: "The name", meaning: null });
    Object.assign(column("apps.pics_review_score")?.meaning ?? {}, { values: "7 good", example: null });
    Object.assign(column("apps.platforms")?.meaning ?? {}, { source: "PICS common/os" });
    Object.assign(column("game_metadata.fetch_status")?.meaning ?? {}, { values: "pending" });
    expect(faultsOf(broken)).toEqual([
      "apps has no comment",
      expect.stringMatching("the comment of apps.name is not"),
      "apps.pics_review_score has no example",
      "workers.mode has no comment",
      "game_metadata.fetch_status does not list success, failed, not_found",
      ...[...reviewScores].map(([code, word]) => `apps.pics_review_score does not list ${code} ${word}`),
      "the extractor does not read common.os",
      "no column names its source common.name",
      "no column names its source common.oslist",
    ]);
  });

  it.skipIf(!hasRealPayloads)("has examples that the extractor makes of real app info", () => {
    const broken = structuredClone(dictionary);
    const score = broken.tables[0]?.columns.find(({ name }) => name === "pics_review_score")?.meaning;
    Object.assign(score ?? {}, { example: "7" });
    expect(untrueExamples(broken)).toEqual(["apps.pics_review_score: 7"]);
  });

  it("is what the comments make: else run `npm run docs`", () => {
    for (const part of Object.values(renderDictionary(dictionary))) expect(text).toContain(`-->\n\n${part}\n\n<!-- /`);
  });

  it("answers since when an app has its review score", async () => {
    const [, query = ""] = /```sql\n(.*?)```/s.exec(text) ?? [];
    const ask = async () => (await database.sql(query.replace("730", "70")))[0];
    await catalog.store(record(70, 800, { name: "Scored", pics_review_score: 8 }));
    expect(await ask()).toMatchObject({ name: "Scored", score: 8, since: null, score_before: null });
    await catalog.store(record(70, 801, { name: "Scored", pics_review_score: 7 }));
    expect(await ask()).toMatchObject({ score: 7, since: expect.any(Date), score_before: 8, change_number: 801 });
    expect(text).toContain("| `7` | positive |");
  });
});

describe("examples/react-list", () => {
  const rendered = async (props: { initialTag?: string }) => {
    // Named by variables, so that tsc does not look into them: the types of React and the DOM stay out of the tests.
    const [app, react, server] = ["../../examples/react-list/App.tsx", "react", "react-dom/static"];
    const { App } = await import(app);
    const { createElement } = await import(react);
    const { prerenderToNodeStream } = await import(server);
    const html = await text((await prerenderToNodeStream(createElement(App, props))).prelude);
    return [...html.matchAll(/<li>(.*?)<\/li>|<p>(.*?)<\/p>/g)].map(([, item, note]) => item ?? note);
  };

  it("lists the newest verified games with a tag, with art, developers and tags", async () => {
    vi.stubEnv("VITE_SUPABASE_URL", database.api?.url).stubEnv("VITE_SUPABASE_ANON_KEY", database.api?.anonKey);
    onTestFinished(() => void vi.unstubAllEnvs());
    const items = await rendered({});
    expect(items.map((item) => item?.replaceAll(/<!--.*?-->|<[^>]*>/g, ""))).toEqual([
      "Newer &lt;3 2026-11-02 · A, B · Metroidvania, Action",
      "Older 2026-11-01 · 88 % positive · Metroidvania, Action",
    ]);
    expect(items[0]).toContain('href="https://store.steampowered.com/app/20"');
    expect((await rendered({ initialTag: "Action" }))[2]).toContain("/apps/620/0123abc/header.jpg");
    expect(await rendered({ initialTag: "No such tag" })).toEqual(["No game has this tag."]);
  });
});

describe("examples/questions.sql", () => {
  const large = [
    "apps",
    "app_changes",
    "app_depot_manifests",
    "app_depots",
    "app_developers",
    "app_dlc",
    "app_events",
    "app_steam_tags",
  ];

  /** Rows beside the answers: enough that reading a table from end to end takes longer than its indexes. */
  const crowd = `
    set session_replication_role = replica;
    insert into apps (appid, name, type, is_free, steam_release_date, pics_review_score)
    select 1000000 + i, 'Crowd ' || i, case when i % 2 = 0 then 'game' else 'dlc' end, i % 8 = 0, now() - i * interval '1 day', 7 from generate_series(1, 4000) i;
    insert into steam_tags (tag_id, name) select 1000000 + i, 'Crowd ' || i from generate_series(1, 400) i;
    insert into app_steam_tags (appid, tag_id, rank)
    select 1000000 + i, 1000001 + (i + 37 * j) % 400, j from generate_series(1, 4000) i, generate_series(1, 10) j;
    insert into developers (id, name) select 1000000 + i, 'Crowd ' || i from generate_series(1, 4000) i;
    insert into app_developers (appid, developer_id) select 1000000 + i, 1000000 + i from generate_series(1, 4000) i;
    insert into app_dlc (appid, dlc_appid) select 1000000 + i, 1000001 + i from generate_series(1, 4000) i;
    insert into app_depots (appid, depot_id) select 1000000 + i, 1000000 + i from generate_series(1, 4000) i;
    insert into app_depot_manifests (appid, depot_id, branch, manifest_id)
    select 1000000 + i, 1000000 + i, 'public', i::text from generate_series(1, 4000) i;
    insert into app_changes (appid, change_number, field) select 1000000 + i % 4000, i, 'name' from generate_series(1, 10000) i;
    insert into app_events (id, change_number, detected_at, appid, event, change_ids)
    select i, i, now(), 1000000 + i % 4000, case when i % 2 = 0 then 'build' else 'tags' end, array[i] from generate_series(1, 10000) i;
    reset session_replication_role;
    analyze`;

  it("has ten questions with answers, and reads no large table from end to end where an index serves", async () => {
    const game = { name: "CS:GO", is_free: true, developers: ["Valve"], tags: [19], dlc: [40] };
    await catalog.store(
      record(730, 700, {
        ...{ ...game, genres: [70], pics_review_score: 5, branches: [branch("public", "1")] },
        depots: [depot(731, { manifests: [manifest("public", "5")] })],
      }),
    );
    await catalog.store(
      record(730, 701, {
        ...{ ...game, name: "Counter-Strike 2", pics_review_score: 7, branches: [branch("public", "2")] },
        depots: [depot(731, { manifests: [manifest("public", "6")] })],
      }),
    );
    await catalog.mark([[40, 702]]);
    await catalog.apply((await catalog.claim({ appids: [40] })).lease, { unknown: [40], confirmSeconds: 0 });
    await catalog.store(record(40, 703));
    await database.sql(crowd);

    const file = await readFile(new URL("../../examples/questions.sql", import.meta.url), "utf8");
    const questions = file.split(/^(?=-- \d+\. )/m).slice(1);
    const answers: unknown[] = [];
    const whole: string[] = [];
    for (const [index, question] of questions.entries()) {
      const plan = JSON.stringify(await database.sql(`explain (format json) ${question}`));
      const scanned = [...plan.matchAll(/"Node Type":"Seq Scan".*?"Relation Name":"(\w+)"/g)].map(
        ([, name = ""]) => name,
      );
      whole.push(...scanned.filter((name) => large.includes(name)).map((name) => `${index + 1}: ${name}`));
      answers.push((await database.sql(question))[0]);
    }
    expect(answers).toMatchObject([
      { appid: 20, name: "Newer <3" },
      { appid: 730, verdict_before: 5, verdict_now: 7 },
      { field: expect.any(String) },
      { dlc_appid: 40, name: "App 40" },
      { name: expect.stringMatching("Crowd"), games: 20 },
      { branch: "public", builds: 1 },
      { appid: 730, name: "Counter-Strike 2" },
      { appid: 730, depot: null, manifest_id: "6", size: "8192 TB" },
      { appid: 620, name: "Portal 2", japanese: "ポータル2" },
      { appid: 40, was: "removed" },
    ]);
    // Free games are an eighth of all.
    expect(whole.sort()).toEqual(["5: app_steam_tags", "5: apps"]);
  });
});

describe("examples/follow-events.ts", () => {
  const program = fileURLToPath(new URL("../../examples/follow-events.ts", import.meta.url));
  const until = async (done: () => boolean) => {
    while (!done()) await delay(10);
  };

  function follow(address: string, cursorFile: string) {
    const env = { PATH: process.env.PATH, POLL_SECONDS: "0.01" };
    const child = spawn(process.execPath, [program, address, cursorFile], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
    });
    return {
      child,
      // The last line is empty, or cut off by a kill.
      ids: () =>
        output
          .split("\n")
          .slice(0, -1)
          .map((line): number => JSON.parse(line).id),
    };
  }

  it("misses no event when it is killed amid a page, nor when the server fails", async () => {
    const { base } = await serve(database);
    const folder = await mkdtemp(join(tmpdir(), "spsync-follow-"));
    const cursorFile = join(folder, "cursor");
    let [pages, faults] = [0, 0];
    const front = createServer(async (request, reply) => {
      if (faults-- > 0) return faults % 2 ? reply.destroy() : reply.writeHead(503).end();
      try {
        const answer = await fetch(base + request.url);
        const body = await answer.text();
        reply.writeHead(answer.status).end(body);
        if (body.includes('"id"')) pages++;
      } catch {
        // The service ended first: a follower that was killed may leave a request behind.
        reply.destroy();
      }
    }).listen(0, "127.0.0.1");
    await once(front, "listening");
    onTestFinished(async () => {
      front.close();
      await rm(folder, { recursive: true });
    });
    const address = `http://127.0.0.1:${(front.address() as AddressInfo).port}/v1/events?limit=100`;
    const idsAfter = async (id: number) =>
      (await database.sql<{ id: number }>("select id from app_events where id > $1 order by id", [id])).map(
        (row) => row.id,
      );

    const first = follow(address, cursorFile);
    await until(() => existsSync(cursorFile));
    const start = Number(await readFile(cursorFile, "utf8"));
    await catalog.store(record(10, 601, { name: "Renamed" }));
    const handled = await idsAfter(start);
    await until(() => first.ids().length >= handled.length);

    // Lines of 100 kB: more than a pipe holds, so that it waits in the middle of the page.
    first.child.stdout.pause();
    const before = pages;
    await catalog.store(fullRecord(10, 602, { name: "x".repeat(100_000) }));
    await until(() => pages > before);
    await delay(200);
    first.child.kill("SIGKILL");
    first.child.stdout.resume();
    await once(first.child, "close");

    faults = 4;
    const all = await idsAfter(start);
    const second = follow(address, cursorFile);
    await until(() => second.ids().at(-1) === all.at(-1));

    expect(handled.length).toBeGreaterThan(3);
    expect(first.ids().length).toBeLessThan(all.length);
    expect(second.ids()).toEqual(all.slice(handled.length));
  });
});
