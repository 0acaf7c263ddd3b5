/**
 * Programs on a real terminal (a pty of util-linux' `script`), with its width.
 *
 *     const run = startInTerminal("node src/main.ts doctor", { columns: 80, env });
 *     await run.shows(/no proxy/);
 *     run.interrupt();                                 // Ctrl-C
 *     const { code, text } = await run.exited;
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { compileCache } from "./service.ts";

export interface TerminalRun {
  readonly exited: Promise<{ code: number | null; text: string }>;
  /** Resolves with all output so far once it matches; rejects when the program ends without, or after 60 s. */
  shows(pattern: RegExp): Promise<string>;
  /** Ctrl-C. */
  interrupt(): void;
  kill(): void;
}

const limitMs = 60_000;

/** Runs a shell command with only the given environment, in an empty folder. */
export function startInTerminal(
  command: string,
  { columns, env = {} }: { columns: number; env?: Record<string, string> | undefined },
): TerminalRun {
  const folder = mkdtempSync(join(tmpdir(), "spsync-terminal-"));
  const child = spawn("script", ["-qefc", `stty cols ${columns} rows 50; exec ${command}`, "/dev/null"], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      TERM: "xterm-256color",
      SHELL: "/bin/sh",
      NODE_COMPILE_CACHE: compileCache,
      ...env,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  let hasEnded = false;
  const listeners = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (written: string) => {
    text += written;
    for (const listener of listeners) listener();
  });
  child.stdin.on("error", () => {});
  const exited = once(child, "close").then(([code]) => {
    hasEnded = true;
    rmSync(folder, { recursive: true, force: true });
    for (const listener of listeners) listener();
    return { code: code as number | null, text };
  });
  return {
    exited,
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => settle(() => reject(new Error(`No ${pattern} in time:\n${text}`))), limitMs);
        function settle(end: () => void): void {
          clearTimeout(timer);
          listeners.delete(look);
          end();
        }
        function look(): void {
          if (pattern.test(stripVTControlCharacters(text))) settle(() => resolve(text));
          else if (hasEnded) settle(() => reject(new Error(`It ended without ${pattern}:\n${text}`)));
        }
        listeners.add(look);
        look();
      }),
    interrupt: () => void child.stdin.write("\x03"),
    kill: () => void child.kill("SIGKILL"),
  };
}

/** A text without its escape codes. Throws when one was cut: something of it is left. */
export function stripped(text: string): string {
  const plain = stripVTControlCharacters(text);
  if (plain.includes("\u001b") || /\[\d{1,2}m/.test(plain))
    throw new Error(`An escape code is cut in ${JSON.stringify(text)}`);
  return plain;
}
