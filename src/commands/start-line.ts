import { resolve } from "node:path";
import { nameOf } from "../catalog-source/open.ts";
import type { Config } from "../process/config.ts";
import { packageVersion } from "./args.ts";

/**
 * The first log line of a command: what it does, on which database and folder, and where it answers. Logged before anything is opened, so that
 * it stands above every fault. Contains no secret.
 */
export function startLine(
  { database, dataDir, host, port }: Config,
  { mode, isWorker }: { mode: string; isWorker: boolean },
): [fields: object, message: string] {
  const name = database.driver === "pglite" ? "the embedded database" : nameOf(database);
  const http = isWorker ? httpAddress(host, port) : null;
  const fields = {
    version: packageVersion(),
    mode,
    database: { driver: database.driver, name },
    data_dir: resolve(dataDir),
    http,
  };
  const words = [`${mode} starts`, `database: ${name}`, `data folder: ${fields.data_dir}`, `HTTP: ${http ?? "off"}`];
  return [fields, words.join("; ")];
}

/** URL of an HTTP server; IPv6 stands in brackets. */
export function httpAddress(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
