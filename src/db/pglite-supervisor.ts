import type { Logger } from "pino";
import type { DatabaseError } from "../process/errors.ts";
import { isLost, lost, type PgliteThread } from "./pglite-thread.ts";
import type { WorkerJob } from "./pglite-worker.ts";

/**
 * The thread of the embedded database under supervision: a thread that stops answering is ended and replaced, once. PGlite's server can be
 * lost without an answer: after a PANIC, such as a full disk while the write-ahead log is written, its loop turns for ever.
 */
export interface SupervisedThread extends PgliteThread {
  /** Why the database does no work at present; null while it answers. */
  fault(): string | null;
}

export interface SupervisorOptions {
  /** Starts a thread. Rejects when its database cannot be opened. Also called for the replacement. */
  start: () => Promise<PgliteThread>;
  /** A job without an answer for this long, in milliseconds during which this process ran, means that the thread hangs. */
  hangLimitMs: number;
  /** The same for a script, since a migration may rewrite tables, and for a copy of the files. */
  scriptLimitMs: number;
  logger: Logger;
  /** The replacement does not answer, either: only a new process may help. */
  onHopeless: (reason: string) => void;
}

/** A call that is unanswered for longer than this is reported as a fault. It is the time limit of an ordinary call. */
const reportAfterMs = 30_000;
/** A replacement that has worked for this long may be replaced in its turn. */
const calmMs = 3_600_000;
/** A thread inside a blocked system call cannot be ended. */
const stopLimitMs = 10_000;

/** Starts the first thread. Rejects as `start` does. */
export async function superviseThread(options: SupervisorOptions): Promise<SupervisedThread> {
  const { start, logger } = options;
  let thread = await start();
  let restarting: Promise<void> | null = null;
  let replacedAt: number | null = null;
  let endReason: DatabaseError | null = null;
  let watch: RunningTime | null = null;

  function giveUp(reason: string): void {
    if (endReason) return;
    endReason = lost(reason);
    logger.fatal(reason);
    options.onHopeless(reason);
  }

  async function replace(why: string): Promise<void> {
    if (replacedAt !== null && performance.now() - replacedAt < calmMs) {
      await stopThread(thread, lost(why));
      return giveUp(`${why}, although its thread had been restarted`);
    }
    logger.error(`${why}; its thread is restarted, and the calls in flight are repeated`);
    if (!(await stopThread(thread, lost(why)))) return giveUp(`${why}, and its thread cannot be ended`);
    replacedAt = performance.now();
    try {
      thread = await start();
      logger.info("the embedded database works again");
    } catch (error) {
      giveUp(`${why}, and cannot be opened again: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async function request(what: string, job: WorkerJob | null): Promise<unknown[]> {
    await restarting;
    if (endReason) throw endReason;
    const isLong = job?.kind === "script" || job?.kind === "copy";
    const limitMs = isLong ? options.scriptLimitMs : options.hangLimitMs;
    const running = startRunningTime();
    watch = running;
    try {
      const answer = thread.request(what, job);
      return await Promise.race([answer, running.reaches(limitMs).then(() => hang(what, limitMs, answer))]);
    } catch (error) {
      if (isLost(error) && endReason === null) restarting = replace(error.message);
      throw error;
    } finally {
      running.stop();
      watch = null;
    }
  }

  return {
    request,
    isRunning: () => endReason === null && thread.isRunning(),
    async stop(reason) {
      endReason ??= reason;
      await stopThread(thread, reason);
      await restarting;
      await stopThread(thread, reason);
    },
    fault() {
      const silentMs = watch?.ms() ?? 0;
      if (endReason) return endReason.message;
      if (silentMs < reportAfterMs) return null;
      const limit = Math.round(options.hangLimitMs / 1_000);
      return `the embedded database has not answered for ${Math.round(silentMs / 1_000)} s; it is restarted after ${limit} s`;
    },
  };
}

function hang(what: string, limitMs: number, answer: Promise<unknown>): never {
  answer.catch(() => {});
  throw lost(`the embedded database did not answer ${what} within ${Math.round(limitMs / 1_000)} s`);
}

/** False when the thread did not end in time. */
async function stopThread(thread: PgliteThread, reason: DatabaseError): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, stopLimitMs, false);
  });
  const isStopped = await Promise.race([thread.stop(reason).then(() => true as const), late]);
  clearTimeout(timer);
  return isStopped;
}

interface RunningTime {
  ms(): number;
  reaches(limitMs: number): Promise<void>;
  stop(): void;
}

const tickMs = 250;

/** Time by ticks of a timer: a process that was suspended, whose thread was, too, has had no ticks. */
function startRunningTime(): RunningTime {
  let ms = 0;
  const reached: { limitMs: number; resolve: () => void }[] = [];
  const timer = setInterval(() => {
    ms += tickMs;
    for (const { limitMs, resolve } of reached) if (ms >= limitMs) resolve();
  }, tickMs);
  return {
    ms: () => ms,
    reaches: (limitMs) => new Promise((resolve) => reached.push({ limitMs, resolve })),
    stop: () => clearInterval(timer),
  };
}
