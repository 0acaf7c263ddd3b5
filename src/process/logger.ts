import { pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { errorCode, isExpected } from "./errors.ts";
import { createRedactor } from "./redactor.ts";
import { visibleTexts } from "./visible.ts";

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

/** The fields of a JSON line without control characters. A line break in the message is indented: it cannot pass for a line of its own. */
function forTerminal(line: string, messageKey: string): object {
  const fields = visibleTexts(JSON.parse(line)) as Record<string, unknown>;
  const message = fields[messageKey];
  return typeof message === "string" ? { ...fields, [messageKey]: message.replaceAll("\n", "\n    ") } : fields;
}

/** An expected error becomes a part of the sentence, without its stack, which LOG_LEVEL=debug shows. */
function inOneSentence(args: readonly unknown[]): readonly unknown[] {
  const [fields, message, ...rest] = args;
  if (typeof fields !== "object" || fields === null || !("err" in fields) || !isExpected(fields.err)) return args;
  const { err, ...others } = fields;
  const text = err.message || err.name;
  const sentence = typeof message !== "string" ? text : message.includes(text) ? message : `${message}: ${text}`;
  const code = errorCode(err);
  return [{ ...others, ...(code !== null && { code }) }, sentence, ...rest];
}

/**
 * Pretty lines on a terminal, one JSON object a line elsewhere, with `level` in words and the text under `message`, as
 * log collectors such as Railway's expect. Every line is written before the call returns, so none is lost at an exit.
 */
export function createLogger({ level, output, secrets = [] }: LoggerOptions): Logger {
  const messageKey = "message";
  const format = prettyFactory({ messageKey, translateTime: "SYS:HH:MM:ss", ignore: "pid,hostname", singleLine: true });
  const showsStacks = level === "debug" || level === "trace";
  const pretty = (line: string) => format(forTerminal(line, messageKey));
  return pino(
    {
      level,
      messageKey,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        streamWrite: createRedactor(secrets),
        logMethod(args, method) {
          Reflect.apply(method, this, showsStacks ? args : inOneSentence(args));
        },
      },
    },
    { write: (line: string) => output.write(output.isTerminal ? pretty(line) : line) },
  );
}
