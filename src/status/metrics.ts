import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { DatabaseError } from "../process/errors.ts";
import { type RequestKind, type RequestResult, requestKinds, requestResults } from "../steam/port.ts";
import type { BatchOutcome, BatchStep } from "../sync/apply-batch.ts";
import { type DeliveryOutcome, deliveryOutcomes } from "../webhooks/outcome.ts";
import { createHttpMetrics, type HttpMetrics } from "./http-metrics.ts";
import type { ServiceSnapshot } from "./snapshot.ts";
import { registerSnapshotMetrics } from "./snapshot-metrics.ts";

/**
 * Prometheus metrics of `/metrics`. Events are counted when they happen, through the functions here; values in the worker's snapshot are
 * read from it on each scrape (snapshot-metrics.ts). docs/metrics.md documents every metric.
 */
export interface Metrics extends HttpMetrics {
  contentType: string;
  text(): Promise<string>;
  /** Sets the source of the snapshot. */
  watch(snapshot: () => ServiceSnapshot): void;
  steamAnswered(kind: RequestKind, result: RequestResult, seconds: number): void;
  batchStep(step: BatchStep, seconds: number): void;
  batchOutcome(outcome: BatchOutcome): void;
  databaseFailed(error: DatabaseError): void;
  webhookAnswered(outcome: DeliveryOutcome): void;
}

/** Label values known in advance are initialized to 0, so that Prometheus sees their first increase. */
const steps: readonly BatchStep[] = ["fetch", "extract", "apply"];
const outcomes = ["stored", "skipped", "stale", "unknown", "unconfirmed", "withheld", "failed", "lease_lost"] as const;

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { requests, requestSeconds, apps, failures, stepSeconds, databaseErrors, deliveries } =
    createInstruments(registry);

  for (const kind of requestKinds) for (const result of requestResults) requests.inc({ kind, result }, 0);
  for (const result of outcomes) apps.inc({ result }, 0);
  for (const step of steps) failures.inc({ step }, 0);
  for (const outcome of deliveryOutcomes) deliveries.inc({ outcome }, 0);

  return {
    ...createHttpMetrics(registry),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    watch: (snapshot) => registerSnapshotMetrics(registry, snapshot),
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
    webhookAnswered: (outcome) => deliveries.inc({ outcome }),
  };
}

/** Counters and histograms of events. */
function createInstruments(registry: Registry) {
  const registers = [registry];
  const requests = new Counter({
    name: "steam_requests_total",
    help: "Requests to Steam, by kind and result",
    labelNames: ["kind", "result"],
    registers,
  });
  const requestSeconds = new Histogram({
    name: "steam_request_seconds",
    help: "Duration of successful requests to Steam, by kind",
    labelNames: ["kind"],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const apps = new Counter({
    name: "pics_apps_total",
    help: "Apps of all batches, by result; stored ones were written",
    labelNames: ["result"],
    registers,
  });
  const failures = new Counter({
    name: "pics_app_failures_total",
    help: "Apps that failed, by step: extract (the text cannot be parsed), apply (rejected by the database)",
    labelNames: ["step"],
    registers,
  });
  const stepSeconds = new Histogram({
    name: "pics_batch_seconds",
    help: "Duration of a batch, by step: fetch (queue and Steam), extract, apply (database)",
    labelNames: ["step"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const databaseErrors = new Counter({
    name: "database_errors_total",
    help: "Failed database calls, by SQLSTATE or network error code, and by kind of fault",
    labelNames: ["code", "fault"],
    registers,
  });
  const deliveries = new Counter({
    name: "webhook_deliveries_total",
    help: "Requests to webhooks, by outcome; docs/webhooks.md has the outcomes",
    labelNames: ["outcome"],
    registers,
  });
  return { requests, requestSeconds, apps, failures, stepSeconds, databaseErrors, deliveries };
}
