import { describe, expect, it } from "vitest";
import { createLanes, type Lane } from "../../../src/db/lanes.ts";

/** Jobs of a given duration, on a fake clock that they advance. */
function setUp() {
  let now = 0;
  const lanes = createLanes(() => now);
  const order: string[] = [];
  const add = (lane: Lane, name: string, tookMs: number) =>
    lanes.add(lane, async () => {
      order.push(name);
      now += tookMs;
      return name;
    });
  return { lanes, order, add };
}

describe("createLanes", () => {
  it("runs one job at a time, each lane in order, work before reads", async () => {
    const { order, add } = setUp();
    const jobs = [add("read", "r1", 1), add("read", "r2", 1), add("work", "w1", 0), add("work", "w2", 0)];
    expect(await Promise.all(jobs)).toEqual(["r1", "r2", "w1", "w2"]);
    // r1 was added while nothing else was waiting.
    expect(order).toEqual(["r1", "w1", "w2", "r2"]);
  });

  it("gives reads all the time while no work is waiting", async () => {
    const { order, add } = setUp();
    await Promise.all(Array.from({ length: 50 }, (_, index) => add("read", `r${index}`, 100)));
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => `r${index}`));
  });

  it("gives reads a small share of the time while work is waiting, so that neither lane starves", async () => {
    let now = 0;
    const lanes = createLanes(() => now);
    const spentMs = { work: 0, read: 0 };
    let reads = 0;
    /** Keeps both lanes filled: each job adds the next of its lane. */
    function add(lane: Lane): Promise<void> {
      return lanes.add(lane, async () => {
        if (now > 60_000) return;
        const tookMs = lane === "work" ? 150 : 2;
        now += tookMs;
        spentMs[lane] += tookMs;
        reads += lane === "read" ? 1 : 0;
        void add(lane);
      });
    }
    await Promise.all([add("work"), add("work"), add("read"), add("read"), add("read")]);
    await new Promise((resolve) => setImmediate(resolve));
    const share = spentMs.read / (spentMs.read + spentMs.work);
    expect(share).toBeGreaterThan(0.05);
    expect(share).toBeLessThan(0.09);
    expect(reads).toBeGreaterThan(1_000);
  });

  it("holds reads back after a long one until their share is positive again", async () => {
    const { order, add } = setUp();
    const jobs = [add("work", "w0", 1_000), add("read", "long", 400), add("read", "next", 1)];
    for (let index = 1; index <= 8; index++) jobs.push(add("work", `w${index}`, 1_000));
    await Promise.all(jobs);
    // Reads earn 80 ms per second of work, of which at most 50 are kept: the next one waits until the 400 ms are earned.
    expect(order.indexOf("long")).toBe(1);
    expect(order.indexOf("next")).toBeGreaterThan(5);
  });

  it("runs the next read of a caller that adds it after the last one's result, while their share lasts", async () => {
    const { order, add } = setUp();
    const works = [add("work", "w0", 1_000)];
    const reads = (async () => {
      await add("read", "r1", 20);
      await add("read", "r2", 20);
      await add("read", "r3", 20);
    })();
    for (let index = 1; index <= 3; index++) works.push(add("work", `w${index}`, 1));
    await Promise.all([reads, ...works]);
    expect(order.slice(0, 5)).toEqual(["w0", "r1", "r2", "r3", "w1"]);
  });

  it("continues after a job that fails", async () => {
    const { lanes, add } = setUp();
    const failing = lanes.add("work", async () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await add("work", "w", 1)).toBe("w");
  });
});
