import type { Logger } from "../process/logger.ts";
import { sleep } from "../process/time.ts";
import { type CollectorStore, LeaseLost } from "./store.ts";

export interface LeadOptions {
  store: Pick<CollectorStore, "lead" | "resign">;
  leaseMs: number;
  logger: Logger;
  signal: AbortSignal;
}

/**
 * Runs `work` while no other worker collects: waits for the lease, keeps it, and gives it back. The signal handed to `work` aborts with
 * {@link LeaseLost} when another worker has taken over, which happens only to one that could not reach the database in time.
 */
export async function whileLeading<T>(options: LeadOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { store, leaseMs, logger, signal } = options;
  await lead(options);
  const leading = new AbortController();
  const renewing = new AbortController();
  const forward = () => leading.abort(signal.reason);
  signal.addEventListener("abort", forward, { once: true });
  if (signal.aborted) forward();

  async function renew(): Promise<void> {
    for (;;) {
      await sleep(leaseMs / 3, renewing.signal);
      const { leading: held } = await store.lead(leaseMs);
      if (!held) throw new LeaseLost("another worker has taken over");
    }
  }
  const renewal = renew().catch((error: unknown) => {
    if (!renewing.signal.aborted) leading.abort(error);
  });

  try {
    return await work(leading.signal);
  } finally {
    renewing.abort();
    signal.removeEventListener("abort", forward);
    await renewal;
    await store
      .resign()
      .catch((error: unknown) => logger.warn({ err: error }, "the lease could not be given back; it lapses"));
  }
}

async function lead({ store, leaseMs, logger, signal }: LeadOptions): Promise<void> {
  for (let told = false; ; told = true) {
    signal.throwIfAborted();
    const { leading, freeInMs } = await store.lead(leaseMs);
    if (leading) return;
    if (!told) logger.info({ freeInMs }, "another worker collects, or its lease has not lapsed yet; waiting");
    await sleep(Math.min(Math.max(freeInMs ?? 0, 100), leaseMs / 3), signal);
  }
}
