import { describe, expect, it } from "vitest";
import { createRateMeter } from "../../../src/process/rate-meter.ts";

describe("createRateMeter", () => {
  function createMeter(windowMs?: number) {
    let time = 1_000_000;
    const meter = createRateMeter(() => time, windowMs);
    const advance = (ms: number) => {
      time += ms;
    };
    return { meter, advance };
  }

  it("has rate 0 and an unknown ETA before the first count", () => {
    const { meter, advance } = createMeter();
    advance(5000);
    expect(meter.rate()).toBe(0);
    expect(meter.etaSeconds(10)).toBeNull();
    expect(meter.etaSeconds(0)).toBe(0);
  });

  it("averages over the elapsed time while that is shorter than the window", () => {
    const { meter, advance } = createMeter();
    for (let batch = 0; batch < 10; batch++) {
      advance(1000);
      meter.add(200);
    }
    expect(meter.rate()).toBe(200);
    expect(meter.etaSeconds(1000)).toBe(5);
  });

  it("ignores counts older than its window", () => {
    const { meter, advance } = createMeter();
    meter.add(100_000);
    for (let batch = 0; batch < 60; batch++) {
      advance(1000);
      meter.add(50);
    }
    expect(meter.rate()).toBeCloseTo(50, 0);
    advance(60_000);
    expect(meter.rate()).toBe(0);
  });

  it("accepts another window", () => {
    const { meter, advance } = createMeter(600_000);
    for (let page = 0; page < 30; page++) {
      advance(60_000);
      meter.add(1);
    }
    expect(meter.rate() * 60).toBeCloseTo(1, 1);
    expect(meter.etaSeconds(50)).toBe(3_000);
  });
});
