import { MultiBar } from "cli-progress";
import type { Logger, Output } from "../process/logger.ts";

/** How long work takes and how it is shown, for every command that takes long. */

export interface RateMeter {
  add(count: number): void;
  /** Per second, over the window or the time since the first count, whichever is shorter. */
  rate(): number;
  /** Seconds until `remaining` more are counted; null while nothing moves. */
  etaSeconds(remaining: number): number | null;
}

const defaultWindowMs = 30_000;
/** So many sums keep the meter small, whatever the rate. */
const slicesPerWindow = 60;

/** Counts over a sliding window. `now` is in milliseconds and never goes back. */
export function createRateMeter(now: () => number = () => performance.now(), windowMs = defaultWindowMs): RateMeter {
  const sliceMs = windowMs / slicesPerWindow;
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
  /** The state as one line of at most so many columns. */
  line: (width: number) => string;
  /** The state as fields of a log line, and its message. */
  fields: () => object;
  message: string;
  /** Between two log lines. */
  linesEveryMs: number;
  output: Output;
  logger: Logger;
}

export interface Progress {
  start(): void;
  /** Shows the last state and gives the terminal back. Safe to call twice. */
  stop(): void;
}

const framesPerSecond = 5;
const defaultWidth = 80;

/** Shows progress: a bar on a terminal, one structured line every few seconds elsewhere. */
export function createProgress(options: ProgressOptions): Progress {
  return options.output.isTerminal ? createBar(options) : createLines(options);
}

function createLines({ fields, message, linesEveryMs, logger }: ProgressOptions): Progress {
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      timer ??= setInterval(() => logger.info(fields(), message), linesEveryMs).unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

function createBar({ line, output }: ProgressOptions): Progress {
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
        format: (_options, params) => line((params as { maxWidth?: number }).maxWidth ?? defaultWidth),
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

/** `name      ████░░░░  33%  pieces`, cut at the width. `share` is null where nobody knows the whole. */
export function formatLine(name: string, share: number | null, pieces: readonly string[], width: number): string {
  const filled = Math.round((share ?? 0) * barWidth);
  const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
  const percent = (share === null ? "" : `${Math.floor(share * 100)}%`).padStart(4);
  return `${name.padEnd(9)} ${bar} ${percent}  ${pieces.join(", ")}`.slice(0, width - 1);
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
