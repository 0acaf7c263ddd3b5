/** Throughput of the last half hour, in apps stored per second: a ring buffer in memory, sampled whether or not a page is open. */
export interface Throughput {
  /** `[unix seconds, apps per second]` after `since`, oldest first. */
  after(since: number): [number, number][];
  stop(): void;
}

const sampleIntervalMs = 2_000;
const maxSamples = 900;

/** Starts to sample; `count` returns the number of apps stored since the start. */
export function startThroughputSampler(count: () => number, now: () => number = Date.now): Throughput {
  const samples: [number, number][] = [];
  let last = { at: now(), count: count() };

  const timer = setInterval(() => {
    const next = { at: now(), count: count() };
    const seconds = (next.at - last.at) / 1_000;
    const rate = seconds > 0 ? Math.round(((next.count - last.count) / seconds) * 10) / 10 : 0;
    samples.push([Math.round(next.at / 1_000), rate]);
    if (samples.length > maxSamples) samples.shift();
    last = next;
  }, sampleIntervalMs).unref();

  return {
    after: (since) => samples.filter(([at]) => at > since),
    stop: () => clearInterval(timer),
  };
}
