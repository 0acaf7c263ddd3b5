import { pino } from "pino";
import { prettyFactory } from "pino-pretty";

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

const hidden = "[hidden]";

/** Shorter values would redact ordinary words. */
const shortestSecretLength = 6;

const secretShapes: [RegExp, string][] = [
  // A JSON member whose name ends in the name of a secret. Its quotes may be escaped: JSON inside a JSON text.
  [
    /((\\*)"[\w.-]*(?:password|secret|api_?key|service_?key|service_role_key|access_?token|authorization|webapi-key)\2"\s*:\s*\2")(?:(?!\2")(?:\\.|[^\\]))*/gi,
    `$1${hidden}`,
  ],
  // scheme://user:password@host
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"]*:)[^\s"]+@/gi, `$1${hidden}@`],
  [/([?&](?:key|api_?key|access_token|client_secret|password)=)[^&\s"\\]+/gi, `$1${hidden}`],
  [/\b(bearer )[\w.~+/=-]+/gi, `$1${hidden}`],
  // A JSON web token, and Supabase's newer kind of key.
  [/\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+/g, hidden],
  [/\bsb_secret_[\w-]+/g, hidden],
];

/** Returns a function that redacts secrets in a text, by their value and by their shape. */
export function createRedactor(secrets: readonly string[] = []): (text: string) => string {
  const values = secrets
    .filter((secret) => secret.length >= shortestSecretLength)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const value of values) clean = clean.replaceAll(value, hidden);
    for (const [shape, replacement] of secretShapes) clean = clean.replace(shape, replacement);
    return clean;
  };
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
