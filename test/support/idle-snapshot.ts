import type { ServiceSnapshot } from "../../src/status/snapshot.ts";

/** The state of a worker that has nothing to do. */
export const idleSnapshot: ServiceSnapshot = {
  mode: "sync",
  started_at: new Date().toISOString(),
  steam: null,
  database: { driver: "postgres", reachable: true, reachable_since: null, last_error: null },
  bulk: null,
  monitor: null,
  collector: null,
  library: null,
  apps_stored: 0,
  failing_apps: [],
  loops: [],
};
