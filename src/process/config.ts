import { z } from "zod";
import { databaseUrl, isKeyOfAnotherProject, serviceKey, supabaseDomains, supabaseUrl } from "./config-database.ts";
import {
  apiKey,
  choice,
  domains,
  flag,
  fraction,
  hosts,
  int,
  key,
  origins,
  proxy,
  rateLimit,
  seconds,
  text,
  words,
} from "./config-values.ts";
import { type Environment, unknownNames } from "./environment.ts";
import { ConfigError } from "./errors.ts";
import { isInDomains, valveDomains } from "./host-name.ts";
import { int32Max } from "./limits.ts";
import { createRedactor } from "./redactor.ts";

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

const variables = {
  MODE: choice(modes).prefault("sync"),
  HOST: text().prefault("0.0.0.0"),
  PORT: int(0, 65_535).prefault("8080"),
  LOG_LEVEL: choice(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
    warning: "warn",
    critical: "fatal",
  }).prefault("info"),

  SUPABASE_URL: supabaseUrl().optional(),
  SUPABASE_SERVICE_KEY: serviceKey().optional(),
  SUPABASE_SERVICE_ROLE_KEY: serviceKey().optional(),
  DATABASE_URL: databaseUrl().optional(),
  DATABASE_POOL_SIZE: int(2, 100).optional(),
  DATA_DIR: text().prefault("./data"),

  API: flag().prefault("on"),
  DASHBOARD: flag().prefault("on"),
  DASHBOARD_ART: flag().prefault("off"),
  API_KEY: apiKey().optional(),
  API_RATE_LIMIT: rateLimit().prefault("600/minute"),
  CORS_ORIGIN: origins().optional(),
  TRUSTED_PROXIES: int(0, 10).prefault("0"),
  ALLOWED_HOSTS: hosts().optional(),
  MAX_CONNECTIONS: int(10, 100_000).prefault("1000"),

  // Read by the HTTP clients and by Node itself; only validated here.
  HTTPS_PROXY: proxy().optional(),
  NO_PROXY: text().optional(),
  NODE_EXTRA_CA_CERTS: text().optional(),

  STEAM_API_KEY: key().optional(),
  STEAM_CONTENT_HOSTS: domains().prefault(valveDomains.join(",")),
  APP_ID_MAX: int(1, int32Max).optional(),
  BULK_BATCH_SIZE: int(1, 1000).prefault("200"),
  BULK_REQUEST_DELAY: seconds(0).prefault("0.5"),
  METADATA_REQUEST_DELAY: seconds(0).optional(),
  BULK_CONCURRENCY: int(1, 32).prefault("4"),
  BULK_TIMEOUT: seconds(0.1).prefault("60"),
  BULK_MAX_RETRIES: int(0, 100).prefault("5"),
  UPSERT_BATCH_SIZE: int(1, 1000).prefault("500"),
  MAX_QUEUE_SIZE: int(1, 1_000_000).prefault("10000"),
  LEASE_SECONDS: seconds(0.1).prefault("90"),
  APP_TYPES: words("game,dlc,demo").optional(),
  HISTORY: flag().prefault("on"),
  HISTORY_DAYS: int(1, 36_500).optional(),
  WEBHOOK_ALLOW_PRIVATE: flag().prefault("off"),
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
  LIBRARY_USER: text().optional(),
  LIBRARY_STEAM_ID: text().optional(),
  IGDB_CLIENT_ID: key().optional(),
  IGDB_CLIENT_SECRET: key().optional(),
  S3_BUCKET: text().optional(),
  LIBRARY_TABLES: choice(["own", "shared"]).optional(),
};

/** Values that are never printed, not even faulty ones: a URL that cannot be parsed may hold its password anywhere. */
const secretVariables = [
  "SUPABASE_URL",
  "SUPABASE_SERVICE_KEY",
  "SUPABASE_SERVICE_ROLE_KEY",
  "DATABASE_URL",
  "API_KEY",
  "STEAM_API_KEY",
  "IGDB_CLIENT_ID",
  "IGDB_CLIENT_SECRET",
  "HTTPS_PROXY",
];

const schema = z.object(variables);

/** The default of every variable, as it would be written; null where there is none. */
export const variableDefaults: Readonly<Record<string, string | null>> = Object.fromEntries(
  Object.entries(variables).map(([name, kind]) => [name, "defaultValue" in kind.def ? kind.def.defaultValue : null]),
);

/**
 * Validates the whole environment. Blank values count as unset, except where only that would choose the embedded database.
 *
 * @param fileNames names that the service's own .env sets.
 * @throws {ConfigError} that lists every fault: the variable's name, the rule and, unless it may hold a secret, the value.
 */
export function loadConfig(environment: Environment, fileNames: readonly string[] = []): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
  const parsed = schema.safeParse(given);
  const redact = createRedactor(secretsIn(environment));
  const faults = (parsed.error?.issues ?? []).map((issue) => {
    const name = String(issue.path[0]);
    const value = given[name] ?? "";
    const isShown = !secretVariables.includes(name) && !value.includes("@") && redact(value) === value;
    return `${name} ${issue.message}; ${isShown ? `it is ${JSON.stringify(value)}` : "its value is not shown"}`;
  });
  faults.push(...pairFaults(given, parsed.data));
  const blank = blankDatabase(environment, given);
  if (blank) faults.push(blank);
  const unknown = unknownNames(Object.keys(given), fileNames, Object.keys(variables));
  faults.push(...unknown.faults);
  if (faults.length > 0 || !parsed.data) {
    throw new ConfigError(`The configuration cannot be used:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);
  }
  return freezeDeep(toConfig(parsed.data, unknown.warnings, trustedProxiesOf(given, parsed.data)));
}

/** Railway sets its variables in every deployment, and its edge is in front of each. An explicit number wins. */
function trustedProxiesOf(given: Environment, { TRUSTED_PROXIES }: z.output<typeof schema>): number | "railway" {
  const isOnRailway = given.RAILWAY_ENVIRONMENT_ID !== undefined && given.RAILWAY_SERVICE_ID !== undefined;
  return isOnRailway && given.TRUSTED_PROXIES === undefined ? "railway" : TRUSTED_PROXIES;
}

/** Variables that belong together, and contradict each other. */
function pairFaults(given: Environment, env: z.output<typeof schema> | undefined): string[] {
  const faults: string[] = [];
  const { SUPABASE_SERVICE_KEY: key, SUPABASE_SERVICE_ROLE_KEY: roleKey, SUPABASE_URL: url } = given;
  const keyName = key || !roleKey ? "SUPABASE_SERVICE_KEY" : "SUPABASE_SERVICE_ROLE_KEY";
  for (const [one, other] of [
    ["SUPABASE_URL", keyName],
    ["IGDB_CLIENT_ID", "IGDB_CLIENT_SECRET"],
  ] as const) {
    if (!given[one] !== !given[other]) {
      faults.push(`${one} and ${other} belong together: ${given[one] ? other : one} is not set`);
    }
  }
  if (key && roleKey && key.trim() !== roleKey.trim()) {
    faults.push("SUPABASE_SERVICE_KEY and SUPABASE_SERVICE_ROLE_KEY are two names of one key, and differ: set one");
  }
  if (env && url && isKeyOfAnotherProject(key ?? roleKey ?? "", env.SUPABASE_URL ?? "")) {
    faults.push(`${keyName} is the key of another project than the one that SUPABASE_URL names`);
  }
  return faults;
}

/** A reference that a platform could not resolve is blank; the catalog would go unnoticed into a folder that is lost with the container. */
function blankDatabase(environment: Environment, given: Environment): string | null {
  if (given.DATABASE_URL || given.SUPABASE_URL) return null;
  const name = ["DATABASE_URL", "SUPABASE_URL"].find((each) => environment[each] !== undefined);
  return name ? `${name} is set but empty: set it, or remove it to use the embedded database in DATA_DIR` : null;
}

/** Secrets that are part of a value which is otherwise no secret, such as a proxy's URL. */
const addresses = ["HTTPS_PROXY", "SUPABASE_URL"];

/** The secrets in an environment that {@link loadConfig} may reject. */
export function secretsIn(environment: Environment): string[] {
  return secretVariables.flatMap((name) => {
    const value = environment[name]?.trim() ?? "";
    const { protocol = "", password = "" } = URL.parse(value) ?? {};
    // The address of a proxy or a project is no secret. A value that is no such URL may be a password.
    const isAddress = addresses.includes(name) && /^(https?|socks\w*):$/.test(protocol);
    return [isAddress ? "" : value, password, percentDecoded(password)].filter(
      (secret, at, all) => secret !== "" && all.indexOf(secret) === at,
    );
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

function toConfig(env: z.output<typeof schema>, warnings: readonly string[], trustedProxies: number | "railway") {
  return {
    /** What an operator should know of settings that can be used. */
    warnings,
    mode: env.MODE,
    host: env.HOST,
    port: env.PORT,
    logLevel: env.LOG_LEVEL,
    http: {
      api: env.API,
      dashboard: env.DASHBOARD,
      /** Whether the dashboard shows art, which the browser loads from Steam's image host. */
      art: env.DASHBOARD_ART,
      /** Key that the API, the dashboard, `/status` and `/metrics` require; null leaves them open. */
      apiKey: env.API_KEY ?? null,
      /** Per client address. */
      rateLimit: env.API_RATE_LIMIT,
      /** CORS: origins whose pages may read the API; `*` is any. */
      corsOrigins: env.CORS_ORIGIN ?? [],
      /** Number of proxies in front of the service whose X-Forwarded-For is trusted; or Railway's edge. */
      trustedProxies,
      /** Host headers that are served; empty for any. */
      allowedHosts: env.ALLOWED_HOSTS ?? [],
      /** Open at once, in all. Without a proxy, a quarter of them per client address. */
      maxConnections: env.MAX_CONNECTIONS,
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
    /** The only types of which new apps are stored; null for all. */
    appTypes: env.APP_TYPES ?? null,
    history: env.HISTORY,
    /** Changes older than this are deleted; null to keep all. */
    historyDays: env.HISTORY_DAYS ?? null,
    webhooks: {
      /** Whether webhooks may be in private networks, and be reached over plain HTTP there. */
      allowPrivate: env.WEBHOOK_ALLOW_PRIVATE,
    },
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
      /** The same for the requests of sweeps, which have turns of their own. */
      metadataDelayMs: env.METADATA_REQUEST_DELAY ?? env.BULK_REQUEST_DELAY,
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
      /** Whose library `library-import` imports, and for which user, where its options do not say so. */
      userId: env.LIBRARY_USER ?? null,
      steamId: env.LIBRARY_STEAM_ID ?? null,
      igdbClientId: env.IGDB_CLIENT_ID ?? null,
      igdbClientSecret: env.IGDB_CLIENT_SECRET ?? null,
      s3Bucket: env.S3_BUCKET ?? null,
      /** Who owns the library's tables; null where they are used as they are found. */
      tables: env.LIBRARY_TABLES ?? (databaseOf(env).driver === "pglite" ? "own" : null),
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
  const serviceKey = env.SUPABASE_SERVICE_KEY ?? env.SUPABASE_SERVICE_ROLE_KEY;
  if (env.SUPABASE_URL && serviceKey) return { driver: "supabase", url: env.SUPABASE_URL, serviceKey };
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
