const barWidth = 24;

/** `name      ████░░░░  33%  pieces`, cut at the width. `share` is 0 to 1, or null while the total is unknown. */
export function formatLine(name: string, share: number | null, pieces: readonly string[], width: number): string {
  const filled = Math.round((share ?? 0) * barWidth);
  const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
  const percent = (share === null ? "" : `${Math.floor(share * 100)}%`).padStart(4);
  return `${name.padEnd(9)} ${bar} ${percent}  ${pieces.join(", ")}`.slice(0, width - 1);
}

/** `254,113`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** `8 s`, `1 min 20 s`, `2 h 05 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${seconds < 10 ? Number(seconds.toFixed(1)) : whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Such as `412 MB`: powers of 1,000, as plans of databases are sold. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
