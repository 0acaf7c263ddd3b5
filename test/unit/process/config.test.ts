import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadConfig, secretsIn, secretsOf, variableDefaults } from "../../../src/process/config.ts";
import type { Environment } from "../../../src/process/environment.ts";
import { ConfigError } from "../../../src/process/errors.ts";

function faultsOf(environment: Environment): string {
  try {
    loadConfig(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error("the configuration was accepted");
}

describe("loadConfig", () => {
  it("uses the documented default of every variable", () => {
    expect(loadConfig({})).toEqual({
      warnings: [],
      mode: "sync",
      host: "0.0.0.0",
      port: 8080,
      logLevel: "info",
      http: {
        api: true,
        dashboard: true,
        art: false,
        apiKey: null,
        rateLimit: { count: 600, periodMs: 60_000 },
        corsOrigins: [],
        trustedProxies: 0,
        allowedHosts: [],
        maxConnections: 1_000,
      },
      database: { driver: "pglite", dataDir: "./data" },
      databasePoolSize: null,
      dataDir: "./data",
      steamApiKey: null,
      steamContentHosts: ["steamcontent.com", "steamstatic.com", "steampowered.com", "steamserver.net"],
      reconnectMaxDelayMs: 300_000,
      watchdogMs: 600_000,
      giveUpAfterMs: 900_000,
      appTypes: null,
      history: true,
      historyDays: null,
      webhooks: { allowPrivate: false },
      keep: { appInfo: true, depots: true },
      unknownConfirmMs: 600_000,
      maxShrink: 0.05,
      bulk: {
        appIdMax: null,
        batchSize: 200,
        requestDelayMs: 500,
        metadataDelayMs: 500,
        concurrency: 4,
        timeoutMs: 60_000,
        maxRetries: 5,
        upsertBatchSize: 500,
        maxQueueSize: 10_000,
        leaseMs: 90_000,
      },
      monitor: {
        pollIntervalMs: 30_000,
        processBatchSize: 100,
        reconcileIntervalMs: 86_400_000,
        drainOnly: false,
        emptyJumpMax: 100,
        appBackoff: { firstMs: 30_000, maxMs: 3_600_000 },
      },
      collector: {
        intervalMs: 0,
        batchSize: 500,
        maxDetails: 3000,
        maxWorkers: 3,
      },
      library: {
        userId: null,
        steamId: null,
        igdbClientId: null,
        igdbClientSecret: null,
        s3Bucket: null,
        tables: "own",
      },
      web: {
        retryAttempts: 3,
        limits: {
          steamWebApi: { count: 100_000, periodMs: 86_400_000 },
          steamStoreApi: { count: 200, periodMs: 300_000 },
          steamSpy: { count: 60, periodMs: 60_000 },
          steamSpyAll: { count: 1, periodMs: 60_000 },
          igdb: { count: 4, periodMs: 1000 },
        },
      },
    });
  });

  it.each([
    [{ SUPABASE_URL: "https://abc.supabase.co", SUPABASE_SERVICE_KEY: "k" }, false],
    [{ DATABASE_URL: "postgres://u:p@db.abc.supabase.co:5432/postgres" }, false],
    [{ DATABASE_URL: "postgres://u.abc:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres" }, false],
    [{ SUPABASE_URL: "http://localhost:54321", SUPABASE_SERVICE_KEY: "k" }, true],
    [{ DATABASE_URL: "postgres://u:p@supabase.co.example.com/postgres" }, true],
    [{ DATABASE_URL: "postgres:///postgres?host=/run/postgresql" }, true],
  ])("keeps app info and depots by default, except on a hosted Supabase project: %j", (environment, isKept) => {
    expect(loadConfig(environment).keep).toEqual({ appInfo: isKept, depots: isKept });
    const chosen = { KEEP_APP_INFO: String(!isKept), KEEP_DEPOTS: isKept ? "off" : "on" };
    expect(loadConfig({ ...environment, ...chosen }).keep).toEqual({ appInfo: !isKept, depots: !isKept });
  });

  it("treats blank values as unset and trims the others", () => {
    const config = loadConfig({
      MODE: "",
      PORT: "  ",
      IGDB_CLIENT_ID: "",
      APP_ID_MAX: " 500 ",
    });
    expect(config).toMatchObject({ mode: "sync", port: 8080, database: { driver: "pglite" }, bulk: { appIdMax: 500 } });
  });

  it("prefers Supabase, then Postgres, then the embedded database", () => {
    const supabase = { SUPABASE_URL: "https://x.supabase.co", SUPABASE_SERVICE_KEY: "key" };
    const postgres = { DATABASE_URL: "postgresql://u:p@h/d" };
    expect(loadConfig({ ...supabase, ...postgres }).database).toEqual({
      driver: "supabase",
      url: "https://x.supabase.co",
      serviceKey: "key",
    });
    expect(loadConfig(postgres).database).toEqual({ driver: "postgres", url: "postgresql://u:p@h/d" });
    expect(loadConfig({ DATA_DIR: "/data" }).database).toEqual({ driver: "pglite", dataDir: "/data" });
  });

  it.each([
    ["INFO", "info"],
    ["Warning", "warn"],
    ["CRITICAL", "fatal"],
    ["trace", "trace"],
  ])("reads LOG_LEVEL %s as %s", (given, level) => {
    expect(loadConfig({ LOG_LEVEL: given }).logLevel).toBe(level);
  });

  it.each([
    ["true", true],
    ["ON", true],
    ["1", true],
    ["false", false],
    ["off", false],
    ["0", false],
  ])("reads the flag %s as %s", (given, expected) => {
    expect(loadConfig({ HISTORY: given, DRAIN_ONLY: given })).toMatchObject({
      history: expected,
      monitor: { drainOnly: expected },
    });
  });

  it("parses fractions of seconds, and rate limits with and without a number of units", () => {
    const config = loadConfig({
      BULK_REQUEST_DELAY: "0.0125",
      POLL_INTERVAL: ".5",
      RECONCILE_INTERVAL: "0",
      STEAM_STORE_API_LIMIT: "1/30seconds",
      IGDB_API_LIMIT: "8/SECOND",
    });
    expect(config.bulk.requestDelayMs).toBe(13);
    expect(config.monitor).toMatchObject({ pollIntervalMs: 500, reconcileIntervalMs: 0 });
    expect(config.web.limits.steamStoreApi).toEqual({ count: 1, periodMs: 30_000 });
    expect(config.web.limits.igdb).toEqual({ count: 8, periodMs: 1000 });
  });

  it("reads domains in lower case, without spaces", () => {
    const { steamContentHosts } = loadConfig({ STEAM_CONTENT_HOSTS: " SteamContent.com, cache.example.org " });
    expect(steamContentHosts).toEqual(["steamcontent.com", "cache.example.org"]);
  });

  it.each([
    ["MODE", "bulk"],
    ["PORT", "65536"],
    ["LOG_LEVEL", "loud"],
    ["HTTPS_PROXY", "socks5://h:1"],
    ["BULK_BATCH_SIZE", "0"],
    ["BULK_BATCH_SIZE", "1001"],
    ["BULK_BATCH_SIZE", "2e2"],
    ["BULK_BATCH_SIZE", "12.5"],
    ["BULK_REQUEST_DELAY", "-1"],
    ["BULK_REQUEST_DELAY", "1s"],
    ["BULK_CONCURRENCY", "33"],
    ["BULK_TIMEOUT", "0"],
    ["BULK_TIMEOUT", "Infinity"],
    ["LEASE_SECONDS", "0"],
    ["UPSERT_BATCH_SIZE", "5000"],
    ["RECONCILE_INTERVAL", "2592000"],
    ["APP_ID_MAX", "2147483648"],
    ["HISTORY", "maybe"],
    ["MAX_SHRINK", "5"],
    ["STEAMSPY_API_LIMIT", "60"],
    ["STEAMSPY_API_LIMIT", "0/minute"],
    ["STEAMSPY_API_LIMIT", "1/0minutes"],
    ["STEAMSPY_API_LIMIT", "1/fortnight"],
    ["STEAM_CONTENT_HOSTS", "com"],
    ["STEAM_CONTENT_HOSTS", "*.steamcontent.com"],
    ["STEAM_CONTENT_HOSTS", "steamcontent.com,"],
    ["STEAM_CONTENT_HOSTS", "steamcontent.com:80"],
    ["STEAM_CONTENT_HOSTS", "127.0.0.1"],
  ])("refuses %s=%s", (name, value) => {
    expect(faultsOf({ [name]: value })).toMatch(new RegExp(`^  - ${name} must be `, "m"));
  });

  it("reports every fault at once, with name, rule and value", () => {
    expect(faultsOf({ BULK_BATCH_SIZE: "abc", POLL_INTERVAL: "soon", SUPABASE_URL: "https://x.supabase.co" })).toBe(
      [
        "The configuration cannot be used:",
        '  - BULK_BATCH_SIZE must be a whole number from 1 to 1000; it is "abc"',
        '  - POLL_INTERVAL must be seconds, a number from 0.1 to 2147483; it is "soon"',
        "  - SUPABASE_URL and SUPABASE_SERVICE_KEY belong together: SUPABASE_SERVICE_KEY is not set",
      ].join("\n"),
    );
  });

  it.each([
    ["0123456789abcde", "must have at least 16 characters; `openssl rand -hex 32` makes a good one"],
    ["open sesame, please", "must be letters, digits and signs of ASCII without spaces"],
    ["0123456789abcdef\n0", "must be letters, digits and signs of ASCII without spaces"],
    ["schlüssel-0123456789", "must be letters, digits and signs of ASCII without spaces"],
    ["changeme-changeme", "is a placeholder or easy to guess"],
    ["your-api-key-goes-here", "is a placeholder or easy to guess"],
    ["<paste the key>".replaceAll(" ", "-"), "must have at least 16 characters"],
    ["<paste-the-key-here>", "is a placeholder or easy to guess"],
    ["xxxxxxxxxxxxxxxx", "is a placeholder or easy to guess"],
    ["abcdabcdabcdabcdab", "is a placeholder or easy to guess"],
    ['"0123456789abcdefg"', "is in quotes"],
  ])("refuses the API key %s and does not print it", (key, rule) => {
    const message = faultsOf({ API_KEY: key });
    expect(message).toContain(`  - API_KEY ${rule}`);
    expect(message).not.toContain(key);
  });

  it("accepts keys as generators make them", () => {
    for (const key of ["9f86d081884c7d65", "Kx7!q_Zr9+Wb/3mT", "[d$E{x1~Q9<k8>z0wv", "correct-horse-battery-staple"]) {
      expect(loadConfig({ API_KEY: key }).http.apiKey).toBe(key);
    }
  });

  it("reads allowed hosts in one spelling", () => {
    const given = "Catalog.Example., *.example.org:443, .a.example, 127.0.0.1:8080, [0:0::1], localhost";
    expect(loadConfig({ ALLOWED_HOSTS: given }).http.allowedHosts).toEqual([
      "catalog.example",
      ".example.org",
      ".a.example",
      "127.0.0.1",
      "[::1]",
      "localhost",
    ]);
    for (const value of ["*", "https://example.org", "example.org,", "a b", "example.org/x", "me@example.org"]) {
      expect(faultsOf({ ALLOWED_HOSTS: value })).toContain("ALLOWED_HOSTS must be host names");
    }
  });

  it("trusts Railway's edge on Railway, unless a number of proxies is set", () => {
    const railway = { RAILWAY_ENVIRONMENT_ID: "e", RAILWAY_SERVICE_ID: "s" };
    expect(loadConfig(railway).http.trustedProxies).toBe("railway");
    expect(loadConfig({ ...railway, TRUSTED_PROXIES: "0" }).http.trustedProxies).toBe(0);
    expect(loadConfig({ ...railway, TRUSTED_PROXIES: "2" }).http.trustedProxies).toBe(2);
    expect(loadConfig({ RAILWAY_SERVICE_ID: "s" }).http.trustedProxies).toBe(0);
  });

  it("never prints a secret", () => {
    const message = faultsOf({
      DATABASE_URL: "mysql://user:hunter22@host/db",
      HTTPS_PROXY: "socks://user:hunter22@proxy:1",
      SUPABASE_SERVICE_KEY: "hunter22",
      IGDB_CLIENT_SECRET: "hunter22",
    });
    expect(message.split("\n")).toHaveLength(5);
    expect(message).not.toContain("hunter22");
  });

  it("rejects a pool of a single connection", () => {
    expect(loadConfig({ DATABASE_POOL_SIZE: "2" }).databasePoolSize).toBe(2);
    expect(faultsOf({ DATABASE_POOL_SIZE: "1" })).toContain(
      'DATABASE_POOL_SIZE must be a whole number from 2 to 100; it is "1"',
    );
  });

  it("rejects a misspelled name and suggests the nearest one", () => {
    expect(faultsOf({ BULK_BATCHSIZE: "100" })).toContain(
      "BULK_BATCHSIZE is not a variable of this service; did you mean BULK_BATCH_SIZE?",
    );
    expect(faultsOf({ STEAM_API_TOKEN: "x" })).toContain("did you mean STEAM_API_KEY?");
  });

  it("ignores variables of other programs", () => {
    const foreign = {
      BULK_SYNC_SERVICE_HOST: "10.0.0.1",
      BULK_SYNC_PORT_8080_TCP: "tcp://10.0.0.1:8080",
      STEAM_RUNTIME: "1",
      SUPABASE_ANON_KEY: "x",
      DATABASE_URI: "x",
    };
    expect(loadConfig(foreign)).toEqual(loadConfig({}));
  });

  it("freezes the result deeply", () => {
    const config = loadConfig({});
    expect(() => Object.assign(config.web.limits.steamWebApi, { count: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError);
  });
});

describe("secretsOf", () => {
  it("returns keys and passwords, plain and percent-encoded", () => {
    const config = loadConfig({ DATABASE_URL: "postgres://u:p%40ss@h/d", STEAM_API_KEY: "steamkey" });
    expect(secretsOf(config)).toEqual(["steamkey", "p%40ss", "p@ss"]);
    expect(secretsOf(loadConfig({}))).toEqual([]);
  });
});

describe("secretsIn", () => {
  it("finds secrets in an invalid environment, too", () => {
    const environment = {
      DATABASE_URL: "mysql://app:p4ssword@db/app",
      STEAM_API_KEY: " steamkey ",
      API_KEY: "  ",
      HTTPS_PROXY: "http://me:hunter22@proxy:3128",
      PORT: "8080",
    };
    expect(secretsIn(environment)).toEqual(["mysql://app:p4ssword@db/app", "p4ssword", "steamkey", "hunter22"]);
    expect(secretsIn({ HTTPS_PROXY: "hunter22" })).toEqual(["hunter22"]);
    expect(secretsIn({})).toEqual([]);
  });
});

describe(".env.example", () => {
  const text = readFileSync(new URL("../../../.env.example", import.meta.url), "utf8");
  const named = [...text.matchAll(/^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name, value]) => [name, value] as const);

  it("lists exactly the variables that are read, each once, with their defaults", () => {
    const documented = Object.fromEntries(named.map(([name, value]) => [name, value || null]));
    expect(documented).toEqual(variableDefaults);
    expect(named).toHaveLength(Object.keys(variableDefaults).length);
  });

  it("is valid with every default uncommented", () => {
    // Where nothing else names a database, a blank one is a fault.
    const settings = Object.fromEntries(named.filter(([name]) => name !== "DATABASE_URL" && name !== "SUPABASE_URL"));
    expect(loadConfig(settings)).toEqual(loadConfig({}));
  });
});
