import { pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { createRedactor } from "./redactor.ts";

export type Logger = pino.Logger;

/** The output stream that log lines and the progress bar share, so that neither overwrites the other. */
export interface Output {
  readonly stream: NodeJS.WriteStream;
  readonly isTerminal: boolean;
  /** Writes whole lines. */
  write(lines: string): void;
  /** Resolves when everything is written to the system: what a pipe has not accepted yet is lost at an exit. */
  flushed(): Promise<void>;
  /** Redirects all further lines to `draw` (a progress bar writes them above itself); null ends the redirection. */
  divert(draw: ((lines: string) => void) | null): void;
}

export interface LoggerOptions {
  level: string;
  output: Output;
  /** Values that are redacted in every line; `secretsOf(config)`. */
  secrets?: readonly string[];
}

/** Wraps a stream, standard output by default. A closed pipe (`… | head`) ends the output, not the service. */
export function createOutput(stream: NodeJS.WriteStream = process.stdout): Output {
  let draw: ((lines: string) => void) | null = null;
  let gone = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    gone = true;
    if (error.code !== "EPIPE") throw error;
  });
  return {
    stream,
    isTerminal: stream.isTTY === true,
    write(lines) {
      if (gone) return;
      if (draw) draw(lines);
      else stream.write(lines);
    },
    flushed() {
      return new Promise((resolve) => {
        if (gone) resolve();
        else stream.write("", () => resolve());
      });
    },
    divert(next) {
      draw = next;
    },
  };
}

/**
 * Pretty lines on a terminal, one JSON object a line elsewhere, with `level` in words and the text under `message`, as
 * log collectors such as Railway's expect. Every line is written before the call returns, so none is lost at an exit.
 */
export function createLogger({ level, output, secrets = [] }: LoggerOptions): Logger {
  const messageKey = "message";
  const pretty = prettyFactory({ messageKey, translateTime: "SYS:HH:MM:ss", ignore: "pid,hostname" });
  return pino(
    {
      level,
      messageKey,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: createRedactor(secrets) },
    },
    { write: (line: string) => output.write(output.isTerminal ? pretty(line) : line) },
  );
}
