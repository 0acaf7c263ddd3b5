/** Apps stored a second, over the last half hour: a small ring in memory, filled whether or not anybody looks. */
export interface Throughput {
  /** `[unix seconds, apps a second]` after `since`, the oldest first. */
  after(since: number): [number, number][];
  stop(): void;
}

const everyMs = 2_000;
const keptSamples = 900;

/** `count` is how many have been stored since the start. */
export function watchThroughput(count: () => number, now: () => number = Date.now): Throughput {
  const samples: [number, number][] = [];
  let last = { at: now(), count: count() };

  const timer = setInterval(() => {
    const next = { at: now(), count: count() };
    const seconds = (next.at - last.at) / 1_000;
    const rate = seconds > 0 ? Math.round(((next.count - last.count) / seconds) * 10) / 10 : 0;
    samples.push([Math.round(next.at / 1_000), rate]);
    if (samples.length > keptSamples) samples.shift();
    last = next;
  }, everyMs).unref();

  return {
    after: (since) => samples.filter(([at]) => at > since),
    stop: () => clearInterval(timer),
  };
}
