import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { DatabaseError } from "../process/errors.ts";
import { type RequestKind, type RequestResult, requestKinds, requestResults } from "../steam/port.ts";
import type { BatchOutcome, BatchStep } from "../sync/apply-batch.ts";
import type { ServiceSnapshot } from "./snapshot.ts";
import { watchSnapshot } from "./snapshot-metrics.ts";

/**
 * What `/metrics` tells Prometheus. What happens is counted as it happens, through the functions here; what the snapshot of the worker
 * holds is read from it when somebody asks. Every metric is explained in docs/metrics.md.
 */
export interface Metrics {
  contentType: string;
  text(): Promise<string>;
  /** Whose snapshot is read. */
  watch(snapshot: () => ServiceSnapshot): void;
  steamAnswered(kind: RequestKind, result: RequestResult, seconds: number): void;
  batchStep(step: BatchStep, seconds: number): void;
  batchOutcome(outcome: BatchOutcome): void;
  databaseFailed(error: DatabaseError): void;
  /** Counts and times the requests that this server answers. */
  observeHttp(server: FastifyInstance): void;
}

/** Every label value that is known beforehand begins at 0, so that its first rise is seen. */
const steps: readonly BatchStep[] = ["fetch", "extract", "apply"];
const outcomes = ["stored", "stale", "unknown", "failed", "lease_lost"] as const;

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Counter({
    name: "steam_requests_total",
    help: "Requests to Steam, by kind and by how they ended",
    labelNames: ["kind", "result"],
    registers,
  });
  const requestSeconds = new Histogram({
    name: "steam_request_seconds",
    help: "Time from a request to Steam to the end of its answer",
    labelNames: ["kind"],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const apps = new Counter({
    name: "pics_apps_total",
    help: "Apps of all batches, by what became of them; stored is what was written",
    labelNames: ["result"],
    registers,
  });
  const failures = new Counter({
    name: "pics_app_failures_total",
    help: "Apps that failed, by the step they failed at: extract is text that cannot be read, apply is refused by the database",
    labelNames: ["step"],
    registers,
  });
  const stepSeconds = new Histogram({
    name: "pics_batch_seconds",
    help: "Time of a batch, by step: fetch waits for its turn and for Steam, apply writes",
    labelNames: ["step"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const databaseErrors = new Counter({
    name: "database_errors_total",
    help: "Calls that the database failed, by SQLSTATE (or the code of the way there) and by what it means",
    labelNames: ["code", "fault"],
    registers,
  });
  const httpSeconds = new Histogram({
    name: "http_request_seconds",
    help: "Time of the requests that this service answered, by route; streams are left out",
    labelNames: ["route", "status"],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });

  for (const kind of requestKinds) for (const result of requestResults) requests.inc({ kind, result }, 0);
  for (const result of outcomes) apps.inc({ result }, 0);
  for (const step of steps) failures.inc({ step }, 0);

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    watch: (snapshot) => watchSnapshot(registry, snapshot),
    steamAnswered(kind, result, seconds) {
      requests.inc({ kind, result });
      if (result === "ok") requestSeconds.observe({ kind }, seconds);
    },
    batchStep: (step, seconds) => stepSeconds.observe({ step }, seconds),
    batchOutcome(outcome) {
      for (const result of outcomes) apps.inc({ result }, outcome[result]);
      for (const { step } of outcome.failures) failures.inc({ step });
    },
    databaseFailed: ({ code, fault }) => databaseErrors.inc({ code, fault }),
    observeHttp(server) {
      server.addHook("onResponse", async ({ routeOptions }, reply) => {
        if ("sse" in routeOptions) return;
        // The pattern and not the address, of which there is no end.
        httpSeconds.observe({ route: routeOptions.url ?? "none", status: reply.statusCode }, reply.elapsedTime / 1_000);
      });
    },
  };
}
