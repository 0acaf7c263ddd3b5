import type { CollectorSummary } from "../collector/collector.ts";
import type { Logger, Output } from "../process/logger.ts";
import { formatCount, formatDuration } from "./format.ts";

/** Reports the summary: as text on a terminal, as one structured log line elsewhere. */
export function reportCollectorSummary(summary: CollectorSummary, output: Output, logger: Logger): void {
  if (output.isTerminal) output.write(formatCollectorSummary(summary));
  else logger.info({ summary }, "collector run finished");
}

/** The summary of a collector run for a terminal of 80 columns. */
export function formatCollectorSummary({
  list,
  pass,
  details,
  games,
  owners_doubtful,
  requests,
  duration_seconds,
}: CollectorSummary): string {
  const lines = ["", `Collector run finished in ${formatDuration(duration_seconds)}`, ""];
  if (list !== null) {
    for (const { kind, now, before } of list.lists) {
      const change = now - before;
      lines.push(
        row(
          `List of ${kind}`,
          `${formatCount(now)} apps`,
          before > 0 ? `${change < 0 ? "" : "+"}${formatCount(change)}` : "",
        ),
      );
    }
    lines.push(
      row(
        "Apps",
        `${formatCount(list.inserted)} new`,
        `${formatCount(list.delisted)} delisted, ${formatCount(list.relisted)} back`,
      ),
    );
  }
  if (pass !== null) {
    const missed = pass.missed.length > 0 ? `, ${formatCount(pass.missed.length)} missing` : "";
    lines.push(row("All games", `${formatCount(pass.games)} games`, `${formatCount(pass.pages)} pages${missed}`));
  }
  const { success, not_found, failed } = details;
  lines.push(
    row("Details", `${formatCount(success)} games`, `${formatCount(not_found)} unknown, ${formatCount(failed)} failed`),
  );
  if (games !== null) {
    lines.push(
      row("In the database", `${formatCount(games.success)} with details`, `${formatCount(games.pending)} pending`),
    );
  }
  if (owners_doubtful) {
    lines.push(row("Doubtful owners", `${formatCount(owners_doubtful)} games`, "contradicted by their reviews"));
  }
  const counts = Object.entries(requests).map(
    ([endpoint, count]) => `${formatCount(count)} ${endpoint.replaceAll("_", " ")}`,
  );
  lines.push("", `Requests: ${counts.join(", ") || "none"}`, "");
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function row(name: string, value: string, note: string): string {
  return `${name.padEnd(18)} ${value.padStart(24)}   ${note}`;
}
