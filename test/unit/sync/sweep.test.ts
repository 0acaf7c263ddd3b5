import { describe, expect, it } from "vitest";
import { SteamError } from "../../../src/process/errors.ts";
import type { Metadata, Pics } from "../../../src/steam/port.ts";
import { emptyWindowsAtEnd, idsPerRequest, sweepIdSpace, sweepIds } from "../../../src/sync/sweep.ts";

function setUp({
  apps,
  concurrency = 4,
  refuse = () => false,
}: {
  apps: number[];
  concurrency?: number;
  refuse?: (ids: readonly number[]) => boolean;
}) {
  const asked: [first: number, last: number][] = [];
  const found: number[] = [];
  const known = new Set(apps);
  let inFlight = 0;
  let mostInFlight = 0;
  const metadata = async (ids: readonly number[]): Promise<Metadata> => {
    asked.push([ids[0] ?? 0, ids.at(-1) ?? 0]);
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    await Promise.resolve();
    inFlight -= 1;
    if (refuse(ids)) throw new SteamError("timeout", "no reply");
    return {
      apps: ids.filter((id) => known.has(id)).map((appid) => ({ appid, changeNumber: 1 })),
      unknown: ids.filter((id) => !known.has(id)),
    };
  };
  const deps = {
    pics: { metadata } as Pick<Pics, "metadata"> as Pics,
    concurrency,
    signal: new AbortController().signal,
    onWindow: async (_: readonly number[], answer: Metadata) => {
      found.push(...answer.apps.map(({ appid }) => appid));
    },
  };
  return { deps, asked, found, mostInFlight: () => mostInFlight };
}

describe("sweepIdSpace", () => {
  it.each([1, 4, 7])(
    "makes one request per window plus the trailing empty ones, with %i in flight",
    async (concurrency) => {
      const { deps, asked, found, mostInFlight } = setUp({ apps: [10, 4_999, 5_000, 5_001, 62_000], concurrency });
      await sweepIdSpace(deps, { end: null, highestKnown: 0 });
      expect(found).toEqual([10, 4_999, 5_000, 5_001, 62_000]);
      expect(asked).toHaveLength(Math.ceil(62_000 / idsPerRequest) + emptyWindowsAtEnd);
      expect(asked[0]).toEqual([1, 5_000]);
      expect(mostInFlight()).toBe(concurrency);
    },
  );

  it("continues beyond the highest stored id, however empty the space before it", async () => {
    const beyond = (emptyWindowsAtEnd + 30) * idsPerRequest;
    const { deps, asked, found } = setUp({ apps: [10, beyond] });
    await sweepIdSpace(deps, { end: null, highestKnown: beyond });
    expect(found).toEqual([10, beyond]);
    expect(asked).toHaveLength(beyond / idsPerRequest + emptyWindowsAtEnd);
  });

  it("ends at the given end", async () => {
    const { deps, asked, found } = setUp({ apps: [10, 7_000, 7_001] });
    await sweepIdSpace(deps, { end: 7_000, highestKnown: 99_999 });
    expect(found).toEqual([10, 7_000]);
    expect(asked.at(-1)).toEqual([5_001, 7_000]);
  });

  it("bisects a window that Steam does not answer", async () => {
    const { deps, asked, found } = setUp({ apps: [10, 4_000], refuse: (ids) => ids.length > 2_500 });
    await sweepIdSpace(deps, { end: 5_000, highestKnown: 0 });
    expect(found).toEqual([10, 4_000]);
    expect(asked).toEqual([
      [1, 5_000],
      [1, 2_500],
      [2_501, 5_000],
    ]);
  });
});

it("sweepIds requests 5,000 ids at a time", async () => {
  const ids = Array.from({ length: 12_001 }, (_, index) => (index + 1) * 10);
  const { deps, asked, found } = setUp({ apps: ids });
  await sweepIds(deps, ids);
  expect(asked).toHaveLength(3);
  expect(found).toEqual(ids);
});
