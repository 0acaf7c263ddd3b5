import { type StopSignal, takeEarlySignal } from "./early-signals.ts";
import { ConfigError, DatabaseError, isExpected, SteamError, WebError, type WebFault } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** Exit codes. A signal that interrupts a one-off command ends it with 128 plus the signal's number. */
export const exitCodes = {
  done: 0,
  fault: 1,
  badConfiguration: 2,
  /** The watchdog: unhealthy for too long, the platform should restart. */
  unhealthy: 70,
  /** Steam, a web API or the database could not be reached in a one-off command. */
  unreachable: 75,
} as const;

const signalNumbers: Record<StopSignal, number> = { SIGINT: 2, SIGTERM: 15 };

/** Time limit of the whole shutdown. */
const shutdownLimitMs = 10_000;

/**
 * A second signal within this time is a duplicate of the first: Ctrl-C signals the whole process group, and `npm start` forwards its
 * own signal once more.
 */
const echoMs = 500;

/** The part of `process` that the lifecycle uses; tests replace it. */
export interface ProcessPort {
  on(event: string, listener: (value: unknown) => void): unknown;
  off(event: string, listener: (value: unknown) => void): unknown;
  exit(code: number): void;
}

export interface LifecycleOptions {
  /** A signal ends a service with exit code 0, and interrupts a one-off command. */
  kind: "service" | "one-off";
  logger: Logger;
  process?: ProcessPort;
}

export interface Lifecycle {
  /** Aborts when the process begins to stop, before the first shutdown step. The reason is an `AbortError`. */
  readonly signal: AbortSignal;
  /**
   * Adds a shutdown step. Steps run one after the other, last added first. A step that fails or exceeds `limitMs` is logged, and the
   * next one runs.
   */
  onShutdown(name: string, step: () => unknown, limitMs?: number): void;
  /** Graceful shutdown: runs the steps and ends the process. The first call decides the exit code; later calls wait for the same end. */
  exitWith(code: number, reason?: string): Promise<void>;
}

interface Step {
  name: string;
  run: () => unknown;
  limitMs: number;
}

/**
 * Handles signals and uncaught errors by a graceful shutdown, also a signal that arrived while the program was loading. A second signal ends
 * the process at once.
 */
export function createLifecycle({ kind, logger, process: host = process }: LifecycleOptions): Lifecycle {
  const abort = new AbortController();
  const steps: Step[] = [];
  let ending: Promise<void> | null = null;
  let exitCode: number = exitCodes.done;
  let signalledAt: number | null = null;

  async function end(reason: string) {
    abort.abort(new DOMException(reason, "AbortError"));
    const deadline = performance.now() + shutdownLimitMs;
    for (let step = steps.pop(); step; step = steps.pop()) {
      await runStep(step, Math.min(step.limitMs, Math.max(0, deadline - performance.now())), logger);
    }
    for (const [event, listener] of listeners) host.off(event, listener);
    host.exit(exitCode);
  }

  function exitWith(code: number, reason = "finished"): Promise<void> {
    if (!ending) {
      exitCode = code;
      ending = end(reason);
    }
    return ending;
  }

  function onSignal(signal: StopSignal) {
    const interrupted = 128 + signalNumbers[signal];
    const now = performance.now();
    if (signalledAt !== null) {
      if (now - signalledAt < echoMs) return;
      logger.warn(`${signal} again: leaving at once`);
      host.exit(interrupted);
      return;
    }
    signalledAt = now;
    logger.info(`${signal}: finishing what is in flight; send it again to leave at once`);
    void exitWith(kind === "service" ? exitCodes.done : interrupted, `stopped by ${signal}`);
  }

  function onFault(error: unknown) {
    // What was in flight when its connection was closed.
    if (ending && isExpected(error)) return logger.debug({ err: error }, "fault while stopping");
    logger.fatal({ err: error }, "unexpected fault");
    if (ending) exitCode ||= exitCodes.fault;
    else void exitWith(exitCodes.fault, "unexpected fault");
  }

  const listeners: [string, (value: unknown) => void][] = [
    ["SIGTERM", () => onSignal("SIGTERM")],
    ["SIGINT", () => onSignal("SIGINT")],
    ["uncaughtException", onFault],
    ["unhandledRejection", onFault],
  ];
  for (const [event, listener] of listeners) host.on(event, listener);
  const early = takeEarlySignal();
  if (early) onSignal(early);

  return {
    signal: abort.signal,
    onShutdown(name, run, limitMs = shutdownLimitMs) {
      steps.push({ name, run, limitMs });
    },
    exitWith,
  };
}

const webExitCodes: Record<WebFault, number> = {
  unreachable: exitCodes.unreachable,
  limited: exitCodes.unreachable,
  blocked: exitCodes.unreachable,
  // A rejected key is a setting to correct.
  denied: exitCodes.badConfiguration,
  refused: exitCodes.fault,
  invalid: exitCodes.fault,
};

/** Maps the error that ended a command to its exit code. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return exitCodes.badConfiguration;
  if (error instanceof DatabaseError) {
    if (error.fault === "denied" || error.fault === "misconfigured") return exitCodes.badConfiguration;
    return error.fault === "unreachable" ? exitCodes.unreachable : exitCodes.fault;
  }
  if (error instanceof WebError) return webExitCodes[error.fault];
  if (error instanceof SteamError && error.fault !== "protocol") return exitCodes.unreachable;
  return exitCodes.fault;
}

async function runStep({ name, run }: Step, limitMs: number, logger: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<"late">((resolve) => {
    timer = setTimeout(resolve, limitMs, "late");
  });
  try {
    const outcome = await Promise.race([Promise.resolve().then(run), limit]);
    if (outcome === "late") logger.warn({ step: name }, `shutdown: ${name} did not finish in time`);
  } catch (error) {
    // Such as a database that is away: what the step would have done, a lease that lapses or the next start does.
    const level = isExpected(error) ? "debug" : "error";
    logger[level]({ err: error, step: name }, `shutdown: ${name} failed`);
  } finally {
    clearTimeout(timer);
  }
}
