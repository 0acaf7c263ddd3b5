#!/usr/bin/env node
"use strict";
/**
 * Launcher: `npx steam-pics-sync COMMAND`. CommonJS without types, because the sources are TypeScript and need a newer
 * Node than the host may have: it finds a Node that runs them and hands the command to it, with the V8 options of
 * `npm start`. Uses no network.
 *
 * Signals are passed on, and the launcher ends as the service ends: with its exit code, or by the same signal.
 */
const { spawn } = require("node:child_process");
const { existsSync, readFileSync } = require("node:fs");
const { join, sep } = require("node:path");
const { findNode, shortfallOf } = require("./find-node.cjs");

/** The folder of package.json; Node has resolved symbolic links such as that in node_modules/.bin. */
const root = join(__dirname, "..");
/** As `npm start` has it: `node OPTIONS src/main.ts`. The one home of the V8 options. */
const { engines, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const minimum = engines.node.replace(">=", "");
const badConfiguration = 2;

/** @param {string} sentence */
function refuse(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = badConfiguration;
}

/** @param {string} node path of its executable */
function run(node) {
  const words = scripts.start.split(" ").slice(1);
  const main = join(root, words.pop());
  const child = spawn(node, [...words, main, ...process.argv.slice(2)], { stdio: "inherit" });
  // Ctrl-C reaches the service directly, too, which takes the second signal for an echo of the first.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("error", (error) => refuse(`${node} cannot be run (${error.message}). Run \`npm ci\` in ${root} again.`));
  child.on("exit", (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const node = findNode({ root, minimum });
if (root.split(sep).includes("node_modules")) {
  refuse("Node runs no TypeScript below node_modules: clone the repository, and run `npx steam-pics-sync` in it.");
} else if (!existsSync(join(root, "node_modules"))) refuse(`Run \`npm ci\` in ${root} first.`);
else if (node === null) refuse(shortfallOf(process.versions.node, minimum));
else run(node);
