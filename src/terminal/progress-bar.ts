import { MultiBar } from "cli-progress";
import type { Logger, Output } from "../process/logger.ts";

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
