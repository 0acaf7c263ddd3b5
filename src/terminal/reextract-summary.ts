import type { Logger, Output } from "../process/logger.ts";
import type { ReextractSummary } from "../sync/reextract.ts";
import { formatCount, formatDuration } from "./format.ts";
import { clean } from "./layout.ts";

const failedLimit = 5;

/** Reports the summary: as text on a terminal, as one structured log line elsewhere. */
export function reportReextractSummary(summary: ReextractSummary, output: Output, logger: Logger): void {
  if (output.isTerminal) output.write(formatReextractSummary(summary));
  else {
    const { failed, ...counts } = summary;
    const shown = { ...counts, failed: failed.slice(0, failedLimit), failed_count: failed.length };
    logger.info({ summary: shown }, "reextract finished");
  }
}

/** The summary for a terminal of 80 columns. */
export function formatReextractSummary(summary: ReextractSummary): string {
  const { stored, failed, left, not_kept, skipped, duration_seconds } = summary;
  const shown = failed.slice(0, failedLimit).map(({ appid, error }) => `  ${appid}: ${clean(error)}`);
  const lines = [
    "",
    `Read ${formatCount(stored)} apps again in ${formatDuration(duration_seconds)}, without a request to Steam`,
    ...(failed.length > 0 ? [`Failed: ${formatCount(failed.length)}`, ...shown] : []),
    ...(left > 0 ? [`Held by other workers: ${formatCount(left)}; run it again`] : []),
    ...(not_kept > 0
      ? [`Not kept (see KEEP_APP_INFO): ${formatCount(not_kept)} apps; \`bulk-sync --full\` fetches them again`]
      : []),
    ...(skipped > 0 ? [`Not stored: ${formatCount(skipped)} apps whose type APP_TYPES leaves out`] : []),
    "",
  ];
  return `${lines.join("\n")}\n`;
}
