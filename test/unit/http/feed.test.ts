import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ChangeView } from "../../../src/catalog/views.ts";
import type { ChangePage, ChangeQuery } from "../../../src/db/catalog-queries.ts";
import type { ClientRequest } from "../../../src/db/catalog-reader.ts";
import { createFeed, type Feed } from "../../../src/http/feed.ts";
import { DatabaseError } from "../../../src/process/errors.ts";
import { silent } from "../../support/templates.ts";

/** A fake reader over a history of changes in memory. */
function history() {
  let length = 0;
  let away = false;
  const queries: ChangeQuery[] = [];
  const change = (id: number) => ({ id }) as ChangeView;
  const source = {
    queries,
    /** Keys of the clients that read. */
    clients: [] as string[],
    for({ client }: ClientRequest) {
      source.clients.push(client);
      return source;
    },
    grow(changes: number) {
      length += changes;
    },
    set away(value: boolean) {
      away = value;
    },
    async changes(query: ChangeQuery): Promise<ChangePage> {
      queries.push(query);
      if (away) throw new DatabaseError("unreachable", "ECONNREFUSED", "away");
      const { after = length, max } = query;
      const ids = Array.from({ length: Math.max(0, Math.min(max, length - after)) }, (_, index) => after + 1 + index);
      const has_more = after + ids.length < length;
      return {
        items: ids.map(change),
        last_id: has_more ? (ids.at(-1) ?? after) : Math.max(after, length),
        next: has_more ? (ids.at(-1) ?? after) : null,
      };
    },
  };
  return source;
}

/** Reads as the client, where there is one. */
const readerOf = (source: ReturnType<typeof history>) => (query: ChangeQuery, client?: ClientRequest) =>
  (client ? source.for(client) : source).changes(query);

describe("createFeed", () => {
  const subscribers: AbortController[] = [];
  beforeEach(() => vi.useFakeTimers());
  afterEach(async () => {
    for (const subscriber of subscribers.splice(0)) subscriber.abort();
    await vi.advanceTimersByTimeAsync(2_000);
    vi.useRealTimers();
  });

  function subscribe(feed: Feed<ChangeView>, after: number | null, client?: string) {
    const ids: number[] = [];
    const leave = new AbortController();
    subscribers.push(leave);
    const done = (async () => {
      for await (const page of feed.follow(after, leave.signal, client)) ids.push(...page.map(({ id }) => id));
    })();
    return { ids, leave, done };
  }
  const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

  it("polls only while there are subscribers, once for all of them", async () => {
    const source = history();
    const feed = createFeed({ read: readerOf(source), logger: silent });
    await advance(5_000);
    expect(source.queries).toEqual([]);
    const subscriptions = Array.from({ length: 5 }, () => subscribe(feed, null));
    await advance(5_000);
    const count = source.queries.length;
    expect(count).toBeGreaterThan(8);
    expect(count).toBeLessThan(13);
    source.grow(3);
    await advance(500);
    for (const { ids, leave } of subscriptions) {
      expect(ids).toEqual([1, 2, 3]);
      leave.abort();
    }
    await Promise.all(subscriptions.map(({ done }) => done));
    await advance(1_000);
    const after = source.queries.length;
    await advance(5_000);
    expect(source.queries).toHaveLength(after);
  });

  it("starts with the next new change, or resumes exactly after the given id", async () => {
    const source = history();
    source.grow(10);
    const feed = createFeed({ read: readerOf(source), logger: silent });
    const [fresh, resumed, old] = [subscribe(feed, null), subscribe(feed, 7), subscribe(feed, 0)];
    await advance(600);
    source.grow(2);
    await advance(600);
    expect(fresh.ids).toEqual([11, 12]);
    expect(resumed.ids).toEqual(range(8, 12));
    expect(old.ids).toEqual(range(1, 12));
    const late = subscribe(feed, 11);
    await advance(100);
    expect(late.ids).toEqual([12]);
  });

  it("skips no change when more arrive than are kept in memory, and catches up by the reads of the client", async () => {
    const source = history();
    source.grow(2_000);
    const feed = createFeed({ read: readerOf(source), logger: silent, kept: 50 });
    const [one, other] = [subscribe(feed, 2_000, "10.0.0.1"), subscribe(feed, 0, "10.0.0.2")];
    await advance(600);
    for (const burst of [700, 1, 49, 5_000, 51]) {
      source.grow(burst);
      await advance(600);
    }
    expect(one.ids).toEqual(range(2_001, 7_801));
    expect(other.ids).toEqual(range(1, 7_801));
    expect(source.clients.filter((client) => client === "10.0.0.2").length).toBeGreaterThan(4);
    expect(source.clients.length).toBeLessThan(source.queries.length);
  });

  it("waits while the database is not open yet or unreachable, polling at its usual interval", async () => {
    const source = history();
    let isOpen = false;
    const feed = createFeed({ read: (query) => (isOpen ? source.changes(query) : null), logger: silent });
    const [fresh, resumed] = [subscribe(feed, null), subscribe(feed, 0)];
    await advance(2_000);
    isOpen = true;
    await advance(600);
    source.away = true;
    source.grow(5);
    await advance(60_000);
    expect([fresh.ids, resumed.ids]).toEqual([[], []]);
    expect(source.queries.length).toBeLessThan(260);
    source.away = false;
    await advance(600);
    expect(fresh.ids).toEqual(range(1, 5));
    expect(resumed.ids).toEqual(range(1, 5));
  });

  it("starts a new window at the newest change after a time without subscribers", async () => {
    const source = history();
    const feed = createFeed({ read: readerOf(source), logger: silent });
    const first = subscribe(feed, null);
    await advance(600);
    first.leave.abort();
    await advance(2_000);
    source.grow(100);
    const second = subscribe(feed, null);
    await advance(600);
    source.grow(1);
    await advance(600);
    expect(second.ids).toEqual([101]);
    expect(first.ids).toEqual([]);
  });
});
