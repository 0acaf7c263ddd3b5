import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname, resolve } from "node:path";
import { nameOf } from "../db/database-name.ts";
import { readOwner } from "../db/owner-lock.ts";
import { minPgliteMemory, profileFor } from "../db/pglite-memory.ts";
import type { Config } from "../process/config.ts";
import type { ConfigError } from "../process/errors.ts";
import { hostOf } from "../process/host-name.ts";
import { memoryLimit } from "../process/memory.ts";
import { blocked, type Check, causes, type Finding, failed, ok, warning } from "./check.ts";
import { withoutPassword } from "./probe.ts";

/** Checks of the configuration and of this machine. */

export interface Settings {
  /** Null when it is invalid; `fault` then has the reason. */
  config: Config | null;
  fault: ConfigError | null;
  /** "" without a proxy. */
  proxyUrl: string;
}

/** A complete catalog with its history, and free space to work. */
const minDiskBytes = 2 * 2 ** 30;
/** A worker on Postgres or Supabase, see `npm run soak -- memory`. */
const minServerMemory = 220 * 2 ** 20;

export function settingsChecks({ config, fault, proxyUrl }: Settings): Check[] {
  return [
    {
      name: "settings",
      async run() {
        if (config === null) {
          return failed(fault?.message ?? "The configuration is invalid.", "configuration", correctVariables);
        }
        const proxy = proxyUrl ? `proxy ${withoutPassword(proxyUrl)}` : "no proxy";
        const words = [describeDatabase(config), proxy, describeKeys(config)].join("; ");
        return config.warnings.length > 0 ? warning([words, ...config.warnings].join("; ")) : ok(words);
      },
    },
    {
      name: "data folder",
      run: async () => (config === null ? blocked(causes.configuration) : await dataFolder(config)),
    },
    { name: "memory", run: async () => checkMemory(config, memoryLimit()) },
    {
      name: "access",
      run: async () => (config === null ? blocked(causes.configuration) : checkAccess(config)),
    },
  ];
}

const correctVariables = "Correct them in the environment or in .env; .env.example describes every variable.";

/**
 * Compares what this process may use (its cgroup's limit, else the machine's memory) with what the configured database needs. The kernel
 * kills a process beyond its cgroup's limit without a word.
 */
export function checkMemory(config: Config | null, limitBytes: number): Finding {
  const words = `${megabytes(limitBytes)} MB in all, ${megabytes(process.availableMemory())} MB free`;
  if (config?.database.driver !== "pglite") {
    return limitBytes < minServerMemory
      ? warning(words, `Raise the limit: the service needs ${megabytes(minServerMemory)} MB.`)
      : ok(words);
  }
  const { first, later } = minPgliteMemory;
  if (limitBytes < first) {
    const needs = `the embedded database needs ${megabytes(first)} MB for its first start and ${megabytes(later)} MB from then on`;
    return warning(
      `${words}; ${needs}`,
      `Raise the limit, or use a Postgres elsewhere: ${megabytes(minServerMemory)} MB are enough then.`,
    );
  }
  const isSmall = profileFor(limitBytes) === "small";
  return ok(isSmall ? `${words}; the embedded database runs in its slower mode for small machines` : words);
}

/** Whether strangers reach the HTTP server without a key. */
function checkAccess({ host, port, http }: Config): Finding {
  if (http.apiKey !== null) return ok(`API_KEY guards everything but /health and /ready on port ${port}`);
  if (!isLoopback(host)) {
    const who = `every client that reaches port ${port} of this machine (HOST=${host}) may read everything, since API_KEY is not set`;
    return warning(who, "Set API_KEY, or HOST=127.0.0.1 if only this machine reads it.");
  }
  if (http.allowedHosts.length > 0) return ok(`only this machine reaches port ${port}, by the names of ALLOWED_HOSTS`);
  const hint = `ALLOWED_HOSTS=localhost,${host === "localhost" ? "127.0.0.1" : (hostOf(host) ?? `[${host}]`)} also keeps out pages of other sites in a browser here`;
  return ok(`only this machine reaches port ${port}; ${hint}`);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function describeDatabase({ database }: Config): string {
  return database.driver === "pglite" ? `embedded database in ${database.dataDir}` : nameOf(database);
}

/** Names of the keys that are set and not set; never their values. */
function describeKeys({ steamApiKey, http, library }: Config): string {
  const keys = [
    ["STEAM_API_KEY", steamApiKey],
    ["API_KEY", http.apiKey],
    ["IGDB_CLIENT_ID", library.igdbClientId],
    ["S3_BUCKET", library.s3Bucket],
  ] as const;
  const names = (isSet: boolean) => keys.flatMap(([name, value]) => ((value !== null) === isSet ? name : []));
  const words = (label: string, list: string[]) => (list.length === 0 ? [] : [`${label}: ${list.join(", ")}`]);
  return [...words("set", names(true)), ...words("not set", names(false))].join("; ");
}

async function dataFolder({ dataDir, database }: Config) {
  const isNeeded = database.driver === "pglite";
  const found = await stat(dataDir).catch(() => null);
  const exists = found !== null;
  if (found?.isDirectory() === false) {
    return failed(
      `DATA_DIR is ${dataDir}, which is not a folder`,
      "configuration",
      "Remove that file, or name another.",
    );
  }
  const folder = exists ? dataDir : dirname(resolve(dataDir));
  try {
    await access(folder, constants.W_OK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    const words = `${folder} is not writable (${code})`;
    const remedy = "Change its owner or permissions, or set DATA_DIR to another folder.";
    return isNeeded ? failed(words, "configuration", remedy) : warning(words, remedy);
  }
  const { bavail, bsize } = await statfs(folder);
  const room = `${megabytes(bavail * bsize)} MB of disk free`;
  const owner = await readOwner(dataDir);
  const owned = owner ? `, owned by process ${owner.pid} on ${owner.host} since ${owner.since}` : "";
  const words = `${dataDir} ${exists ? `is writable${owned}` : "does not exist yet"}; ${room}`;
  return isNeeded && bavail * bsize < minDiskBytes
    ? warning(words, `Free some space: a complete catalog needs ${megabytes(minDiskBytes)} MB.`)
    : ok(words);
}

const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20).toLocaleString("en-US");
