import { MultiBar } from "cli-progress";
import type { Logger, Output } from "../logger.ts";

/** How far a bulk sync is. Counts are apps, ids are positions in Steam's id space. */
export interface BulkProgress {
  /** `sweeping` asks for change numbers only, `syncing` fetches and stores, `finishing` fills in names. */
  phase: "starting" | "sweeping" | "syncing" | "finishing" | "done";
  swept_ids: number;
  /** Where the sweep is expected to end; null while nobody knows, and where there is no sweep. */
  sweep_end: number | null;
  /** Apps to fetch, as far as they are known. */
  total: number;
  done: number;
  failed: number;
  /** Apps that Steam does not know. */
  unknown: number;
  rate_per_second: number;
  eta_seconds: number | null;
}

export interface RateMeter {
  add(count: number): void;
  /** Per second, over the window or the time since the first count, whichever is shorter. */
  rate(): number;
  /** Seconds until `remaining` more are counted; null while nothing moves. */
  etaSeconds(remaining: number): number | null;
}

const windowMs = 30_000;
/** One sum per slice keeps the meter small, whatever the rate. */
const sliceMs = 500;

/** Counts over a sliding window. `now` is in milliseconds and never goes back. */
export function createRateMeter(now: () => number = () => performance.now()): RateMeter {
  const startedAt = now();
  let slices: { at: number; count: number }[] = [];

  function rate(): number {
    const time = now();
    slices = slices.filter(({ at }) => at > time - windowMs);
    const elapsedMs = Math.min(windowMs, Math.max(sliceMs, time - startedAt));
    return (slices.reduce((sum, { count }) => sum + count, 0) / elapsedMs) * 1000;
  }

  return {
    add(count) {
      const at = Math.floor(now() / sliceMs) * sliceMs;
      const last = slices.at(-1);
      if (last?.at === at) last.count += count;
      else slices.push({ at, count });
    },
    rate,
    etaSeconds(remaining) {
      if (remaining <= 0) return 0;
      const perSecond = rate();
      return perSecond > 0 ? Math.round(remaining / perSecond) : null;
    },
  };
}

export interface ProgressOptions {
  snapshot: () => BulkProgress;
  output: Output;
  logger: Logger;
}

export interface Progress {
  start(): void;
  /** Shows the last state and gives the terminal back. Safe to call twice. */
  stop(): void;
}

const linesEveryMs = 5000;
const framesPerSecond = 5;

/** Shows a bulk sync's progress: a bar on a terminal, one structured line every few seconds elsewhere. */
export function createProgress(options: ProgressOptions): Progress {
  return options.output.isTerminal ? createBar(options) : createLines(options);
}

function createLines({ snapshot, logger }: ProgressOptions): Progress {
  let timer: NodeJS.Timeout | undefined;
  const log = () => logger.info({ bulk: snapshot() }, "bulk sync in progress");
  return {
    start() {
      timer ??= setInterval(log, linesEveryMs).unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

function createBar({ snapshot, output }: ProgressOptions): Progress {
  let bars: MultiBar | null = null;
  return {
    start() {
      if (bars) return;
      const current = new MultiBar({
        stream: output.stream,
        fps: framesPerSecond,
        // A log line above the bar moves it, so it is drawn again even when its text is the same.
        forceRedraw: true,
        // The bar fits by itself; the terminal must go on wrapping long log lines.
        linewrap: true,
        // Signals are the lifecycle's.
        gracefulExit: false,
        format: (_options, params) => formatBar(snapshot(), (params as { maxWidth?: number }).maxWidth),
      });
      bars = current;
      current.create(1, 0);
      output.divert((lines) => {
        current.log(lines);
        current.update();
      });
    },
    stop() {
      output.divert(null);
      bars?.stop();
      bars = null;
    },
  };
}

const barWidth = 24;

/** One line of at most `width` columns; what comes last is cut first. */
export function formatBar(progress: BulkProgress, width = 80): string {
  const { phase, total, done, failed, unknown, swept_ids, sweep_end } = progress;
  const sweeping = phase === "sweeping";
  const [part, whole] = sweeping ? [swept_ids, sweep_end ?? 0] : [done + failed + unknown, total];
  const share = phase === "done" ? 1 : whole > 0 ? Math.min(1, part / whole) : 0;
  const filled = Math.round(share * barWidth);
  const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const pieces = sweeping
    ? [
        `${formatCount(swept_ids)}${sweep_end ? ` of ${formatCount(sweep_end)}` : ""} ids`,
        `${formatCount(total)} to fetch`,
      ]
    : [`${formatCount(part)} of ${formatCount(total)}`, `${formatCount(Math.round(progress.rate_per_second))}/s`];
  if (progress.eta_seconds !== null && phase !== "done") pieces.push(`${formatDuration(progress.eta_seconds)} left`);
  if (failed > 0) pieces.push(`${formatCount(failed)} failed`);
  return `${phase.padEnd(9)} ${bar} ${percent}  ${pieces.join(", ")}`.slice(0, width - 1);
}

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
