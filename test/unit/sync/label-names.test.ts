import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { SteamError } from "../../../src/process/errors.ts";
import { createPics } from "../../../src/steam/pics.ts";
import { nameLabels } from "../../../src/sync/label-names.ts";
import { silent } from "../../support/templates.ts";

type Reply = { tags: object[] } | { categories: object[] };

/** The naming of labels over the product's own `Pics`; `reply` answers each request or throws. */
async function run(unconfirmed: number[], reply: (method: string) => Reply, unnamedTags: number[] = []) {
  const methods: string[] = [];
  const stored: { tags: [number, string][]; categories: [number, string][] } = { tags: [], categories: [] };
  const warnings: string[] = [];
  const logger = pino({ level: "warn" }, { write: (line: string) => warnings.push(JSON.parse(line).msg) });
  const { signal } = new AbortController();
  const pics = createPics({
    session: {
      ready: async () => {},
      status: () => ({
        ...{ connected: true, connected_since: null, reconnect_attempts: 0 },
        ...{ last_error: null, last_error_at: null, away_since: null, next_attempt_at: null },
      }),
      async request<T>(message: object) {
        const { method } = message as { method: string };
        methods.push(method);
        return [reply(method)] as T[];
      },
    },
    logger: silent,
    requestDelayMs: 0,
    concurrency: 4,
    timeoutMs: 1_000,
  });
  const store = {
    unnamedTags: async (after: number) => unnamedTags.filter((id) => id > after),
    unconfirmedCategories: async () => unconfirmed,
    async nameTags(names: ReadonlyMap<number, string>) {
      stored.tags.push(...names);
    },
    async nameCategories(names: ReadonlyMap<number, string>) {
      stored.categories.push(...names);
    },
  };
  await nameLabels({ pics, store, logger, signal });
  return { methods, stored, warnings };
}

const tagNames = "Store.GetLocalizedNameForTags#1";
const categoryNames = "StoreBrowse.GetStoreCategories#1";
const category = (categoryid: unknown, display_name: unknown) => ({ categoryid, internal_name: "key", display_name });

describe("nameLabels", () => {
  it("requests all category names once when one is unconfirmed, and none when every one is confirmed", async () => {
    const reply = () => ({ categories: [category(2, "Single-player"), category(74, "New")] });
    expect(await run([], reply)).toMatchObject({ methods: [], warnings: [] });
    const { methods, stored, warnings } = await run([74, 9_999], reply);
    expect(methods).toEqual([categoryNames]);
    expect(stored.categories).toEqual([
      [2, "Single-player"],
      [74, "New"],
    ]);
    expect(warnings).toEqual([]);
  });

  it("trims names and removes what Postgres rejects; leaves out empty names and impossible ids", async () => {
    const { stored } = await run([1], () => ({
      categories: [
        category(1, " \u0000 Multi-\u0000player\t"),
        category(2, ""),
        category(3, " \u0000 "),
        category(4, null),
        category(5, "half \ud83d of a pair"),
        category(6, "first"),
        category(6, null),
        category(0, "zero"),
        category(null, "no id"),
        category(2 ** 31, "too large"),
      ],
    }));
    expect(stored.categories).toEqual([
      [1, "Multi-player"],
      [5, "half \ufffd of a pair"],
      [6, "first"],
    ]);
  });

  it("treats the names of tags the same, and prefers the English one unless it is empty", async () => {
    const tags = [
      { tagid: 19, english_name: " Action\u0000", name: "Other" },
      { tagid: 21, english_name: " ", name: "Adventure" },
      { tagid: 492, english_name: null, name: "\u0000" },
    ];
    const { stored } = await run([], () => ({ tags }), [19, 21, 492]);
    expect(stored.tags).toEqual([
      [19, "Action"],
      [21, "Adventure"],
    ]);
  });

  it("stores nothing and warns when Steam lists no category, or none with a name", async () => {
    for (const categories of [[], [category(2, ""), category(74, null)]]) {
      const { stored, warnings } = await run([2], () => ({ categories }));
      expect(stored.categories).toEqual([]);
      expect(warnings).toEqual([expect.stringContaining("no category at all")]);
    }
  });

  it.each([tagNames, categoryNames])("names the others and warns when Steam fails %s", async (failing) => {
    const { methods, stored, warnings } = await run(
      [2],
      (method) => {
        if (method === failing) throw new SteamError("timeout", "no complete reply from Steam");
        return method === tagNames
          ? { tags: [{ tagid: 19, english_name: "Action", name: null }] }
          : { categories: [category(2, "Single-player")] };
      },
      [19],
    );
    expect(methods).toEqual([tagNames, categoryNames]);
    expect(stored.tags).toEqual(failing === tagNames ? [] : [[19, "Action"]]);
    expect(stored.categories).toEqual(failing === categoryNames ? [] : [[2, "Single-player"]]);
    expect(warnings).toHaveLength(1);
  });
});
