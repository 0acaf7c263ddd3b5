import type { Logger } from "pino";
import type { Failure } from "./extract-batch.ts";

/** Apps that fail, as one log line for many, with the commonest errors. Each app's own error is in `sync_status.last_error` and at debug. */

type AppFailure = Pick<Failure, "appid" | "error">;

const shownErrors = 3;

/** `37 apps failed: 30 × the reply is cut off; 6 × … (app 440); 1 other; …`. Errors that differ in numbers alone are one. */
export function describeFailures(failures: readonly AppFailure[]): string {
  const kinds = new Map<string, { error: string; count: number }>();
  for (const { error } of failures) {
    const key = error.replace(/\d+/g, "0");
    const kind = kinds.get(key);
    if (kind) kind.count += 1;
    else kinds.set(key, { error, count: 1 });
  }
  const sorted = [...kinds.values()].sort((a, b) => b.count - a.count);
  const shown = sorted.slice(0, shownErrors).map(({ error, count }) => (count === 1 ? error : `${count} × ${error}`));
  const others = sorted.slice(shownErrors).reduce((sum, { count }) => sum + count, 0);
  const apps = failures.length === 1 ? `app ${failures[0]?.appid} failed` : `${failures.length} apps failed`;
  return `${apps}: ${[...shown, ...(others > 0 ? [`${others} with other errors`] : [])].join("; ")}`;
}

/** For a loop without an end. */
export interface FailureLog {
  add(failures: readonly AppFailure[]): void;
  /** Logs nothing more. */
  stop(): void;
}

export interface FailureLogOptions {
  logger: Logger;
  /** From a first failure to its line, so that those of one batch share it. */
  firstMs?: number;
  /** Between two lines. */
  intervalMs?: number;
}

/** Logs at most one line in `intervalMs`; an app that fails several times meanwhile counts once, with its last error. */
export function createFailureLog({ logger, firstMs = 5_000, intervalMs = 600_000 }: FailureLogOptions): FailureLog {
  let failures = new Map<number, AppFailure>();
  let timer: NodeJS.Timeout | null = null;
  let nextAt = Number.NEGATIVE_INFINITY;

  function flush(): void {
    timer = null;
    nextAt = performance.now() + intervalMs;
    logger.warn({ apps: failures.size }, `${describeFailures([...failures.values()])}; retried with backoff`);
    failures = new Map();
  }

  return {
    add(more) {
      for (const failure of more) failures.set(failure.appid, failure);
      if (failures.size === 0) return;
      timer ??= setTimeout(flush, Math.max(firstMs, nextAt - performance.now())).unref();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      failures = new Map();
    },
  };
}
