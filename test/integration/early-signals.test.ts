import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished } from "vitest";
import { it } from "../support/given.ts";
import { compileCache } from "../support/service.ts";

/** SIGTERM while the program loads its modules, as an ordinary process and as process 1 of a container. */

const mainFile = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Makes the process send itself a signal when it begins to load the modules of its commands. */
const signalWhileLoading = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  registerHooks({
    load(url, context, next) {
      if (url.endsWith("/commands/commands.ts")) process.kill(process.pid, "SIGTERM");
      return next(url, context);
    },
  });
`)}`;

function canUnshare(): boolean {
  try {
    execFileSync("unshare", ["--pid", "--fork", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("SIGTERM while the program loads", () => {
  it.for([
    [["sync"], 0],
    [["bulk-sync"], 143],
  ] as const)("ends %j with exit code %i", async ([args, code], { start }) => {
    const service = start({ args, env: { NODE_OPTIONS: `--import=${signalWhileLoading}` } });
    expect(await service.exited).toEqual({ code, signal: null });
    // It has opened nothing.
    expect(service.logs.slice(1).map(({ message }) => message)).toEqual([expect.stringMatching(/^SIGTERM: /)]);
  });

  it.skipIf(!canUnshare())("ends it as process 1 of a container, too (needs root)", async ({ folder }) => {
    const child = spawn("unshare", ["--pid", "--fork", "--kill-child", process.execPath, mainFile, "sync"], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: compileCache,
        NODE_OPTIONS: `--import=${signalWhileLoading}`,
        HOST: "127.0.0.1",
        PORT: "0",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    expect(code).toBe(0);
    expect(output).not.toContain("Server listening");
  });
});
