import { describe, expect, it } from "vitest";
import { SteamError } from "../../../src/process/errors.ts";
import type { Metadata, Pics } from "../../../src/steam/port.ts";
import { maxRounds } from "../../../src/sync/metadata-window.ts";
import { createSweep, emptyIdsAtEnd, endBehind, idsPerRequest, type SweepDeps } from "../../../src/sync/sweep.ts";
import { createRandom } from "../../support/steam/random.ts";
import { silent } from "../../support/templates.ts";

type Reply = (ids: readonly number[], whole: Metadata, request: number) => Metadata;

interface Setting {
  apps: number[];
  /** Those of `apps` that are stored. */
  stored?: number[];
  concurrency?: number;
  /** Distorts the reply to a request, whose number counts from 1. */
  reply?: Reply;
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);
const nothing: Metadata = { apps: [], unknown: [] };
/** A reply that leaves these ids out. */
const without = ({ apps, unknown }: Metadata, left: (id: number) => boolean): Metadata => ({
  apps: apps.filter(({ appid }) => !left(appid)),
  unknown: unknown.filter((id) => !left(id)),
});

/** Steam and the store in memory, without delays between rounds. */
function setUp({ apps, stored = [], concurrency = 4, reply = (_, whole) => whole }: Setting) {
  const requests: (readonly number[])[] = [];
  const found: number[] = [];
  const unknown: number[] = [];
  const known = new Set(apps);
  const lookups: number[] = [];
  let inFlight = 0;
  let mostInFlight = 0;
  const metadata = async (ids: readonly number[]): Promise<Metadata> => {
    const request = requests.push(ids);
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    await Promise.resolve();
    inFlight -= 1;
    const whole = {
      apps: ids.filter((id) => known.has(id)).map((appid) => ({ appid, changeNumber: 1, needsToken: false })),
      unknown: ids.filter((id) => !known.has(id)),
    };
    return reply(ids, whole, request);
  };
  const deps: SweepDeps = {
    pics: { metadata } as Pick<Pics, "metadata">,
    async knownAmong(ids) {
      lookups.push(ids.length);
      return ids.filter((id) => stored.includes(id));
    },
    logger: silent,
    concurrency,
    signal: new AbortController().signal,
    backoff: { firstMs: 0, maxMs: 0 },
    async onWindow(_, answer) {
      found.push(...answer.apps.map(({ appid }) => appid));
      unknown.push(...answer.unknown);
    },
  };
  const asked = () => requests.map((ids) => [ids[0], ids.at(-1)]);
  return { sweep: createSweep(deps), requests, asked, found, unknown, lookups, mostInFlight: () => mostInFlight };
}

describe("sweep of the id space", () => {
  it.each([1, 4, 7])(
    "requests every id once, in full requests, the multiples of ten first, with %i in flight",
    async (concurrency) => {
      const apps = [10, 4_999, 5_000, 5_001, 62_000, 62_001];
      const { sweep, requests, found, lookups, mostInFlight } = setUp({ apps, concurrency });
      await sweep.idSpace({ end: null, highestKnown: 0 });
      sweep.finish();
      expect(found).toEqual([10, 5_000, 62_000, 4_999, 5_001, 62_001]);
      expect(requests.map((ids) => ids.length)).toEqual(Array(200_000 / idsPerRequest).fill(idsPerRequest));
      expect(requests.slice(0, 4).flat()).toEqual(range(1, 20_000).map((index) => index * 10));
      expect(requests.flat().toSorted((a, b) => a - b)).toEqual(range(1, 200_000));
      expect(mostInFlight()).toBe(Math.min(concurrency, 36));
      expect(lookups).toEqual([]);
      expect(sweep.unanswered()).toBe(0);
    },
  );

  it("continues beyond the highest stored id, however empty the space before it", async () => {
    const beyond = 3 * emptyIdsAtEnd + 7;
    const { sweep, requests, found } = setUp({ apps: [10, beyond] });
    await sweep.idSpace({ end: null, highestKnown: beyond });
    expect(found).toEqual([10, beyond]);
    expect(requests).toHaveLength(endBehind(beyond) / idsPerRequest);
  });

  it("goes on behind an app that is found near the end, multiple of ten or not", async () => {
    const apps = [99_990, 199_991, 249_990, 449_990];
    const { sweep, requests, found } = setUp({ apps });
    await sweep.idSpace({ end: null, highestKnown: 0 });
    expect(found).toEqual([99_990, 199_991, 249_990]);
    expect(requests.flat().toSorted((a, b) => a - b)).toEqual(range(1, endBehind(249_990)));
  });

  it("ends at the given end", async () => {
    const { sweep, asked, found } = setUp({ apps: [10, 7_000, 7_001] });
    await sweep.idSpace({ end: 7_000, highestKnown: 99_999 });
    expect(found).toEqual([10, 7_000]);
    expect(asked()).toEqual([
      [10, 7_000],
      [1, 5_555],
      [5_556, 6_999],
    ]);
  });

  it("ends where apps end, also when Steam mentions only ids that exist", async () => {
    const apps = [10, 7_000, 12_000];
    const { sweep, asked, found, unknown } = setUp({ apps, reply: (_, { apps }) => ({ apps, unknown: [] }) });
    await sweep.idSpace({ end: null, highestKnown: 0 });
    sweep.finish();
    expect(found).toEqual(apps);
    expect(unknown).toEqual([]);
    expect(sweep.unanswered()).toBe(endBehind(12_000) - apps.length);
    // 1 + 2 + 4 requests where apps exist; one more round, of 8, where only the control id shows that Steam answers.
    expect(asked()).toHaveLength(7 + (endBehind(12_000) / idsPerRequest - 1) * 15);
  });
});

it("sweeps given ids 5,000 at a time", async () => {
  const ids = range(1, 12_001).map((id) => id * 10);
  const { sweep, asked, found } = setUp({ apps: ids });
  await sweep.ids(ids);
  expect(asked()).toHaveLength(3);
  expect(found).toEqual(ids);
});

describe("ids that Steam leaves unanswered", () => {
  const timeout = () => {
    throw new SteamError("timeout", "no complete reply within 60 s");
  };

  it.each<[string, Reply]>([
    ["fails", (ids, whole) => (ids.length > 2_600 ? timeout() : whole)],
    ["answers nothing", (ids, whole) => (ids.length > 2_600 ? nothing : whole)],
  ])("are requested in halves when a large request %s", async (_, reply) => {
    const { sweep, asked, found } = setUp({ apps: [10, 4_000], reply });
    await sweep.ids(range(1, 5_000));
    sweep.finish();
    expect(found).toEqual([10, 4_000]);
    expect(asked()).toEqual([
      [1, 5_000],
      [1, 2_500],
      [2_501, 10], // with the control id
    ]);
  });

  it("are requested again without those that were answered, with an app of the sweep as control", async () => {
    const { sweep, requests, found } = setUp({
      apps: range(1, 10),
      reply: (_, whole, request) => (request === 1 ? without(whole, (id) => id > 6) : whole),
    });
    await sweep.ids(range(1, 10));
    sweep.finish();
    expect(found).toEqual(range(1, 10));
    expect(requests).toEqual([range(1, 10), [7, 8, 9, 10, 6]]);
  });

  it("end a round at the first request without any answer: Steam is mute then", async () => {
    const { sweep, requests, found } = setUp({
      apps: range(1, 8),
      reply: (_, whole, request) => (request <= 3 ? nothing : whole),
    });
    await sweep.ids(range(1, 8));
    expect(requests.map((ids) => ids.length)).toEqual([8, 4, 2, 1, 2, 2, 2, 2, 2, 2, 2]);
    expect(found).toEqual(range(1, 8));
  });

  it("count as unknown and are reported when they were never stored and three answers left them out", async () => {
    const omitted = (id: number) => id % 2 === 0;
    const { sweep, requests, found, unknown, lookups } = setUp({
      apps: range(1, 9),
      reply: (_, whole) => without(whole, omitted),
    });
    await sweep.ids(range(1, 12));
    sweep.finish();
    expect(found).toEqual([1, 3, 5, 7, 9]);
    expect(unknown).toEqual([11]);
    expect(sweep.unanswered()).toBe(6);
    expect(lookups).toEqual([6]);
    expect(requests.length).toBeLessThan(1 + 6 + 6);
  });

  it("fail the sweep at its end when they are stored, after all other windows", async () => {
    const ids = range(1, 2 * idsPerRequest);
    const { sweep, found, lookups } = setUp({
      apps: ids,
      stored: [3, 4],
      reply: (_, whole) => without(whole, (id) => id <= 4),
    });
    await sweep.ids(ids);
    expect(found).toHaveLength(ids.length - 4);
    expect(sweep.unanswered()).toBe(4);
    expect(lookups).toEqual([4]);
    expect(() => sweep.finish()).toThrow(
      expect.objectContaining({
        fault: "silent",
        message: `Steam left 2 ids unanswered (3, 4) after ${maxRounds} rounds of requests; nothing was concluded from its silence`,
      }),
    );
  });

  it("fail the sweep no more once a later part of it has them answered", async () => {
    let isOmitted = true;
    const { sweep, found } = setUp({
      apps: [3, 4],
      stored: [3, 4],
      reply: (_, whole) => without(whole, (id) => isOmitted && id === 3),
    });
    await sweep.ids([3, 4]);
    isOmitted = false;
    await sweep.ids([3, 4]);
    sweep.finish();
    expect(found).toEqual([4, 3, 4]);
    expect(sweep.unanswered()).toBe(0);
  });

  it.each<[string, Reply, string]>([
    ["answers nothing", () => nothing, ""],
    ["answers other ids", () => ({ apps: [{ appid: 7, changeNumber: 1, needsToken: false }], unknown: [8] }), ""],
    ["times out", timeout, ". Last error: no complete reply within 60 s"],
  ])("end the sweep at once when Steam %s in every round", async (_, reply, cause) => {
    const { sweep, requests, found } = setUp({ apps: [101], reply, concurrency: 1 });
    await expect(sweep.ids(range(101, 100 + 3 * idsPerRequest))).rejects.toMatchObject({
      fault: "silent",
      message: `Steam left 5000 of 5000 ids unanswered after ${maxRounds} rounds of requests; nothing was concluded from its silence${cause}`,
    });
    expect(requests).toHaveLength(maxRounds);
    expect(found).toEqual([]);
    expect(sweep.unanswered()).toBe(idsPerRequest);
  });

  it("leave what the same window was answered before Steam went mute to be marked", async () => {
    const { sweep, found } = setUp({
      apps: range(1, 10),
      reply: (_, whole, request) => (request === 1 ? without(whole, (id) => id > 6) : nothing),
    });
    await expect(sweep.ids(range(1, 10))).rejects.toThrow("4 of 10 ids");
    expect(found).toEqual(range(1, 6));
  });

  it("do not hide an error that is none of Steam's", async () => {
    const { sweep } = setUp({
      apps: [1],
      reply: () => {
        throw new TypeError("broken");
      },
    });
    await expect(sweep.ids([1])).rejects.toThrow("broken");
  });
});

/**
 * Steam leaves out ids, answers twice, answers nothing or times out, at random. Whatever it does, an app that it did
 * not leave out of three answers is found, and so is each stored app, or the sweep fails.
 */
it.each(Array.from({ length: 60 }, (_, index) => index + (Number(process.env.SEED) || 1)))(
  "a sweep finds every app or fails, however Steam is silent (SEED=%i)",
  async (seed) => {
    const random = createRandom(seed);
    const rate = { omitted: random.next() * 0.7, silent: random.next() * 0.5, timeout: random.next() * 0.3 };
    const ids = range(1, 40);
    const apps = ids.filter(() => random.chance(0.6));
    const stored = apps.filter(() => random.chance(0.5));
    const omissions = new Map<number, number>();
    const reply: Reply = (_, whole) => {
      if (random.chance(rate.timeout)) throw new SteamError("timeout", "no reply");
      if (random.chance(rate.silent)) return nothing;
      const reply = without(whole, () => random.chance(rate.omitted));
      const named = new Set([...reply.apps.map(({ appid }) => appid), ...reply.unknown]);
      for (const { appid } of whole.apps) if (!named.has(appid)) omissions.set(appid, (omissions.get(appid) ?? 0) + 1);
      return { apps: [...reply.apps, ...reply.apps.slice(0, 1)], unknown: [...reply.unknown, 99] };
    };
    const { sweep, found, unknown, requests } = setUp({ apps, stored, reply });

    let failed = false;
    try {
      await sweep.ids(ids);
      sweep.finish();
    } catch (error) {
      expect(error).toMatchObject({ name: "SteamError", fault: "silent" });
      failed = true;
    }
    expect(requests.length).toBeLessThanOrEqual(1 + 2 + 4 + 8 + 16 + 20);
    expect(new Set(found).size).toBe(found.length);
    expect(found.filter((id) => !apps.includes(id))).toEqual([]);
    expect(unknown.filter((id) => apps.includes(id) || !ids.includes(id))).toEqual([]);
    if (failed) return;
    const missed = apps.filter((id) => !found.includes(id));
    expect(missed.filter((id) => stored.includes(id) || (omissions.get(id) ?? 0) < 3)).toEqual([]);
    expect(sweep.unanswered()).toBe(ids.length - found.length - unknown.length);
  },
);
