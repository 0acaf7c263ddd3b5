import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { editsOf, nearest } from "./did-you-mean.ts";
import { ConfigError, errorCode } from "./errors.ts";

/** The environment of the process, completed from a file, and the names in both that are not variables of this service. */

export type Environment = Record<string, string | undefined>;

export interface ReadEnvironment {
  environment: Environment;
  /** Names that the file sets. It is this service's own, so a name there is meant for this service. */
  fileNames: readonly string[];
}

/**
 * The environment of the process, completed from the file `path` if that exists. Variables that are set win over the file.
 *
 * @throws {ConfigError} when the file exists and cannot be read.
 */
export function readEnv(path = ".env"): ReadEnvironment {
  const text = readIfPresent(path);
  if (text === null) return { environment: process.env, fileNames: [] };
  // What Windows writes by default; parsed as it is, every variable would be missing.
  if (text.includes("\0")) throw new ConfigError(`${path} is not UTF-8 text: save it as UTF-8.`);
  process.loadEnvFile(path);
  return { environment: process.env, fileNames: Object.keys(parseEnv(text)) };
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return null;
    // Docker creates a folder where a file that it should mount does not exist.
    if (code === "EISDIR")
      throw new ConfigError(`${path} is a folder; it must be a file with variables, or not exist.`);
    throw new ConfigError(`${path} cannot be read (${code}): let this user read it, or remove it.`);
  }
}

/** Prefixes that only this service uses: an unknown variable with one of them is a misspelling. */
const ownPrefixes =
  /^(BULK|DATABASE_POOL|UPSERT|POLL|UNKNOWN_CONFIRM|PROCESS_BATCH|LEASE|MAX_QUEUE|RECONNECT|RECONCILE|WATCHDOG|GIVE_UP|DRAIN|KEEP|APP_ID|APP_RETRY|EMPTY_JUMP|COLLECT|STEAM_(API|WEB_API|STORE_API|CONTENT)|STEAMSPY|IGDB)_/;
/** Variables that Kubernetes and Docker add for every linked service, perhaps one called `bulk-sync`. */
const serviceLinks = /_SERVICE_(HOST|PORT)|_PORT(_|$)/;
/** Variables that other programs read from the same file, or that libraries of this one read by themselves. */
const foreign =
  /^(AWS|AZURE|COMPOSE|DOCKER|FLY|GCP|GOOGLE|KUBERNETES|NPM|POSTGRES|RAILWAY|RENDER|SSL|UV|VITE)_|^PG[A-Z]+$|^NODE_(ENV|OPTIONS|TLS_\w+|COMPILE_CACHE)$|^((HTTPS?|ALL|NO)_PROXY|TZ|LANG|TERM|PATH|(NO|FORCE)_COLOR|SECRET_ARN|SUPABASE_(ANON_KEY|ACCESS_TOKEN|DB_PASSWORD|JWT_SECRET|PROJECT_ID|PROJECT_REF))$/i;
/** The shape of a name that may be printed: the rest of a key with a line break can look like a name. */
const ordinaryName = /^[A-Z][A-Z0-9_]{0,60}$/;

/**
 * Names that this service does not read: faults for probable misspellings of its own, one warning for others in its file.
 *
 * @param names the variables of this service.
 */
export function unknownNames(
  given: readonly string[],
  fileNames: readonly string[],
  names: readonly string[],
): { faults: string[]; warnings: string[] } {
  const faults: string[] = [];
  const others: string[] = [];
  for (const name of new Set([...given, ...fileNames])) {
    if (names.includes(name)) continue;
    const meant = nearest(name, names);
    if (ownPrefixes.test(name) && !serviceLinks.test(name)) {
      faults.push(`${name} is not a variable of this service${meant ? `; did you mean ${meant}?` : ""}`);
    } else if (fileNames.includes(name) && !foreign.test(name)) {
      const isClose = meant !== null && Math.abs(meant.length - name.length) <= editsOf(name);
      if (isClose) faults.push(`${shown(name)} is not a variable of this service; did you mean ${meant}?`);
      else others.push(name);
    }
  }
  return { faults, warnings: others.length === 0 ? [] : [warningOf(others)] };
}

function warningOf(names: readonly string[]): string {
  return `.env sets what this service does not read: ${[...new Set(names.map(shown))].join(", ")}`;
}

const shown = (name: string) => (ordinaryName.test(name) ? name : "a name that is not shown");
