import type { CollectorPhase, CollectorProgress } from "../collector/progress.ts";
import type { ExportProgress } from "../exchange/export.ts";
import type { ImportProgress } from "../exchange/import.ts";
import type { LibraryProgress } from "../library/progress.ts";
import type { BulkProgress } from "../sync/progress.ts";
import type { ReextractProgress } from "../sync/reextract.ts";
import { formatCount, formatDuration, formatLine } from "./format.ts";

/** The progress of each system as a bar and figures, in one line of at most `width` columns; the end is cut off. */

export function formatBulkLine(progress: BulkProgress, width = 80): string {
  const { phase, total, done, failed, unknown, unanswered, share, swept_ids, sweep_end } = progress;
  if (phase === "starting") return formatLine(phase, null, ["waiting for Steam"], width);
  const pieces =
    phase === "sweeping"
      ? [
          `${formatCount(swept_ids)}${sweep_end ? ` of ${formatCount(sweep_end)}` : ""} ids`,
          `${formatCount(total)} to fetch`,
        ]
      : [
          `${formatCount(done + failed + unknown)} of ${formatCount(total)}`,
          `${formatCount(Math.round(progress.rate_per_second))}/s`,
        ];
  if (progress.eta_seconds !== null && phase !== "done") pieces.push(`${formatDuration(progress.eta_seconds)} left`);
  if (failed > 0) pieces.push(`${formatCount(failed)} failed`);
  if (unanswered > 0) pieces.push(`${formatCount(unanswered)} unanswered`);
  return formatLine(phase, share, pieces, width);
}

export function formatReextractLine(progress: ReextractProgress, width = 80): string {
  const { total, done, failed, rate_per_second, eta_seconds } = progress;
  const pieces = [
    `${formatCount(done + failed)} of ${formatCount(total)} apps`,
    `${formatCount(Math.round(rate_per_second))}/s`,
  ];
  if (eta_seconds !== null) pieces.push(`${formatDuration(eta_seconds)} left`);
  if (failed > 0) pieces.push(`${formatCount(failed)} failed`);
  return formatLine("reading", total > 0 ? (done + failed) / total : null, pieces, width);
}

const collectorPhaseNames: Record<CollectorPhase, string> = {
  starting: "starting",
  waiting: "waiting",
  reading_list: "app list",
  applying_list: "applying",
  all_games: "all games",
  details: "details",
  idle: "idle",
  done: "done",
};
const collectorUnitNames: Partial<Record<CollectorPhase, string>> = { all_games: "pages", details: "games" };

export function formatCollectorLine(progress: CollectorProgress, width = 80): string {
  const { phase, done, total, games } = progress;
  const unit = collectorUnitNames[phase] ?? "apps";
  const share = phase === "done" ? 1 : total === null || total === 0 ? null : Math.min(1, done / total);
  const pieces = [`${formatCount(done)}${total === null ? "" : ` of ${formatCount(total)}`} ${unit}`];
  if (progress.rate_per_minute > 0) pieces.push(`${formatCount(Math.round(progress.rate_per_minute))}/min`);
  if (progress.eta_seconds !== null && phase !== "done") pieces.push(`${formatDuration(progress.eta_seconds)} left`);
  if (progress.failed > 0) pieces.push(`${formatCount(progress.failed)} failed`);
  if (games !== null) pieces.push(`${formatCount(games.success)} known, ${formatCount(games.pending)} pending`);
  return formatLine(collectorPhaseNames[phase], share, pieces, width);
}

const libraryPhaseNames: Record<LibraryProgress["phase"], string> = {
  starting: "starting",
  steam_import: "Steam",
  igdb_enrichment: "IGDB",
  database_import: "database",
  done: "done",
};

export function formatLibraryLine({ phase, done, total }: LibraryProgress, width = 80): string {
  const share = phase === "done" ? 1 : total === null || total === 0 ? null : done / total;
  const games = total === null ? "" : `${formatCount(done)} of ${formatCount(total)} games`;
  return formatLine(libraryPhaseNames[phase], share, [games], width);
}

export function formatExportLine({ tables, tablesTotal, table, rows }: ExportProgress, width = 80): string {
  const share = tablesTotal === 0 ? null : tables / tablesTotal;
  return formatLine("export", share, [table, `${formatCount(rows)} rows`], width);
}

export function formatImportLine({ phase, table, rows, rowsTotal }: ImportProgress, width = 80): string {
  const share = rowsTotal === 0 ? null : rows / rowsTotal;
  return formatLine(phase, share, [table, `${formatCount(rows)} of ${formatCount(rowsTotal)} rows`], width);
}
