import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findNode } from "../../bin/find-node.cjs";

/** `bin/steam-pics-sync.cjs` in a project whose service is a few lines of JavaScript, so that a start costs little. */

const bin = fileURLToPath(new URL("../../bin", import.meta.url));
const minimum = "24.14";
/** Prints what it was started with, and then waits for a signal: `exit 7`, `die` or `wait`. */
const service = `
const [what, code] = process.argv.slice(2);
if (what === "wait") setTimeout(() => {}, 20_000);
process.on("SIGTERM", () => process.exit(43));
process.stdout.write(JSON.stringify({ node: process.versions.node, options: process.execArgv, cwd: process.cwd() }) + "\\n");
if (what === "exit") process.exitCode = Number(code);
if (what === "die") process.kill(process.pid, "SIGKILL");`;
/** The host's own Node, where it is too old for the sources; null where there is none. */
const oldNode =
  (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "node"))
    .filter((path) => existsSync(path) && !path.includes("node_modules"))
    .find((path) => spawnSync(path, ["--version"], { encoding: "utf8" }).stdout.startsWith("v20.")) ?? null;

let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "launcher-"));
  cpSync(bin, join(project, "bin"), { recursive: true });
  mkdirSync(join(project, "src"));
  writeFileSync(join(project, "src/main.js"), service);
  const scripts = { start: "node --max-old-space-size=99 --no-warnings src/main.js" };
  writeFileSync(join(project, "package.json"), JSON.stringify({ engines: { node: `>=${minimum}` }, scripts }));
});
afterAll(() => rmSync(project, { recursive: true }));

/** The pinned Node of the project, as `npm ci` installs it; null as with `--omit=dev`. */
function install(pinned: string | null): void {
  rmSync(join(project, "node_modules"), { recursive: true, force: true });
  mkdirSync(join(project, "node_modules/node/bin"), { recursive: true });
  if (pinned !== null) symlinkSync(pinned, join(project, "node_modules/node/bin/node"));
}

function start(node: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  const launcher = join(project, "bin/steam-pics-sync.cjs");
  return spawn(node, [launcher, ...args], { cwd: tmpdir(), env, stdio: ["ignore", "pipe", "pipe"] });
}

async function run(node: string, args: string[], env: Record<string, string> = {}) {
  const child = start(node, args, env);
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
    once(child, "close"),
  ]);
  return { code, signal, stdout: stdout === "" ? null : JSON.parse(stdout), stderr };
}

describe("the launcher", () => {
  it("runs the service with the V8 options of npm start, in the caller's folder, and ends with its exit code", async () => {
    install(process.execPath);
    expect(await run(process.execPath, ["exit", "7"])).toEqual({
      ...{ code: 7, signal: null, stderr: "" },
      stdout: {
        node: process.versions.node,
        options: ["--max-old-space-size=99", "--no-warnings"],
        cwd: tmpdir(),
      },
    });
  });

  it("passes signals on, and ends by the signal that ended the service", async () => {
    install(process.execPath);
    const child = start(process.execPath, ["wait"]);
    await once(child.stdout as NodeJS.ReadableStream, "data");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([43, null]);
    expect(await run(process.execPath, ["die"])).toMatchObject({ code: null, signal: "SIGKILL" });
  });

  it("says in one sentence what is missing, with exit code 2", async () => {
    rmSync(join(project, "node_modules"), { recursive: true, force: true });
    expect(await run(process.execPath, [])).toMatchObject({ code: 2, stderr: `Run \`npm ci\` in ${project} first.\n` });
    const broken = join(project, "broken");
    writeFileSync(broken, "");
    install(broken);
    const result = await run(process.execPath, []);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(`Run \`npm ci\` in ${project} again.\n`) });
    rmSync(broken);
  });

  it.skipIf(oldNode === null)(
    `runs the pinned Node under Node 20, and names the remedy without one${oldNode ? "" : " (there is no Node 20 here)"}`,
    async () => {
      install(process.execPath);
      const found = await run(oldNode ?? "", ["exit", "0"]);
      expect(found).toMatchObject({ code: 0, stdout: { node: process.versions.node } });
      install(null);
      const none = await run(oldNode ?? "", [], { PATH: dirname(oldNode ?? "") });
      expect(none).toMatchObject({ code: 2, stdout: null });
      expect(none.stderr).toMatch(/^This service needs Node 24\.14 or newer; this is 20\..* Run npm ci .*\n$/);
    },
  );
});

describe("findNode", () => {
  const old = { version: "20.20.2", path: "/usr/bin/node" };
  /** A folder with a `node` that says that it is of this version. */
  function folderWith(version: string): string {
    const folder = join(project, version);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "node"), `#!/bin/sh\necho v${version}\n`);
    chmodSync(join(folder, "node"), 0o755);
    return folder;
  }
  const find = (version: string, searchPath: string) =>
    findNode({ root: project, minimum, current: { ...old, version }, searchPath });

  it("prefers the pinned one, then the one that runs, then one on PATH, each new enough", () => {
    const searchPath = ["/does/not/exist", folderWith("22.1.0"), "", folderWith("24.20.0")].join(delimiter);
    install(process.execPath);
    expect(find("24.14.0", searchPath)).toBe(join(project, "node_modules/node/bin/node"));
    install(null);
    expect(find("24.14.0", searchPath)).toBe(old.path);
    expect(find("26.0.0", searchPath)).toBe(old.path);
    expect(find("20.20.2", searchPath)).toBe(join(project, "24.20.0/node"));
    expect(find("24.9.0", folderWith("22.1.0"))).toBeNull();
    expect(find("20.20.2", "")).toBeNull();
  });
});
