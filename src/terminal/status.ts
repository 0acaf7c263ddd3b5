import type { StatusDocument } from "../catalog-source/port.ts";
import type { CatalogOverview, FailingApp, WebhookCounts, WorkerReport } from "../db/sync-calls.ts";
import { formatBytes, formatCount } from "./format.ts";
import {
  clean,
  facts,
  formatAge,
  formatMoment,
  gap,
  labelWidth,
  paint,
  paragraph,
  styled,
  type Terminal,
  table,
} from "./layout.ts";
import { workerFacts } from "./worker.ts";

/** Formats the state of the catalog and its workers; `source` names the database that was read. */
export function formatStatus(document: StatusDocument, source: string, terminal: Terminal, now: number): string {
  const lines = [
    ...paragraph(styled(terminal, "bold", `The catalog in ${source}`), terminal),
    ...catalogLines(document.catalog, terminal, now),
    ...facts([["Webhooks", describeWebhooks(document.webhooks)]], terminal),
    "",
    paint(terminal, "bold", "Workers"),
    ...workerLines(document.workers, terminal, now),
    ...failingLines(document.failing_apps, document.catalog?.failing ?? 0, terminal, now),
  ];
  return `${lines.join("\n")}\n`;
}

function catalogLines(catalog: CatalogOverview | null, terminal: Terminal, now: number): string[] {
  if (catalog === null) return ["  Not counted yet."];
  const { bulk_started_at, bulk_completed_at, last_change_number, last_verified_at, lag_seconds } = catalog;
  const moment = (time: string | null) => (time === null ? null : formatMoment(time, now));
  const unfinished = bulk_started_at === null ? "not yet" : `not yet; started ${formatMoment(bulk_started_at, now)}`;
  const oldest = lag_seconds === null ? "" : `, the oldest for ${formatAge(lag_seconds)}`;
  return facts(
    [
      ["Apps", formatCount(catalog.apps)],
      ["Loaded", moment(bulk_completed_at) ?? unfinished],
      ["Change number", last_change_number?.toString() ?? null],
      ["Verified", moment(last_verified_at)],
      ["Pending", `${formatCount(catalog.pending)}${oldest}`],
      ["Failing", formatCount(catalog.failing)],
      ["Unconfirmed", unconfirmed(catalog, now)],
      ["Size", sizeOf(catalog)],
      ["Not stored", catalog.skipped === 0 ? null : `${formatCount(catalog.skipped)} whose type APP_TYPES leaves out`],
    ],
    terminal,
  );
}

/** Of the service's tables; null in the report of an older owner. */
function sizeOf({ size }: CatalogOverview): string | null {
  if (size === null) return null;
  const growth =
    size.growth_per_day === null
      ? ""
      : `, ${size.growth_per_day < 0 ? "-" : "+"}${formatBytes(Math.abs(size.growth_per_day))} a day`;
  return `${formatBytes(size.bytes)}${growth}`;
}

/** Apps that Steam says it no longer knows; null when there are none. */
function unconfirmed({ unconfirmed: apps, mass_unknown_at }: CatalogOverview, now: number): string | null {
  if (apps === 0) return null;
  const text = `${formatCount(apps)} that Steam no longer knows, awaiting a second answer`;
  const isMass = mass_unknown_at !== null && now - Date.parse(mass_unknown_at) < 3_600_000;
  return isMass ? `${text}; too many to believe, \`bulk-sync --accept-unknown\` confirms them` : text;
}

/** `3, 1 failing, 1 given up, 12 s behind`; null when there are none. */
function describeWebhooks(counts: WebhookCounts | null | undefined): string | null {
  if (!counts || counts.total === 0) return null;
  const { total, failing, dead, disabled, lag_seconds } = counts;
  const states = [
    ...(failing > 0 ? [`${formatCount(failing)} failing`] : []),
    ...(dead > 0 ? [`${formatCount(dead)} given up`] : []),
    ...(disabled > 0 ? [`${formatCount(disabled)} disabled by the receiver`] : []),
  ];
  const lag = lag_seconds === null ? [] : lag_seconds < 1 ? ["up to date"] : [`${formatAge(lag_seconds)} behind`];
  const hint = states.length > 0 ? "; `webhook list` says why" : "";
  return `${[formatCount(total), ...states, ...lag].join(", ")}${hint}`;
}

const workerWidth = 18;

/** One column per worker, in tables of as many columns as fit. Rows without any value are omitted. */
function workerLines(workers: readonly WorkerReport[], terminal: Terminal, now: number): string[] {
  if (workers.length === 0) return ["  None seen within the last minute."];
  const room = terminal.columns - labelWidth;
  const perTable = Math.max(1, Math.floor(room / (gap + workerWidth)));
  return Array.from({ length: Math.ceil(workers.length / perTable) }, (_, index) => {
    const shown = workers.slice(index * perTable, (index + 1) * perTable).map((worker) => workerFacts(worker, now));
    const labels = (shown[0] ?? []).map(([label]) => label);
    const rows = labels.map((label, row) => [`  ${label}`, ...shown.map((facts) => facts[row]?.[1] ?? "")]);
    const widths = shown.map(() => Math.floor(room / shown.length) - gap);
    const filled = rows.filter((cells) => cells.slice(1).some((cell) => cell !== ""));
    return [...(index > 0 ? [""] : []), ...table(filled, [labelWidth, ...widths])];
  }).flat();
}

function failingLines(apps: readonly FailingApp[], failing: number, terminal: Terminal, now: number): string[] {
  if (apps.length === 0) return [];
  const rows = apps.map(({ appid, name, error, attempts, next_attempt_at }) => [
    `  ${appid}`,
    clean(name ?? ""),
    `${formatCount(attempts)} ×`,
    next_attempt_at === null ? "" : formatAge((Date.parse(next_attempt_at) - now) / 1_000),
    clean(error ?? ""),
  ]);
  const [appidWidth, nameWidth, attemptsWidth, retryWidth] = [12, 16, 6, 11];
  const errorWidth = terminal.columns - appidWidth - nameWidth - attemptsWidth - retryWidth - 4 * gap;
  if (errorWidth < minErrorWidth) return narrowFailingLines(apps, failing, terminal);
  const head = ["  App", "", "Failed", "Retry in", "Last error"].map((title) => styled(terminal, "bold", title));
  const widths = [appidWidth, nameWidth, attemptsWidth, retryWidth, errorWidth];
  return ["", ...table([head, ...rows], widths), ...moreFailing(failing - apps.length)];
}

const minErrorWidth = 12;
const moreFailing = (more: number) => (more > 0 ? [`  and ${formatCount(more)} more, see sync_status.last_error`] : []);

/** For terminals without room for five columns. */
function narrowFailingLines(apps: readonly FailingApp[], failing: number, terminal: Terminal): string[] {
  const lines = apps.flatMap(({ appid, name, error, attempts }) =>
    paragraph(`  ${appid} ${clean(name ?? "")}: ${formatCount(attempts)} × ${clean(error ?? "")}`, terminal),
  );
  return ["", paint(terminal, "bold", "Failing apps"), ...lines, ...moreFailing(failing - apps.length)];
}
