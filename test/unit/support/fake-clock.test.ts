import ky from "ky";
import { describe, expect, it, onTestFinished } from "vitest";
import { sleep } from "../../../src/process/time.ts";
import { type FakeClockOptions, startFakeClock } from "../../support/fake-clock.ts";
import { createSimulatedSteamSpy } from "../../support/web/steamspy.ts";
import { asFetch } from "../../support/web/web-api.ts";

const realSetTimeout = globalThis.setTimeout;
const realTimeMs = () => Number(process.hrtime.bigint()) / 1e6;

function startInTest(options?: FakeClockOptions) {
  const clock = startFakeClock(options);
  onTestFinished(clock.restore);
  return clock;
}

describe("the fake clock", () => {
  it("takes 10,000 timers of three workers in little real time", async () => {
    const clock = startInTest({ startAt: "2025-06-01T23:59:00Z" });
    const started = realTimeMs();
    const worker = async (pauseMs: number) => {
      for (let i = 0; i < 3_334; i += 1) await sleep(pauseMs);
      return performance.now();
    };
    const ends = await clock.run(() => Promise.all([worker(1_000), worker(700), worker(333)]));
    expect(clock.elapsedMs()).toBe(3_334_000);
    expect(ends.map((end) => Math.round(end - (ends[0] ?? 0)))).toEqual([0, -300 * 3_334, -667 * 3_334]);
    expect(new Date().toISOString()).toBe("2025-06-02T00:54:34.000Z");
    expect(realTimeMs() - started).toBeLessThan(5_000);
  });

  it("stands while something real is in flight", async () => {
    const clock = startInTest();
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
    }, 30_000);
    await clock.run(clock.real(new Promise((resolve) => realSetTimeout(resolve, 60))));
    expect([timedOut, clock.elapsedMs()]).toEqual([false, 0]);
    await clock.run(sleep(29_999));
    expect(timedOut).toBe(false);
    await clock.run(sleep(1));
    expect(timedOut).toBe(true);
    clearTimeout(timer);
  });

  it("passes on how the work ends", async () => {
    const clock = startInTest();
    await expect(clock.run(sleep(5).then(() => "done"))).resolves.toBe("done");
    const fails = async () => {
      await sleep(5);
      throw new Error("broken");
    };
    await expect(clock.run(fails)).rejects.toThrow("broken");
    const refused = Promise.reject(new Error("refused"));
    await expect(clock.run(clock.real(refused))).rejects.toThrow("refused");
  });

  it("says when the work can never be done", async () => {
    const clock = startInTest();
    const stuck = clock.run(sleep(10).then(() => new Promise(() => {})));
    await expect(stuck).rejects.toThrow(/nothing to wait for.*after 10 ms: 0 calls in flight, 0 timers/);
    const spy = createSimulatedSteamSpy();
    spy.faults.add({ fault: "hang" });
    const hung = clock.run(clock.wrapFetch(asFetch(spy))("https://steamspy.com/api.php?request=all&page=0"));
    await expect(hung).rejects.toThrow(/nothing to wait for.*1 calls in flight, 0 timers/);
  });

  it("lets a client time out and try again", async () => {
    const clock = startInTest();
    const spy = createSimulatedSteamSpy();
    spy.faults.add({ fault: "hang" });
    spy.faults.add({ fault: { status: 429, retryAfter: "40" } });
    spy.faults.add({ fault: "drop" });
    const client = ky.create({
      fetch: clock.wrapFetch(asFetch(spy)),
      timeout: 30_000,
      retry: { limit: 3, retryOnTimeout: true, delay: () => 1_000, maxRetryAfter: 60_000 },
    });
    const answer = client.get("https://steamspy.com/api.php?request=all&page=9").json();
    expect(await clock.run(answer)).toEqual({});
    expect(spy.log.of("all").map(({ at }) => Math.round(at - (spy.log.calls[0]?.at ?? 0)))).toEqual([
      0, 31_000, 71_000, 72_000,
    ]);
    expect(spy.log.of("all").map(({ fault }) => fault)).toEqual(["hang", "status_429", "drop", null]);
  });
});
