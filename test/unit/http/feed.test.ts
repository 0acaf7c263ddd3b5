import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ChangeView } from "../../../src/catalog/views.ts";
import type { ChangePage, ChangeQuery } from "../../../src/db/catalog-reader.ts";
import { createFeed } from "../../../src/http/feed.ts";
import { DatabaseError } from "../../../src/process/errors.ts";
import { silent } from "../../support/templates.ts";

/** A history in memory, asked as the reader is. */
function history() {
  let length = 0;
  let away = false;
  const asked: ChangeQuery[] = [];
  const change = (id: number) => ({ id }) as ChangeView;
  return {
    asked,
    grow(changes: number) {
      length += changes;
    },
    set away(value: boolean) {
      away = value;
    },
    async changes(query: ChangeQuery): Promise<ChangePage> {
      asked.push(query);
      if (away) throw new DatabaseError("unreachable", "ECONNREFUSED", "away");
      const { after = length, max } = query;
      const ids = Array.from({ length: Math.max(0, Math.min(max, length - after)) }, (_, index) => after + 1 + index);
      const has_more = after + ids.length < length;
      return {
        changes: ids.map(change),
        last_id: has_more ? (ids.at(-1) ?? after) : Math.max(after, length),
        has_more,
      };
    },
  };
}

describe("the feed", () => {
  const leaving: AbortController[] = [];
  beforeEach(() => vi.useFakeTimers());
  afterEach(async () => {
    for (const reader of leaving.splice(0)) reader.abort();
    await vi.advanceTimersByTimeAsync(2_000);
    vi.useRealTimers();
  });

  function listen(feed: ReturnType<typeof createFeed>, after: number | null) {
    const ids: number[] = [];
    const leave = new AbortController();
    leaving.push(leave);
    const done = (async () => {
      for await (const page of feed.follow(after, leave.signal)) ids.push(...page.map(({ id }) => id));
    })();
    return { ids, leave, done };
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

  it("asks nothing while nobody listens, and once for all who do", async () => {
    const source = history();
    const feed = createFeed({ reader: () => source, logger: silent });
    await pass(5_000);
    expect(source.asked).toEqual([]);
    const listeners = Array.from({ length: 5 }, () => listen(feed, null));
    await pass(5_000);
    const questions = source.asked.length;
    expect(questions).toBeGreaterThan(8);
    expect(questions).toBeLessThan(13);
    source.grow(3);
    await pass(500);
    for (const { ids, leave } of listeners) {
      expect(ids).toEqual([1, 2, 3]);
      leave.abort();
    }
    await Promise.all(listeners.map(({ done }) => done));
    await pass(1_000);
    const after = source.asked.length;
    await pass(5_000);
    expect(source.asked).toHaveLength(after);
  });

  it("begins with what comes next, or exactly after what was seen", async () => {
    const source = history();
    source.grow(10);
    const feed = createFeed({ reader: () => source, logger: silent });
    const [fresh, resumed, old] = [listen(feed, null), listen(feed, 7), listen(feed, 0)];
    await pass(600);
    source.grow(2);
    await pass(600);
    expect(fresh.ids).toEqual([11, 12]);
    expect(resumed.ids).toEqual(upTo(8, 12));
    expect(old.ids).toEqual(upTo(1, 12));
    const late = listen(feed, 11);
    await pass(100);
    expect(late.ids).toEqual([12]);
  });

  it("leaves nothing out where more comes than it keeps", async () => {
    const source = history();
    const feed = createFeed({ reader: () => source, logger: silent, kept: 50 });
    const [one, other] = [listen(feed, null), listen(feed, 0)];
    await pass(600);
    for (const burst of [700, 1, 49, 5_000, 51]) {
      source.grow(burst);
      await pass(600);
    }
    expect(one.ids).toEqual(upTo(1, 5_801));
    expect(other.ids).toEqual(upTo(1, 5_801));
  });

  it("waits for a database that is away, and for one that is not open yet", async () => {
    const source = history();
    let isOpen = false;
    const feed = createFeed({ reader: () => (isOpen ? source : null), logger: silent });
    const [fresh, resumed] = [listen(feed, null), listen(feed, 0)];
    await pass(2_000);
    isOpen = true;
    await pass(600);
    source.away = true;
    source.grow(5);
    await pass(60_000);
    expect([fresh.ids, resumed.ids]).toEqual([[], []]);
    // It asks at its usual pace meanwhile.
    expect(source.asked.length).toBeLessThan(260);
    source.away = false;
    await pass(600);
    expect(fresh.ids).toEqual(upTo(1, 5));
    expect(resumed.ids).toEqual(upTo(1, 5));
  });

  it("begins anew for those who come after a while without anybody", async () => {
    const source = history();
    const feed = createFeed({ reader: () => source, logger: silent });
    const first = listen(feed, null);
    await pass(600);
    first.leave.abort();
    await pass(2_000);
    source.grow(100);
    const second = listen(feed, null);
    await pass(600);
    source.grow(1);
    await pass(600);
    expect(second.ids).toEqual([101]);
    expect(first.ids).toEqual([]);
  });
});
