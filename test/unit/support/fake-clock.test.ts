import { describe, expect, it, onTestFinished } from "vitest";
import { sleep } from "../../../src/process/time.ts";
import { type FakeClockOptions, startFakeClock } from "../../support/fake-clock.ts";
import { createSimulatedSteamSpy } from "../../support/web/steamspy.ts";
import { asFetch } from "../../support/web/web-api.ts";

const realSetTimeout = globalThis.setTimeout;

function startInTest(options?: FakeClockOptions) {
  const clock = startFakeClock(options);
  onTestFinished(clock.restore);
  return clock;
}

describe("startFakeClock", () => {
  it("does not advance while a real promise is in flight", async () => {
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

  it("settles as the work does", async () => {
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

  it("rejects when the work can never end", async () => {
    const clock = startInTest();
    const stuck = clock.run(sleep(10).then(() => new Promise(() => {})));
    await expect(stuck).rejects.toThrow(/nothing to wait for.*after 10 ms: 0 calls in flight, 0 timers/);
    const spy = createSimulatedSteamSpy();
    spy.faults.add({ fault: "hang" });
    const hung = clock.run(clock.wrapFetch(asFetch(spy))("https://steamspy.com/api.php?request=all&page=0"));
    await expect(hung).rejects.toThrow(/nothing to wait for.*1 calls in flight, 0 timers/);
  });
});
