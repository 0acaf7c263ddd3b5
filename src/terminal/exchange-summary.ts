import type { Manifest } from "../exchange/manifest.ts";
import type { Logger, Output } from "../process/logger.ts";
import { formatBytes, formatCount, formatDuration } from "./format.ts";

interface Done {
  folder: string;
  seconds: number;
}

/** Reports a finished export: as text on a terminal, as one structured log line elsewhere. */
export function reportExport(manifest: Manifest, done: Done, output: Output, logger: Logger): void {
  if (output.isTerminal) output.write(formatExport(manifest, done));
  else logger.info({ summary: summaryOf(manifest, done) }, "export finished");
}

/** Reports a finished import in the same way. */
export function reportImport(manifest: Manifest, done: Done, output: Output, logger: Logger): void {
  if (output.isTerminal) output.write(formatImport(manifest, done));
  else logger.info({ summary: summaryOf(manifest, done) }, "import finished");
}

function summaryOf({ tables, change_number, since }: Manifest, { folder, seconds }: Done) {
  return {
    folder,
    change_number,
    since: since?.change_number ?? null,
    tables: tables.length,
    ...totalsOf(tables),
    duration_seconds: Math.round(seconds * 10) / 10,
  };
}

function totalsOf(tables: Manifest["tables"]) {
  return {
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

export function formatExport({ tables, change_number, since }: Manifest, { folder, seconds }: Done): string {
  const { rows, bytes } = totalsOf(tables);
  const width = Math.max(...tables.map(({ name }) => name.length));
  const scope = since === null ? "" : `, what changed since change ${since.change_number ?? "none"}`;
  const lines = [
    "",
    `Exported ${formatCount(rows)} rows, ${formatBytes(bytes)}, to ${folder} in ${formatDuration(seconds)}`,
    `As of change ${change_number ?? "none"}${scope}`,
    ...tables.map(
      ({ name, rows, bytes }) => `  ${name.padEnd(width)}  ${formatCount(rows).padStart(11)}  ${formatBytes(bytes)}`,
    ),
    "",
  ];
  return `${lines.join("\n")}\n`;
}

export function formatImport({ tables, change_number }: Manifest, { folder, seconds }: Done): string {
  const { rows } = totalsOf(tables);
  const lines = [
    "",
    `Imported ${formatCount(rows)} rows from ${folder} in ${formatDuration(seconds)}`,
    `As of change ${change_number ?? "none"}; \`npm start\` fetches what changed since`,
    "",
  ];
  return `${lines.join("\n")}\n`;
}
