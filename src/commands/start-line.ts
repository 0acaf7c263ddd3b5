import { resolve } from "node:path";
import { nameOf } from "../db/database-name.ts";
import type { Config } from "../process/config.ts";
import { packageVersion, type Work } from "./args.ts";

/** The commands that serve HTTP and report to the other workers. */
const workers: ReadonlySet<Work["kind"]> = new Set([
  "sync",
  "bulk_sync",
  "change_monitor",
  "collect",
  "library_import",
]);
export const isWorker = (kind: Work["kind"]) => workers.has(kind);

/**
 * The first log line of a command: version, what it does, on which database, and where it answers. Logged before anything is loaded or opened,
 * so that it stands above every fault. Contains no secret.
 */
export function startLine(
  { database, dataDir, host, port }: Config,
  mode: Work["kind"],
): [fields: object, message: string] {
  const version = packageVersion();
  const folder = resolve(dataDir);
  const name = database.driver === "pglite" ? "the embedded database" : nameOf(database);
  const http = isWorker(mode) ? httpAddress(host, port) : null;
  const fields = { version, mode, database: { driver: database.driver, name }, data_dir: folder, http };
  const where = database.driver === "pglite" ? `${name} in ${folder}` : name;
  const shown = http === null ? [] : [shownAddress(host, port)];
  return [fields, [`steam-pics-sync ${version}`, mode, where, ...shown].join(" · ")];
}

/** URL of an HTTP server; IPv6 stands in brackets. */
export function httpAddress(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The URL for a browser on this machine: a server that listens on every address is on the loopback, too. */
export function shownAddress(host: string, port: number): string {
  return httpAddress(host === "0.0.0.0" || host === "::" ? "localhost" : host, port);
}
