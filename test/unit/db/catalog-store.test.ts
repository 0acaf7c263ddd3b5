import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createCatalogStore } from "../../../src/db/catalog-store.ts";
import type { Database } from "../../../src/db/database.ts";
import { createDatabaseRetry } from "../../../src/db/retry.ts";
import type { ApplyRequest, StoredRecord } from "../../../src/db/sync-calls.ts";
import { DatabaseError } from "../../../src/process/errors.ts";
import { silent } from "../../support/templates.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const request: ApplyRequest = {
  leaseId: "lease",
  apps: [],
  extractorVersion: 2,
  isReextract: false,
  unknown: [],
  failed: [{ appid: 10, error: "no reply" }],
  tokens: [],
  appBackoff: { firstMs: 1, maxMs: 1 },
  unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
  history: true,
};
const reply = {
  stored: 0,
  stale: 0,
  unknown: 0,
  unconfirmed: 0,
  withheld: 0,
  failed: 1,
  skipped: 0,
  lease_lost: 0,
  doubted: [],
  mass_unknown: false,
};

/** A database that times out twice. */
function setUp() {
  let calls = 0;
  const requestIds = new Set<unknown>();
  const db: Database = {
    driver: "supabase",
    async rpc(_, args = {}) {
      calls += 1;
      requestIds.add((args.request as { request_id: string }).request_id);
      if (calls <= 2) throw new DatabaseError("timeout", "57014", "canceling statement due to statement timeout");
      return reply;
    },
    async close() {},
  };
  const store = createCatalogStore(db, createDatabaseRetry("supabase", { logger: silent }));
  return { store, requestIds, calls: () => calls };
}

it("retries a write without apps after a timeout, with the same request id", async () => {
  const { store, requestIds, calls } = setUp();
  const applied = store.apply(request);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await applied).toEqual(reply);
  expect(calls()).toBe(3);
  expect(requestIds.size).toBe(1);
});

it("does not retry a write with apps after a timeout, since the caller can split it", async () => {
  const { store, calls } = setUp();
  const apps = [{ appid: 10 } as StoredRecord];
  await expect(store.apply({ ...request, apps })).rejects.toMatchObject({ fault: "timeout" });
  expect(calls()).toBe(1);
});
