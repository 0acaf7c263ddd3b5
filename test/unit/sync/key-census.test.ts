import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { KeyCountReply, KeyCounts } from "../../../src/db/sync-calls.ts";
import { DatabaseError } from "../../../src/process/errors.ts";
import { createKeyCensus } from "../../../src/sync/key-census.ts";

type Line = Record<string, unknown> & { level: number; msg: string };

/** A census over a store that answers with `reply`, or fails; with what was sent and logged. */
function setUp(reply: (counts: KeyCounts) => Partial<KeyCountReply> = () => ({}), intervalMs = 1_000) {
  const sent: KeyCounts[] = [];
  const lines: Line[] = [];
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const store = {
    async countKeys(counts: KeyCounts): Promise<KeyCountReply> {
      sent.push(counts);
      return { added: [], first_load: false, refused: 0, ...reply(counts) };
    },
  };
  return { census: createKeyCensus({ store, logger, intervalMs }), sent, lines };
}

const everyPath = ({ keys }: KeyCounts) => ({ added: keys.map(({ path }) => path) });
const away = () => {
  throw new DatabaseError("unreachable", "ECONNREFUSED", "away");
};

describe("createKeyCensus", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  it("counts the payloads of each path and names the first app", async () => {
    const { census, sent } = setUp();
    census.count(10, ["common.a", "config"]);
    census.count(20, ["common.a"]);
    census.count(30, []);
    await census.flush();
    expect(sent.map(({ keys }) => keys)).toEqual([
      [
        { path: "common.a", payloads: 2, appid: 10 },
        { path: "config", payloads: 1, appid: 10 },
      ],
    ]);
  });

  it("names the paths that the extractor reads, once per process", async () => {
    const { census, sent } = setUp();
    for (const appid of [10, 20]) {
      census.count(appid, ["a"]);
      await census.flush();
    }
    expect(sent[0]?.read).toEqual(expect.arrayContaining(["common.name", "depots.*.manifests.*.gid"]));
    expect(new Set(sent[0]?.read).size).toBe(sent[0]?.read.length);
    expect(sent[0]?.read.filter((path) => path.includes("#"))).toEqual([]);
    expect(sent[1]?.read).toEqual([]);
  });

  it("flushes once per interval, and not while nothing was counted", async () => {
    const { census, sent } = setUp();
    await vi.advanceTimersByTimeAsync(5_000);
    census.count(10, ["a"]);
    await vi.advanceTimersByTimeAsync(999);
    census.count(20, ["a"]);
    expect(sent).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent.map(({ keys }) => keys)).toEqual([[{ path: "a", payloads: 2, appid: 10 }]]);
    await vi.advanceTimersByTimeAsync(5_000);
    await census.flush();
    expect(sent).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("flushes on stop and leaves no timer", async () => {
    const { census, sent } = setUp();
    census.count(10, ["a"]);
    await census.stop();
    expect(sent).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("sends failed counts again with the same request id, then what was counted since", async () => {
    let isAway = true;
    const { census, sent, lines } = setUp(() => (isAway ? away() : {}));
    census.count(10, ["a"]);
    await census.flush();
    census.count(20, ["a", "b"]);
    isAway = false;
    await vi.advanceTimersByTimeAsync(1_000);
    const [failed, repeated, next] = sent;
    expect(sent).toHaveLength(3);
    expect(repeated).toEqual(failed);
    expect(next?.keys).toEqual([
      { path: "a", payloads: 1, appid: 20 },
      { path: "b", payloads: 1, appid: 20 },
    ]);
    expect(next?.requestId).not.toBe(failed?.requestId);
    expect(lines).toEqual([expect.objectContaining({ level: 40, msg: expect.stringContaining("sent with the next") })]);
  });

  it("runs one flush at a time", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    const store = {
      async countKeys(): Promise<KeyCountReply> {
        running += 1;
        most = Math.max(most, running);
        await promise;
        running -= 1;
        return { added: [], first_load: false, refused: 0 };
      },
    };
    const census = createKeyCensus({ store, logger: pino({ level: "silent" }) });
    census.count(10, ["a"]);
    const first = census.flush();
    await vi.advanceTimersByTimeAsync(0);
    census.count(20, ["b"]);
    const second = census.stop();
    resolve();
    await Promise.all([first, second]);
    expect(most).toBe(1);
  });

  it("holds at most 2,000 paths between two flushes, and warns once", async () => {
    const { census, sent, lines } = setUp();
    for (let index = 0; index < 2_010; index++) census.count(10, [`key ${index}`]);
    census.count(20, ["key 7", "key 2005"]);
    await census.flush();
    expect(sent[0]?.keys).toHaveLength(2_000);
    expect(sent[0]?.keys[7]).toEqual({ path: "key 7", payloads: 2, appid: 10 });
    expect(lines).toEqual([expect.objectContaining({ level: 40, msg: expect.stringContaining("2000 keys") })]);
  });

  it.each([
    ["NUL and line breaks", "a\0b\r\nc", "a\uFFFDb\uFFFD\uFFFDc"],
    ["escape sequences", "\u001b[2Ja\u009b", "\uFFFD[2Ja\uFFFD"],
    ["direction marks", "a\u202eb", "a\uFFFDb"],
    ["lone surrogates", "a\ud800", "a\uFFFD"],
    ["more than 200 characters", "x".repeat(300), "x".repeat(200)],
    ["a pair of surrogates at the cut", `${"x".repeat(199)}😀`, `${"x".repeat(199)}\uFFFD`],
  ])("cleans a path of %s", async (_, given, expected) => {
    const { census, sent } = setUp();
    census.count(10, [given]);
    census.count(20, [given]);
    await census.flush();
    expect(sent[0]?.keys).toEqual([{ path: expected, payloads: 2, appid: 10 }]);
  });

  it("logs new keys in one line per flush, 20 of them by name", async () => {
    const { census, lines } = setUp(everyPath);
    census.count(10, ["common.new"]);
    await census.flush();
    census.count(
      20,
      Array.from({ length: 23 }, (_, index) => `key ${index}`),
    );
    await census.flush();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({ level: 30, keys: [{ path: "common.new", appid: 10 }] });
    expect(lines[0]).not.toHaveProperty("more");
    expect(lines[1]).toMatchObject({ level: 30, more: 3 });
    expect(lines[1]?.keys).toHaveLength(20);
  });

  it("logs nothing when no key is new", async () => {
    const { census, lines } = setUp();
    census.count(10, ["a"]);
    await census.stop();
    expect(lines).toEqual([]);
  });

  it("sums up the keys of the first load in one line without their names", async () => {
    let isLoading = true;
    const { census, lines } = setUp((counts) => ({ ...everyPath(counts), first_load: isLoading }));
    for (const path of ["a", "b", "c"]) {
      census.count(10, [path]);
      await census.flush();
    }
    expect(lines).toEqual([]);
    isLoading = false;
    census.count(10, ["d"]);
    await census.flush();
    await census.stop();
    expect(lines).toEqual([
      { level: 30, keys: 3, msg: expect.stringMatching(/^the first load found keys/) },
      { level: 30, keys: [{ path: "d", appid: 10 }], msg: expect.stringMatching(/^Steam sends new keys/) },
    ]);
  });

  it("sums up the first load on stop", async () => {
    const { census, lines } = setUp((counts) => ({ ...everyPath(counts), first_load: true }));
    census.count(10, ["a", "b"]);
    await census.stop();
    await census.stop();
    expect(lines).toEqual([expect.objectContaining({ keys: 2 })]);
  });

  it("warns once that the table is full", async () => {
    const { census, lines } = setUp(() => ({ refused: 5 }));
    for (let round = 0; round < 3; round++) {
      census.count(10, ["a"]);
      await census.flush();
    }
    expect(lines).toEqual([expect.objectContaining({ level: 40, refused: 5 })]);
  });
});
