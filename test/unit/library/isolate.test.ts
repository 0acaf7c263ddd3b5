import { describe, expect, it } from "vitest";
import { asQueryRefused, isolateRefused } from "../../../src/library/isolate.ts";
import { WebError } from "../../../src/process/errors.ts";
import { createRandom } from "../../support/steam/random.ts";

const seed = Number(process.env.SEED ?? 1);

/** A server that refuses every query with a bad key, and every query at all while it is down. */
function serverWith(
  bad: readonly number[],
  { isDown = (): boolean => false, error = new WebError("unreachable", "500", 500) } = {},
) {
  const server = { queries: 0, answered: new Set<number>() };
  async function ask(keys: readonly number[]) {
    server.queries += 1;
    if (isDown() || keys.some((key) => bad.includes(key))) throw asQueryRefused(error);
    for (const key of keys) server.answered.add(key);
  }
  return { server, isolate: (keys: readonly number[]) => isolateRefused(keys, { ask, probe: () => ask([]) }) };
}

const keys = Array.from({ length: 400 }, (_, index) => index + 1);
const sorted = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b);

describe("isolateRefused", () => {
  it("sends one query when nothing is refused", async () => {
    const { server, isolate } = serverWith([]);
    expect(await isolate(keys)).toEqual([]);
    expect(server.queries).toBe(1);
  });

  it(`finds exactly the bad keys, and gets an answer for all others (SEED=${seed})`, async () => {
    const random = createRandom(seed);
    for (let round = 0; round < 40; round += 1) {
      const some = keys.slice(0, random.int(1, 400));
      const bad = random.sample(some, Math.min(some.length, random.int(1, 5)));
      const { server, isolate } = serverWith(bad);
      expect(sorted(await isolate(some)), JSON.stringify({ bad, of: some.length })).toEqual(sorted(bad));
      expect(sorted(server.answered)).toEqual(some.filter((key) => !bad.includes(key)));
    }
  });

  it("needs 21 queries for one bad key of 400", async () => {
    for (const bad of [1, 200, 400]) {
      const { server, isolate } = serverWith([bad], { error: new WebError("refused", "400", 400) });
      expect(await isolate(keys)).toEqual([bad]);
      // The first one, 18 halves and two probes.
      expect(server.queries).toBeLessThanOrEqual(21);
    }
  });

  it("refuses all keys after 128 queries when all are bad, and loses none", async () => {
    const { server, isolate } = serverWith(keys);
    expect(sorted(await isolate(keys))).toEqual(keys);
    expect(server.queries).toBe(1 + 128 + 2);
  });

  it("throws in an outage, after one more query", async () => {
    const { server, isolate } = serverWith([], { isDown: () => true });
    await expect(isolate(keys)).rejects.toThrow("500");
    expect(server.queries).toBe(2);
  });

  it("throws when an outage begins during the search", async () => {
    const { server, isolate } = serverWith([7], { isDown: () => server.queries > 5 });
    await expect(isolate(keys)).rejects.toThrow("500");
  });

  it.each([
    ["429", new WebError("limited", "429", 429)],
    ["a time-out", new WebError("unreachable", "no answer", null)],
    ["401 and 403", new WebError("denied", "401", 401)],
    ["an answer of another shape", new WebError("invalid", "another shape", 200)],
    ["any other error", new Error("a bug")],
  ])("throws without a further query: %s", async (_, error) => {
    const { server, isolate } = serverWith([7], { error: error as WebError });
    await expect(isolate(keys)).rejects.toBe(error);
    expect(server.queries).toBe(1);
  });

  it("asks once more for a single key", async () => {
    let failures = 1;
    const { server, isolate } = serverWith([], { isDown: () => failures-- > 0 });
    expect(await isolate([5])).toEqual([]);
    expect(server.queries).toBe(3);
    expect([...server.answered]).toEqual([5]);
  });
});
