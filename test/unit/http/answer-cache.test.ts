import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createAnswerCache } from "../../../src/http/api/answer-cache.ts";

/** A database whose version the test sets, and whose checks end when the test says so. */
function setUp(maxBytes?: number) {
  const state = { version: "1" as string | null, fails: false, holds: false };
  const held: (() => void)[] = [];
  let checks = 0;
  const cache = createAnswerCache({
    async version() {
      checks += 1;
      const { version } = state;
      if (state.holds) await new Promise<void>((resolve) => held.push(resolve));
      if (state.fails) throw new Error("away");
      return version;
    },
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  const answer = (text: string) => ({ etag: '"etag"', payload: Buffer.from(text) });
  return {
    state,
    cache,
    checks: () => checks,
    release() {
      for (const resolve of held.splice(0)) resolve();
    },
    begin: (key: string) => {
      const keep = cache.begin(key);
      return (text: string) => keep(answer(text));
    },
    async get(key: string) {
      return (await cache.get(key))?.payload.toString() ?? null;
    },
    /** The first request makes the version known; what it reads is not kept. */
    async start() {
      cache.begin("first");
      await setImmediate();
    },
  };
}

describe("createAnswerCache", () => {
  it("keeps an answer until something is committed", async () => {
    const { begin, get, start, state } = setUp();
    await start();
    begin("/a")("one");
    expect([await get("/a"), await get("/a"), await get("/b")]).toEqual(["one", "one", null]);
    state.version = "2";
    expect(await get("/a")).toBeNull();
    begin("/a")("two");
    expect(await get("/a")).toBe("two");
    // A version that was there before is another state of a restored database; what was kept under it is gone.
    state.version = "1";
    expect(await get("/a")).toBeNull();
  });

  it("keeps no answer that was begun before the version was known, or before it changed", async () => {
    const { begin, get, start, state } = setUp();
    const early = begin("/a");
    await start();
    early("early");
    expect(await get("/a")).toBeNull();
    begin("/b")("kept");
    const late = begin("/a");
    state.version = "2";
    expect(await get("/b")).toBeNull();
    late("late");
    expect(await get("/a")).toBeNull();
  });

  it("serves an answer only after a check that began after the request; requests share the next check", async () => {
    const { begin, get, start, state, checks, release } = setUp();
    await start();
    begin("/a")("old");
    const before = checks();
    state.holds = true;
    // Its check has read the version when the commit happens.
    const first = get("/a");
    state.version = "2";
    const others = [get("/a"), get("/a"), get("/a")];
    expect(checks() - before).toBe(1);
    release();
    expect(await first).toBe("old");
    await setImmediate();
    release();
    expect(await Promise.all(others)).toEqual([null, null, null]);
    expect(checks() - before).toBe(2);
  });

  it("keeps nothing without a version, and nothing once a check fails; requests for what is not kept cause no check", async () => {
    const { begin, get, start, state, checks } = setUp();
    await start();
    const before = checks();
    expect([await get("/a"), await get("/b")]).toEqual([null, null]);
    expect(checks()).toBe(before);
    begin("/a")("one");
    state.fails = true;
    expect(await get("/a")).toBeNull();
    state.fails = false;
    expect(await get("/a")).toBeNull();
    state.version = null;
    await start();
    begin("/a")("two");
    expect(await get("/a")).toBeNull();
  });

  it("drops the least recently used answers above its limit, and takes none that is a large part of it", async () => {
    const { begin, get, start } = setUp(16_000);
    await start();
    for (const key of ["/a", "/b", "/c"]) begin(key)("x".repeat(400));
    await get("/a");
    // Replacing one does not count it twice.
    for (let again = 0; again < 100; again++) begin("/d")("x".repeat(100));
    for (let other = 0; other < 15; other++) begin(`/${other}`)("x".repeat(600));
    expect([await get("/b"), (await get("/c"))?.length, (await get("/a"))?.length]).toEqual([null, 400, 400]);
    begin("/large")("x".repeat(1_000));
    expect(await get("/large")).toBeNull();
  });
});
