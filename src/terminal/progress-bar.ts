import { MultiBar } from "cli-progress";
import type { Logger, Output } from "../process/logger.ts";

export interface ProgressOptions {
  /** The progress as one line of at most `width` columns. */
  line: (width: number) => string;
  /** The progress as fields of a log line with this `message`. */
  fields: () => object;
  message: string;
  /** Interval between two log lines; null for none. */
  linesEveryMs: number | null;
  /** How often a terminal is drawn anew; 5 by default. */
  framesPerSecond?: number;
  output: Output;
  logger: Logger;
}

export interface Progress {
  start(): void;
  /** Draws the last state and releases the terminal. Idempotent. */
  stop(): void;
}

const defaultFramesPerSecond = 5;
const defaultWidth = 80;

/** Shows progress: as a bar on a terminal, as periodic structured log lines elsewhere. */
export function createProgress(options: ProgressOptions): Progress {
  return options.output.isTerminal ? createBar(options) : createLines(options);
}

function createLines({ fields, message, linesEveryMs, logger }: ProgressOptions): Progress {
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      if (linesEveryMs === null) return;
      timer ??= setInterval(() => logger.info(fields(), message), linesEveryMs).unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

function createBar({ line, output, framesPerSecond = defaultFramesPerSecond }: ProgressOptions): Progress {
  let bars: MultiBar | null = null;
  return {
    start() {
      if (bars) return;
      const current = new MultiBar({
        stream: output.stream,
        fps: framesPerSecond,
        // A log line moves the bar down, so the bar is redrawn even when its text is unchanged.
        forceRedraw: true,
        // The line is already cut to the width; long log lines must still wrap.
        linewrap: true,
        // Signals are handled by the lifecycle.
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
