import { z } from "zod";
import type { WorkerReport } from "../db/sync-calls.ts";
import { formatCount } from "./format.ts";
import { clean, formatAge } from "./layout.ts";

/** Formats the report of a worker. */

/** The value is null when it does not apply to the worker. */
export type WorkerFacts = readonly (readonly [label: string, value: string | null])[];

const number = z.number().nullish().catch(null);
const text = z.string().nullish().catch(null);

/** The parts of a snapshot that are shown. A worker of another version may report fewer or other fields, so everything is optional. */
const snapshot = z
  .object({
    started_at: text,
    steam: z.object({ connected: z.boolean(), connected_since: text, last_error: text }).nullish().catch(null),
    bulk: z
      .object({ phase: z.string(), swept_ids: number, sweep_end: number, total: z.number(), done: z.number() })
      .extend({ failed: z.number(), unknown: z.number(), unanswered: number })
      .extend({ rate_per_second: number, eta_seconds: number })
      .nullish()
      .catch(null),
    monitor: z
      .object({ leading: z.boolean(), sweeping: z.boolean(), drain_only: z.boolean(), last_change_number: number })
      .extend({ pending: number, failing: number, lag_seconds: number, unanswered: number })
      .nullish()
      .catch(null),
    collector: z
      .object({ phase: z.string(), done: z.number(), total: number, rate_per_minute: number, eta_seconds: number })
      .nullish()
      .catch(null),
    library: z.object({ phase: z.string(), done: z.number(), total: number }).nullish().catch(null),
  })
  .catch({});
type Snapshot = z.output<typeof snapshot>;

/** Returns the same labels in the same order for every worker. */
export function workerFacts({ mode, snapshot: report, seen_seconds_ago }: WorkerReport, now: number): WorkerFacts {
  const worker = snapshot.parse(report);
  const { monitor, started_at } = worker;
  return [
    ["Mode", clean(mode)],
    ["Doing", currentTask(worker)],
    ...progress(worker),
    ["Change number", monitor?.last_change_number?.toString() ?? null],
    ["Lag", optionalAge(monitor?.lag_seconds)],
    ["Pending", optionalCount(monitor?.pending)],
    ["Failing", optionalCount(monitor?.failing)],
    ["Unanswered", optionalCount((monitor ?? worker.bulk)?.unanswered || null)],
    ["Steam", worker.steam ? formatSteam(worker.steam, now) : null],
    ["Up for", started_at ? formatAge((now - Date.parse(started_at)) / 1_000) : null],
    ["Seen", `${formatAge(seen_seconds_ago)} ago`],
  ];
}

function currentTask({ bulk, monitor, collector, library }: Snapshot): string {
  if (bulk && bulk.phase !== "done") return bulk.phase;
  if (monitor) {
    if (monitor.drain_only) return "fetching pending apps only";
    if (monitor.sweeping) return "following, full sweep";
    return monitor.leading ? "following, polls Steam" : "following";
  }
  return formatPhase((collector ?? library ?? bulk)?.phase ?? "starting");
}

/** Progress of work with a known end. A collector beside a monitor gets its own row. */
function progress({ bulk, monitor, collector, library }: Snapshot): WorkerFacts {
  const isLoading = bulk && (!monitor || bulk.phase !== "done");
  const { eta_seconds = null } = isLoading ? bulk : (collector ?? {});
  const rate = isLoading
    ? bulk.rate_per_second && `${formatCount(Math.round(bulk.rate_per_second))}/s`
    : collector?.rate_per_minute && `${formatCount(Math.round(collector.rate_per_minute))}/min`;
  const beside = collector && (bulk || monitor) ? `${formatPhase(collector.phase)}: ${share(collector)}` : null;
  const work = collector ?? library;
  const alone = isLoading ? bulkShare(bulk) : work ? share(work) : null;
  return [
    ["Done", beside ? null : alone],
    ["Collector", beside],
    ["Rate", rate || null],
    ["Left", optionalAge(eta_seconds)],
  ];
}

function bulkShare({
  phase,
  swept_ids,
  sweep_end,
  total,
  done,
  failed,
  unknown,
}: NonNullable<Snapshot["bulk"]>): string {
  if (phase === "sweeping") return `${share({ done: swept_ids ?? 0, total: sweep_end })} ids`;
  return `${share({ done: done + failed + unknown, total })}${failed > 0 ? `, ${formatCount(failed)} failed` : ""}`;
}

function share({ done, total }: { done: number; total?: number | null | undefined }): string {
  return total ? `${formatCount(done)} of ${formatCount(total)}` : formatCount(done);
}

function formatSteam({ connected, connected_since, last_error }: NonNullable<Snapshot["steam"]>, now: number): string {
  if (!connected) return `disconnected${last_error ? `: ${clean(last_error)}` : ""}`;
  return connected_since ? `connected for ${formatAge((now - Date.parse(connected_since)) / 1_000)}` : "connected";
}

const formatPhase = (phase: string) => clean(phase.replaceAll("_", " "));
const optionalCount = (count: number | null | undefined) => (count == null ? null : formatCount(count));
const optionalAge = (seconds: number | null | undefined) => (seconds == null ? null : formatAge(seconds));
