import type { FastifyBaseLogger } from "fastify";
import type { Logger } from "../process/logger.ts";

/** Logs an unexpected error of a request: at most once per interval for errors of one kind, with the number of those left out. */
export type ErrorLog = (error: unknown, message: string) => void;

export interface ErrorLogOptions {
  intervalMs?: number;
  /** Kinds of errors in one interval; the others count as one kind. */
  maxKinds?: number;
  /** Monotonic clock in milliseconds; tests replace it. */
  now?: () => number;
}

const longestKind = 200;

/** A client that repeats a failing request must not fill the log: an error with its stack takes several kilobytes. */
export function createErrorLog(
  logger: Logger,
  { intervalMs = 10_000, maxKinds = 20, now = () => performance.now() }: ErrorLogOptions = {},
): ErrorLog {
  const kinds = new Map<string, { until: number; leftOut: number }>();

  return (error, message) => {
    const kind = kindOf(error, message);
    const key = kinds.has(kind) || kinds.size < maxKinds ? kind : "others";
    const seen = kinds.get(key);
    if (seen && now() < seen.until) {
      seen.leftOut += 1;
      return;
    }
    const repeated = seen?.leftOut ?? 0;
    logger.error({ err: error, ...(repeated > 0 && { repeated }) }, message);
    for (const [each, { until, leftOut }] of kinds) if (until <= now() && leftOut === 0) kinds.delete(each);
    kinds.set(key, { until: now() + intervalMs, leftOut: 0 });
  };
}

function kindOf(error: unknown, message: string): string {
  const text = error instanceof Error ? `${error.name} ${error.message}` : String(error);
  return `${message} ${text}`.slice(0, longestKind);
}

/** A logger for Fastify's own lines about single requests: its warnings and errors go through the error log, the rest is left out. */
export function requestLogger(log: ErrorLog): FastifyBaseLogger {
  const ignore = () => {};
  const report = (fields: unknown, message?: string) => {
    const error = typeof fields === "object" && fields !== null && "err" in fields ? fields.err : fields;
    log(error, message ?? "HTTP request failed");
  };
  const quiet = { level: "warn", silent: ignore, trace: ignore, debug: ignore, info: ignore, msgPrefix: undefined };
  const logger: FastifyBaseLogger = { ...quiet, warn: report, error: report, fatal: report, child: () => logger };
  return logger;
}
