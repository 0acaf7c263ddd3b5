import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compileCache } from "../service.ts";

const file = fileURLToPath(new URL("./bare-server.ts", import.meta.url));
/** Clock ticks per second of /proc; 100 on every Linux. */
const ticksPerSecond = 100;

export interface BareServer {
  url(): Promise<string>;
  /** Everything it has printed. */
  output(): string;
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** Starts bare-server.ts as a process with a limit of open files. */
export function startBareServer({ files, env = {} }: { files: number; env?: Record<string, string> }): BareServer {
  const child = spawn("prlimit", [`--nofile=${files}:${files}`, process.execPath, file], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  return {
    async url() {
      for (;;) {
        const address = /http:\/\/[\d.]+:\d+/.exec(text)?.[0];
        if (address) return address;
        await Promise.race([once(child.stdout, "data"), exited]);
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`The server ended:\n${text}`);
      }
    },
    output: () => text,
    cpuSeconds() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    },
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
