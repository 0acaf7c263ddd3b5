import { z } from "zod";
import type { WorkerReport } from "../db/catalog-store.ts";
import { formatCount } from "./format.ts";
import { clean, formatAge } from "./layout.ts";

/** What a worker says of itself, in words. */

/** Null where it does not apply to the worker. */
export type WorkerFacts = readonly (readonly [label: string, value: string | null])[];

const number = z.number().nullish().catch(null);
const text = z.string().nullish().catch(null);

/** What is shown of a snapshot. A worker of another version may say less. */
const snapshot = z
  .object({
    started_at: text,
    steam: z.object({ connected: z.boolean(), connected_since: text, last_error: text }).nullish().catch(null),
    bulk: z
      .object({ phase: z.string(), swept_ids: number, sweep_end: number, total: z.number(), done: z.number() })
      .extend({ failed: z.number(), unknown: z.number(), rate_per_second: number, eta_seconds: number })
      .nullish()
      .catch(null),
    monitor: z
      .object({ leading: z.boolean(), sweeping: z.boolean(), drain_only: z.boolean(), last_change_number: number })
      .extend({ pending: number, failing: number, lag_seconds: number })
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

/** The same labels in the same order for every worker. */
export function workerFacts({ mode, snapshot: said, seen_seconds_ago }: WorkerReport, now: number): WorkerFacts {
  const worker = snapshot.parse(said);
  const { monitor, started_at } = worker;
  return [
    ["Mode", clean(mode)],
    ["Doing", doing(worker)],
    ...progress(worker),
    ["Change number", monitor?.last_change_number?.toString() ?? null],
    ["Lag", aged(monitor?.lag_seconds)],
    ["Pending", counted(monitor?.pending)],
    ["Failing", counted(monitor?.failing)],
    ["Steam", worker.steam ? steamWords(worker.steam, now) : null],
    ["Up for", started_at ? formatAge((now - Date.parse(started_at)) / 1_000) : null],
    ["Seen", `${formatAge(seen_seconds_ago)} ago`],
  ];
}

function doing({ bulk, monitor, collector, library }: Snapshot): string {
  if (bulk && bulk.phase !== "done") return bulk.phase;
  if (monitor) {
    if (monitor.drain_only) return "fetching what others announce";
    if (monitor.sweeping) return "following, comparing all apps";
    return monitor.leading ? "following, polls Steam" : "following";
  }
  return phaseWords((collector ?? library ?? bulk)?.phase ?? "starting");
}

/** Of the work that comes to an end. A collector beside a monitor has a line of its own. */
function progress({ bulk, monitor, collector, library }: Snapshot): WorkerFacts {
  const isLoading = bulk && (!monitor || bulk.phase !== "done");
  const { eta_seconds = null } = isLoading ? bulk : (collector ?? {});
  const rate = isLoading
    ? bulk.rate_per_second && `${formatCount(Math.round(bulk.rate_per_second))}/s`
    : collector?.rate_per_minute && `${formatCount(Math.round(collector.rate_per_minute))}/min`;
  const beside = collector && (bulk || monitor) ? `${phaseWords(collector.phase)}: ${share(collector)}` : null;
  const alone = isLoading ? bulkShare(bulk) : (collector ?? library);
  return [
    ["Done", alone === null || alone === undefined || beside ? null : typeof alone === "string" ? alone : share(alone)],
    ["Collector", beside],
    ["Rate", rate || null],
    ["Left", aged(eta_seconds)],
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

function steamWords({ connected, connected_since, last_error }: NonNullable<Snapshot["steam"]>, now: number): string {
  if (!connected) return `away${last_error ? `: ${clean(last_error)}` : ""}`;
  return connected_since ? `connected for ${formatAge((now - Date.parse(connected_since)) / 1_000)}` : "connected";
}

const phaseWords = (phase: string) => clean(phase.replaceAll("_", " "));
const counted = (count: number | null | undefined) => (count == null ? null : formatCount(count));
const aged = (seconds: number | null | undefined) => (seconds == null ? null : formatAge(seconds));
