import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { compileCache, type ServiceOptions } from "./service.ts";

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

const mainFile = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/**
 * Runs a one-off command with its output piped: `node src/main.ts …`, with only the given environment variables.
 */
export async function runCommand({ args = [], env = {}, steam, database }: ServiceOptions): Promise<CommandResult> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-command-"));
  const child = spawn(process.execPath, [mainFile, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: compileCache, ...steam?.env, ...database?.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: code as number | null, stdout, stderr };
  } finally {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}
