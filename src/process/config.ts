import { z } from "zod";
import {
  choice,
  domains,
  flag,
  fraction,
  int,
  origins,
  proxy,
  rateLimit,
  seconds,
  text,
  url,
} from "./config-values.ts";
import { didYouMean } from "./did-you-mean.ts";
import { ConfigError } from "./errors.ts";
import { isInDomains, valveDomains } from "./host-name.ts";
import { int32Max } from "./limits.ts";

/**
 * Configuration: the environment, read once, validated as a whole and frozen. Times are seconds outside and milliseconds (`…Ms`) inside.
 */
export const modes = ["sync", "bulk_sync", "change_monitor", "collect", "library_import", "migrate"] as const;
export type Mode = (typeof modes)[number];

export type DatabaseConfig =
  | { driver: "supabase"; url: string; serviceKey: string }
  | { driver: "postgres"; url: string }
  | { driver: "pglite"; dataDir: string };

export type Config = Frozen<ReturnType<typeof toConfig>>;
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;
export type Environment = Record<string, string | undefined>;

const variables = {
  MODE: choice(modes).prefault("sync"),
  HOST: text().prefault("0.0.0.0"),
  PORT: int(0, 65_535).prefault("8080"),
  LOG_LEVEL: choice(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
    warning: "warn",
    critical: "fatal",
  }).prefault("info"),

  SUPABASE_URL: url("http:", "https:").optional(),
  SUPABASE_SERVICE_KEY: text().optional(),
  DATABASE_URL: url("postgres:", "postgresql:").optional(),
  DATABASE_POOL_SIZE: int(2, 100).optional(),
  DATA_DIR: text().prefault("./data"),

  API: flag().prefault("on"),
  DASHBOARD: flag().prefault("on"),
  API_KEY: text().optional(),
  API_RATE_LIMIT: rateLimit().prefault("600/minute"),
  CORS_ORIGIN: origins().optional(),
  TRUSTED_PROXIES: int(0, 10).prefault("0"),

  // Read by the HTTP clients and by Node itself; only validated here.
  HTTPS_PROXY: proxy().optional(),
  NO_PROXY: text().optional(),
  NODE_EXTRA_CA_CERTS: text().optional(),

  STEAM_API_KEY: text().optional(),
  STEAM_CONTENT_HOSTS: domains().prefault(valveDomains.join(",")),
  APP_ID_MAX: int(1, int32Max).optional(),
  BULK_BATCH_SIZE: int(1, 1000).prefault("200"),
  BULK_REQUEST_DELAY: seconds(0).prefault("0.5"),
  BULK_CONCURRENCY: int(1, 32).prefault("4"),
  BULK_TIMEOUT: seconds(0.1).prefault("60"),
  BULK_MAX_RETRIES: int(0, 100).prefault("5"),
  UPSERT_BATCH_SIZE: int(1, 1000).prefault("500"),
  MAX_QUEUE_SIZE: int(1, 1_000_000).prefault("10000"),
  LEASE_SECONDS: seconds(0.1).prefault("90"),
  HISTORY: flag().prefault("on"),
  KEEP_APP_INFO: flag().optional(),
  KEEP_DEPOTS: flag().optional(),

  POLL_INTERVAL: seconds(0.1).prefault("30"),
  PROCESS_BATCH_SIZE: int(1, 1000).prefault("100"),
  RECONCILE_INTERVAL: seconds(0).prefault("86400"),
  UNKNOWN_CONFIRM_SECONDS: seconds(0).prefault("600"),
  EMPTY_JUMP_MAX: int(1, int32Max).prefault("100"),
  APP_RETRY_DELAY: seconds(0.1).prefault("30"),
  APP_RETRY_MAX_DELAY: seconds(0.1).prefault("3600"),
  DRAIN_ONLY: flag().prefault("false"),

  RECONNECT_MAX_DELAY: seconds(1).prefault("300"),
  WATCHDOG_SECONDS: seconds(1).prefault("600"),
  GIVE_UP_AFTER: seconds(0.1).prefault("900"),

  COLLECT_INTERVAL: seconds(0).prefault("0"),
  BATCH_SIZE: int(1, 1000).prefault("500"),
  MAX_DETAILS: int(0, 1_000_000).prefault("3000"),
  MAX_SHRINK: fraction(0, 1).prefault("0.05"),
  MAX_WORKERS: int(1, 32).prefault("3"),
  RETRY_ATTEMPTS: int(0, 100).prefault("3"),
  STEAM_WEB_API_LIMIT: rateLimit().prefault("100000/day"),
  STEAM_STORE_API_LIMIT: rateLimit().prefault("200/5minutes"),
  STEAMSPY_API_LIMIT: rateLimit().prefault("60/minute"),
  STEAMSPY_ALL_LIMIT: rateLimit().prefault("1/minute"),
  IGDB_API_LIMIT: rateLimit().prefault("4/second"),
  IGDB_CLIENT_ID: text().optional(),
  IGDB_CLIENT_SECRET: text().optional(),
  S3_BUCKET: text().optional(),
};

/** Values that are never printed, not even faulty ones: a URL that cannot be parsed may hold its password anywhere. */
const secretVariables = [
  "SUPABASE_SERVICE_KEY",
  "DATABASE_URL",
  "API_KEY",
  "STEAM_API_KEY",
  "IGDB_CLIENT_ID",
  "IGDB_CLIENT_SECRET",
  "HTTPS_PROXY",
];

/** Hosts of Supabase's own projects, by their API or by their database and pooler. */
const supabaseDomains = ["supabase.co", "pooler.supabase.com"];

/** Prefixes that only this service uses: an unknown variable with one of them is a misspelling. */
const ownPrefixes =
  /^(BULK|DATABASE_POOL|UPSERT|POLL|UNKNOWN_CONFIRM|PROCESS_BATCH|LEASE|MAX_QUEUE|RECONNECT|RECONCILE|WATCHDOG|GIVE_UP|DRAIN|KEEP|APP_ID|APP_RETRY|EMPTY_JUMP|COLLECT|STEAM_(API|WEB_API|STORE_API|CONTENT)|STEAMSPY|IGDB)_/;
/** Variables that Kubernetes and Docker add for every linked service, perhaps one called `bulk-sync`. */
const serviceLinks = /_SERVICE_(HOST|PORT)|_PORT(_|$)/;

const schema = z.object(variables);

/** The default of every variable, as it would be written; null where there is none. */
export const variableDefaults: Readonly<Record<string, string | null>> = Object.fromEntries(
  Object.entries(variables).map(([name, kind]) => [name, "defaultValue" in kind.def ? kind.def.defaultValue : null]),
);

/** The environment of the process, completed from the file `path` if that exists. Variables that are set win over the file. */
export function readEnv(path = ".env"): Environment {
  try {
    process.loadEnvFile(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  return process.env;
}

/**
 * Validates the whole environment. Blank values count as unset.
 *
 * @throws {ConfigError} that lists every fault: the variable's name, the rule and, unless it is secret, the value.
 */
export function loadConfig(environment: Environment): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
  const parsed = schema.safeParse(given);
  const faults = (parsed.error?.issues ?? []).map((issue) => {
    const name = String(issue.path[0]);
    const value = secretVariables.includes(name) ? "its value is not shown" : `it is ${JSON.stringify(given[name])}`;
    return `${name} ${issue.message}; ${value}`;
  });
  for (const [one, other] of [
    ["SUPABASE_URL", "SUPABASE_SERVICE_KEY"],
    ["IGDB_CLIENT_ID", "IGDB_CLIENT_SECRET"],
  ] as const) {
    if (!given[one] !== !given[other]) {
      faults.push(`${one} and ${other} belong together: ${given[one] ? other : one} is not set`);
    }
  }
  for (const name of Object.keys(given)) {
    if (name in variables || !ownPrefixes.test(name) || serviceLinks.test(name)) continue;
    faults.push(`${name} is not a variable of this service${didYouMean(name, Object.keys(variables))}`);
  }
  if (faults.length > 0 || !parsed.data) {
    throw new ConfigError(`The configuration cannot be used:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);
  }
  return freezeDeep(toConfig(parsed.data));
}

/** The secrets in an environment that {@link loadConfig} may reject. */
export function secretsIn(environment: Environment): string[] {
  return secretVariables.flatMap((name) => {
    const value = environment[name]?.trim() ?? "";
    const password = URL.parse(value)?.password ?? "";
    // The address of a proxy is no secret. A value that is no URL may be a password.
    return [name === "HTTPS_PROXY" && URL.canParse(value) ? "" : value, password].filter((secret) => secret !== "");
  });
}

/** Values that must not appear in any log line: keys, and passwords of connection strings, plain and percent-encoded. */
export function secretsOf(config: Config): string[] {
  const { database, http, steamApiKey, library } = config;
  const secrets = [http.apiKey, steamApiKey, library.igdbClientId, library.igdbClientSecret];
  if (database.driver === "supabase") secrets.push(database.serviceKey);
  if (database.driver === "postgres") {
    const { password } = new URL(database.url);
    secrets.push(password, percentDecoded(password));
  }
  return secrets.filter((secret) => secret !== null && secret !== "") as string[];
}

function toConfig(env: z.output<typeof schema>) {
  return {
    mode: env.MODE,
    host: env.HOST,
    port: env.PORT,
    logLevel: env.LOG_LEVEL,
    http: {
      api: env.API,
      dashboard: env.DASHBOARD,
      /** Key that API and dashboard require; null leaves them open. */
      apiKey: env.API_KEY ?? null,
      /** Per client address. */
      rateLimit: env.API_RATE_LIMIT,
      /** CORS: origins whose pages may read the API; `*` is any. */
      corsOrigins: env.CORS_ORIGIN ?? [],
      /** Number of proxies in front of the service whose X-Forwarded-For is trusted. */
      trustedProxies: env.TRUSTED_PROXIES,
    },
    database: databaseOf(env),
    /** Most connections of this process to Postgres; null for as many as its work can use at once. */
    databasePoolSize: env.DATABASE_POOL_SIZE ?? null,
    dataDir: env.DATA_DIR,
    steamApiKey: env.STEAM_API_KEY ?? null,
    /** Domains whose hosts app info is fetched from over HTTP. */
    steamContentHosts: env.STEAM_CONTENT_HOSTS,
    reconnectMaxDelayMs: env.RECONNECT_MAX_DELAY,
    watchdogMs: env.WATCHDOG_SECONDS,
    giveUpAfterMs: env.GIVE_UP_AFTER,
    history: env.HISTORY,
    /** Kept by default, except on a hosted Supabase project: its free plan ends at 500 MB. */
    keep: {
      /** The texts of app info. */
      appInfo: env.KEEP_APP_INFO ?? !isHostedSupabase(env),
      /** Depots and their manifests. */
      depots: env.KEEP_DEPOTS ?? !isHostedSupabase(env),
    },
    /** Shortest time between two answers "unknown" about a stored app until that is believed. */
    unknownConfirmMs: env.UNKNOWN_CONFIRM_SECONDS,
    /** Largest share of what is known that may vanish at once: of the known apps, or of an app list. */
    maxShrink: env.MAX_SHRINK,
    bulk: {
      appIdMax: env.APP_ID_MAX ?? null,
      batchSize: env.BULK_BATCH_SIZE,
      /** Between the starts of two requests; 0 for no delay. */
      requestDelayMs: env.BULK_REQUEST_DELAY,
      concurrency: env.BULK_CONCURRENCY,
      timeoutMs: env.BULK_TIMEOUT,
      maxRetries: env.BULK_MAX_RETRIES,
      upsertBatchSize: env.UPSERT_BATCH_SIZE,
      maxQueueSize: env.MAX_QUEUE_SIZE,
      leaseMs: env.LEASE_SECONDS,
    },
    monitor: {
      pollIntervalMs: env.POLL_INTERVAL,
      processBatchSize: env.PROCESS_BATCH_SIZE,
      /** 0 for never. */
      reconcileIntervalMs: env.RECONCILE_INTERVAL,
      drainOnly: env.DRAIN_ONLY,
      /** Change numbers without any app or package; more of them in one reply are a gap. */
      emptyJumpMax: env.EMPTY_JUMP_MAX,
      /** Exponential backoff of an app that fails. */
      appBackoff: { firstMs: env.APP_RETRY_DELAY, maxMs: env.APP_RETRY_MAX_DELAY },
    },
    collector: {
      /** 0 for a single run. */
      intervalMs: env.COLLECT_INTERVAL,
      batchSize: env.BATCH_SIZE,
      maxDetails: env.MAX_DETAILS,
      /** Requests for single apps in flight. */
      maxWorkers: env.MAX_WORKERS,
    },
    library: {
      igdbClientId: env.IGDB_CLIENT_ID ?? null,
      igdbClientSecret: env.IGDB_CLIENT_SECRET ?? null,
      s3Bucket: env.S3_BUCKET ?? null,
    },
    web: {
      retryAttempts: env.RETRY_ATTEMPTS,
      limits: {
        steamWebApi: env.STEAM_WEB_API_LIMIT,
        steamStoreApi: env.STEAM_STORE_API_LIMIT,
        steamSpy: env.STEAMSPY_API_LIMIT,
        steamSpyAll: env.STEAMSPY_ALL_LIMIT,
        igdb: env.IGDB_API_LIMIT,
      },
    },
  };
}

function databaseOf(env: z.output<typeof schema>): DatabaseConfig {
  if (env.SUPABASE_URL && env.SUPABASE_SERVICE_KEY) {
    return { driver: "supabase", url: env.SUPABASE_URL, serviceKey: env.SUPABASE_SERVICE_KEY };
  }
  if (env.DATABASE_URL) return { driver: "postgres", url: env.DATABASE_URL };
  return { driver: "pglite", dataDir: env.DATA_DIR };
}

function isHostedSupabase({ SUPABASE_URL, DATABASE_URL }: z.output<typeof schema>): boolean {
  const { hostname } = new URL(SUPABASE_URL ?? DATABASE_URL ?? "none:");
  return isInDomains(hostname, supabaseDomains);
}

function percentDecoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function freezeDeep<T extends object>(value: T): Frozen<T> {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) freezeDeep(inner);
  }
  return Object.freeze(value) as Frozen<T>;
}
