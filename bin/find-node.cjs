"use strict";
/** Which Node runs the service. In syntax that every Node reads, see steam-pics-sync.cjs. */
const { spawnSync } = require("node:child_process");
const { existsSync, realpathSync } = require("node:fs");
const { delimiter, join } = require("node:path");

const executable = process.platform === "win32" ? "node.exe" : "node";

/**
 * @param {string} version such as `20.20.2`
 * @param {string} minimum such as `24.14`
 */
function isAtLeast(version, minimum) {
  return version.localeCompare(minimum, "en", { numeric: true }) >= 0;
}

/**
 * Why the service does not start, and the remedy.
 *
 * @param {string} version
 * @param {string} minimum
 */
function shortfallOf(version, minimum) {
  return `This service needs Node ${minimum} or newer; this is ${version}. Run npm ci without --omit=dev, which installs the right one.`;
}

/**
 * The path of a Node that runs the sources; null when there is none. In this order: the pinned one, which the tests ran
 * on (the devDependency `node`); the one that runs this; one on PATH.
 *
 * @param {object} options
 * @param {string} options.root the project's folder
 * @param {string} options.minimum version such as `24.14`
 * @param {{ version: string, path: string }} [options.current] the Node that runs this
 * @param {string} [options.searchPath] as the variable PATH
 * @returns {string | null}
 */
function findNode({
  root,
  minimum,
  current = { version: process.versions.node, path: process.execPath },
  searchPath = process.env.PATH || "",
}) {
  const pinned = join(root, "node_modules", "node", "bin", executable);
  if (existsSync(pinned)) return pinned;
  if (isAtLeast(current.version, minimum)) return current.path;
  const candidates = searchPath
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, executable))
    .filter((path) => existsSync(path));
  const others = [...new Set(candidates.map((path) => realpathSync(path)))];
  return others.find((path) => isAtLeast(versionOf(path), minimum)) || null;
}

/**
 * @param {string} node path of its executable
 * @returns {string} such as `24.21.0`; `0` when it does not run
 */
function versionOf(node) {
  const { status, stdout } = spawnSync(node, ["--version"], { encoding: "utf8", timeout: 5_000 });
  return status === 0 ? stdout.trim().replace(/^v/, "") : "0";
}

module.exports = { findNode, isAtLeast, shortfallOf };
