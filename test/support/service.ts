/**
 * The product as operators run it: `node src/main.ts …` in a process of its own, with only the given environment
 * variables.
 *
 *     const service = startService({ args: ["bulk-sync"], steam, database, env: { BULK_REQUEST_DELAY: "0" } });
 *     await service.logged(/bulk sync begins/);
 *     service.kill("SIGTERM");
 *     const { code } = await service.exited;
 *     await service.stop();                            // in any case: kills the process if it still runs
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Node's compile cache, shared by all processes that tests start: a fifth less start-up time. */
export const compileCache = join(tmpdir(), "spsync-compile-cache");

export interface ServiceOptions {
  /** The command and its options; none leaves it to `MODE`. */
  args?: readonly string[];
  env?: Record<string, string>;
  /** A simulated Steam to talk to. */
  steam?: { env: Record<string, string> };
  database?: { env: Record<string, string> };
}

export interface LogLine {
  level: string;
  message: string;
  [field: string]: unknown;
}

export interface Exit {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Service {
  readonly pid: number;
  /** Resolves once the process has ended and all its output has been read. */
  readonly exited: Promise<Exit>;
  /** Its log lines so far. */
  readonly logs: readonly LogLine[];
  /** Standard error so far, and lines of standard output that are no log lines. */
  readonly text: string;
  kill(signal: NodeJS.Signals): void;
  /** The first log line, past or future, whose message matches. Rejects when the process ends without one. */
  logged(message: RegExp): Promise<LogLine>;
  /** The address of its HTTP server. */
  url(): Promise<string>;
  get(path: string): Promise<{ status: number; body: Record<string, unknown> }>;
  /** Polls `path` until `wanted` accepts the body. */
  until(path: string, wanted: (body: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** Kills the process if it still runs. */
  stop(): Promise<void>;
}

const mainFile = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const timeoutMs = 30_000;
const pollMs = 25;

export function startService({ args = [], env = {}, steam, database }: ServiceOptions): Service {
  // A working directory of its own: no .env of the developer is read, and ./data is not shared.
  const folder = mkdtempSync(join(tmpdir(), "spsync-service-"));
  const child = spawn(process.execPath, [mainFile, ...args], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: compileCache,
      HOST: "127.0.0.1",
      PORT: "0",
      ...steam?.env,
      ...database?.env,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const orphaned = () => child.kill("SIGKILL");
  process.once("exit", orphaned);

  const logs: LogLine[] = [];
  const listeners = new Set<() => void>();
  let text = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    const log = parsed(line);
    if (log) logs.push(log);
    else text += `${line}\n`;
    for (const listener of listeners) listener();
  });
  child.stderr.setEncoding("utf8").on("data", (words: string) => {
    text += words;
  });

  let ended = false;
  const exited = once(child, "close").then(([code, signal]): Exit => {
    ended = true;
    process.off("exit", orphaned);
    rmSync(folder, { recursive: true, force: true });
    for (const listener of listeners) listener();
    return { code, signal };
  });

  function said(): string {
    return `It said:\n${logs.map((line) => JSON.stringify(line)).join("\n")}\n${text}`;
  }

  function logged(message: RegExp): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      let seen = 0;
      const limit = setTimeout(() => finish(() => reject(new Error(`No ${message} in time. ${said()}`))), timeoutMs);
      function finish(settle: () => void): void {
        clearTimeout(limit);
        listeners.delete(look);
        settle();
      }
      function look(): void {
        const line = logs.slice(seen).find((candidate) => message.test(candidate.message));
        seen = logs.length;
        if (line) finish(() => resolve(line));
        else if (ended) finish(() => reject(new Error(`The service ended without ${message}. ${said()}`)));
      }
      listeners.add(look);
      look();
    });
  }

  async function url(): Promise<string> {
    const { message } = await logged(/^Server listening at http:/);
    return message.slice(message.indexOf("http:"));
  }

  async function get(path: string) {
    const headers: Record<string, string> = env.API_KEY ? { authorization: `Bearer ${env.API_KEY}` } : {};
    const answer = await fetch(`${await url()}${path}`, { headers });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }

  return {
    pid: child.pid ?? 0,
    exited,
    logs,
    get text() {
      return text;
    },
    kill(signal) {
      child.kill(signal);
    },
    logged,
    url,
    get,
    async until(path, wanted) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const { body } = await get(path);
        if (wanted(body)) return body;
        if (Date.now() > deadline) throw new Error(`${path} stayed ${JSON.stringify(body)}. ${said()}`);
        await delay(pollMs);
      }
    },
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function parsed(line: string): LogLine | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "message" in value ? (value as LogLine) : null;
  } catch {
    return null;
  }
}
