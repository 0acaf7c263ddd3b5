import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { nameOf } from "../catalog-source/open.ts";
import { readOwner } from "../db/owner-lock.ts";
import type { Config } from "../process/config.ts";
import type { ConfigError } from "../process/errors.ts";
import { type Check, failed, ok, skipped, warning } from "./check.ts";
import { withoutPassword } from "./probe.ts";

/** What this machine and its configuration have to offer. */

export interface Settings {
  /** Null when it cannot be used; then `fault` says why. */
  config: Config | null;
  fault: ConfigError | null;
  /** "" without a proxy. */
  proxyUrl: string;
}

/** A whole catalog with its history, and room to work. */
const leastDiskBytes = 2 * 2 ** 30;
/** `npm start` keeps the service under 300 MB; the embedded database comes on top. */
const leastMemoryBytes = 512 * 2 ** 20;

export function settingsChecks({ config, fault, proxyUrl }: Settings): Check[] {
  return [
    {
      name: "settings",
      async run() {
        if (config === null) return failed(fault?.message ?? "The configuration cannot be used.", "configuration");
        return ok(
          `${databaseWords(config)}; ${proxyUrl ? `proxy ${withoutPassword(proxyUrl)}` : "no proxy"}; ${keyWords(config)}`,
        );
      },
    },
    {
      name: "data folder",
      run: async () => (config === null ? skipped("The configuration cannot be used.") : await dataFolder(config)),
    },
    {
      name: "memory",
      async run() {
        const free = process.availableMemory();
        const words = `${megabytes(free)} MB are free`;
        return free < leastMemoryBytes
          ? warning(`${words}; the service wants ${megabytes(leastMemoryBytes)} MB`)
          : ok(words);
      },
    },
  ];
}

function databaseWords({ database }: Config): string {
  return database.driver === "pglite" ? `embedded database in ${database.dataDir}` : nameOf(database);
}

/** Which keys there are, never what they are. */
function keyWords({ steamApiKey, http, library }: Config): string {
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
  if (found?.isDirectory() === false) return failed(`DATA_DIR is ${dataDir}, which is no folder`, "configuration");
  const folder = exists ? dataDir : dirname(resolve(dataDir));
  try {
    await access(folder, constants.W_OK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    const words = `${folder} cannot be written to (${code})`;
    return isNeeded ? failed(words, "configuration") : warning(words);
  }
  const { bavail, bsize } = await statfs(folder);
  const room = `${megabytes(bavail * bsize)} MB of disk are free`;
  const owner = await readOwner(dataDir);
  const owned = owner ? `, owned by process ${owner.pid} on ${owner.host} since ${owner.since}` : "";
  const words = `${dataDir} ${exists ? `can be written to${owned}` : "does not exist yet"}; ${room}`;
  return isNeeded && bavail * bsize < leastDiskBytes
    ? warning(`${words}, and a whole catalog wants ${megabytes(leastDiskBytes)} MB`)
    : ok(words);
}

const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20).toLocaleString("en-US");
