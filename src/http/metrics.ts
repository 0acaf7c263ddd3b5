import type { ServiceSnapshot } from "./snapshots.ts";

/** What `/metrics` serves. */
export interface Metrics {
  contentType: string;
  text(): Promise<string>;
}

export function createMetrics(_snapshot: () => ServiceSnapshot): Metrics {
  return { contentType: "text/plain", text: async () => "" };
}
