import { describe, expect, it } from "vitest";
import { loadConfig, secretsIn, secretsOf } from "../../../src/process/config.ts";
import type { Environment } from "../../../src/process/environment.ts";
import { ConfigError } from "../../../src/process/errors.ts";

/** Wrong settings of the database: what the message says. The exit code of every {@link ConfigError} is 2. */

const secret = "hunter22";
const reference = "abcdefghijklmnopqrst";
const url = `https://${reference}.supabase.co`;
const key = "sb_secret_0123456789";

function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.${secret}`;
}

function messageOf(environment: Environment): string {
  try {
    loadConfig(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error("the configuration was accepted");
}

describe("SUPABASE_URL", () => {
  it.each([
    [`postgres://postgres:${secret}@db.${reference}.supabase.co:5432/postgres`, /that is a DATABASE_URL/],
    [`postgresql://u:${secret}@[::1`, /that is a DATABASE_URL/],
    [`jdbc:postgresql://h/d?password=${secret}`, /that is a DATABASE_URL/],
    [`host=h user=u password=${secret}`, /that is a DATABASE_URL/],
    [`u:${secret}@h:5432/postgres`, /that is a DATABASE_URL/],
    [`https://u:${secret}@${reference}.supabase.co`, /must not have a user or password/],
    [jwt({ role: "service_role" }), /is a key/],
    [`https://supabase.com/dashboard/project/${reference}`, new RegExp(`the project's URL is ${url}`)],
    [`https://supabase.com/dashboard/project/${reference}/settings/api`, new RegExp(`dashboard; .* is ${url}`)],
    [`supabase.com/dashboard/project/${reference}`, new RegExp(`dashboard; .* is ${url}`)],
    ["https://app.supabase.com/projects", /dashboard; the project's URL is https:\/\/REF\.supabase\.co/],
    [`https://db.${reference}.supabase.co`, /names the host of the database/],
    ["https://aws-0-eu-central-1.pooler.supabase.com:6543", /names the host of the database/],
    [`${reference}.supabase.co`, /has no https:\/\/ in front/],
    [reference, /has no https:\/\/ in front/],
    [`"${url}"`, /is in quotes: remove them/],
    ["ftp://x.example", /must be the project's URL/],
  ])("refuses %s and says what belongs there", (given, words) => {
    const message = messageOf({ SUPABASE_URL: given, SUPABASE_SERVICE_KEY: key });
    expect(message).toMatch(words);
    expect(message).toMatch(/^ {2}- SUPABASE_URL .*; its value is not shown$/m);
    expect(message).not.toContain(secret);
  });

  it.each([
    [url, url],
    [`${url}/`, url],
    [`${url}//`, url],
    [`${url}/rest/v1`, url],
    [`${url}/rest/v1/`, url],
    [` ${url}/rest `, url],
    ["http://localhost:54321/rest/v1/", "http://localhost:54321"],
    ["https://data.example.org/supabase/rest/v1", "https://data.example.org/supabase"],
    ["https://postgres.example.org", "https://postgres.example.org"],
  ])("accepts %s as %s", (given, read) => {
    expect(loadConfig({ SUPABASE_URL: given, SUPABASE_SERVICE_KEY: key }).database).toMatchObject({ url: read });
  });

  it("counts as a secret unless it is the URL of a project", () => {
    const connection = `postgres://u:${secret}@h/d`;
    expect(secretsIn({ SUPABASE_URL: connection })).toEqual([connection, secret]);
    expect(secretsIn({ SUPABASE_URL: url })).toEqual([]);
  });
});

describe("SUPABASE_SERVICE_KEY and SUPABASE_SERVICE_ROLE_KEY", () => {
  it.each([
    [jwt({ role: "anon" }), /is the anon key, which may only read/],
    [jwt({ role: "authenticated" }), /is the token of a signed-in user/],
    [`sb_publishable_${secret}`, /is the publishable key, which may only read/],
    [`sb_secret_01234\n${secret}`, /has a line break.*paste it as one line/],
    [`sb_secret_ü${secret}`, /a character that no key has/],
    [`"sb_secret_${secret}"`, /is in quotes: remove them/],
    [`"sb_secret_${secret}`, /begins with a quote/],
    [`postgres://u:${secret}@h/d`, /is a URL/],
    [jwt({ role: "service_role", ref: "zyxwvutsrqponmlkjihg" }), /is the key of another project/],
  ])("refuses %s", (given, words) => {
    for (const name of ["SUPABASE_SERVICE_KEY", "SUPABASE_SERVICE_ROLE_KEY"]) {
      const message = messageOf({ SUPABASE_URL: url, [name]: given });
      expect(message).toMatch(words);
      expect(message).toContain(`  - ${name} `);
      expect(message).not.toContain(secret);
    }
  });

  it.each([key, jwt({ role: "service_role" }), jwt({ role: "service_role", ref: reference }), "a.b.c", "local-key"])(
    "accepts %s by either name, and by both when they are equal",
    (given) => {
      const database = { driver: "supabase", url, serviceKey: given };
      for (const names of [
        ["SUPABASE_SERVICE_KEY"],
        ["SUPABASE_SERVICE_ROLE_KEY"],
        ["SUPABASE_SERVICE_KEY", "SUPABASE_SERVICE_ROLE_KEY"],
      ]) {
        const keys = Object.fromEntries(names.map((name) => [name, given]));
        const config = loadConfig({ SUPABASE_URL: url, ...keys });
        expect(config.database).toEqual(database);
        expect(secretsOf(config)).toEqual([given]);
      }
    },
  );

  it("refuses two different keys, and a key or URL alone", () => {
    expect(messageOf({ SUPABASE_URL: url, SUPABASE_SERVICE_KEY: "a", SUPABASE_SERVICE_ROLE_KEY: "b" })).toContain(
      "are two names of one key, and differ",
    );
    expect(messageOf({ SUPABASE_SERVICE_ROLE_KEY: "b" })).toContain(
      "SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY belong together: SUPABASE_URL is not set",
    );
    expect(messageOf({ SUPABASE_URL: url })).toContain("SUPABASE_SERVICE_KEY is not set");
  });
});

describe("DATABASE_URL", () => {
  it.each([
    [`postgres://u:${secret}/a@h/d`],
    [`postgres://u:${secret}#a@h/d`],
    [`postgres://u:${secret}?a@h/d`],
    [`postgres://u:1/${secret}@h/d`],
    [`postgres://u:1#${secret}@h/d`],
    [`postgres://u:1?${secret}@h/d`],
    [`postgres://u:a@b/${secret}@h/d`],
    [`postgres://u:100%${secret}@h/d`],
    [`postgres://u:%zz${secret}@h/d`],
    [`postgres://u:%ff${secret}@h/d`],
  ])("refuses %s: the password must be percent-encoded", (given) => {
    const message = messageOf({ DATABASE_URL: given });
    expect(message).toMatch(/percent-encode what is no letter or digit .*\(@ is %40, # %23, \/ %2F, \? %3F, % %25\)/);
    expect(message).not.toContain(secret);
  });

  it.each([
    [`mysql://u:${secret}@h/d`, /must be a connection string, postgres:/],
    [url, /must be a connection string, postgres:/],
    [`'postgres://u:${secret}@h/d'`, /is in quotes: remove them/],
    ["postgresql://postgres.abc:[YOUR-PASSWORD]@aws-0.pooler.supabase.com:6543/postgres", /has a placeholder/],
  ])("refuses %s", (given, words) => {
    expect(messageOf({ DATABASE_URL: given })).toMatch(words);
    expect(messageOf({ DATABASE_URL: given })).not.toContain(secret);
  });

  it.each([
    "postgres://u:p%40ss%23%2F%25@h/d",
    // The last @ counts.
    "postgres://u:p@ss@h/d",
    "postgresql://u:p@h:6543/d?sslmode=require&options=project%3Dabc",
    "postgres:///postgres?host=/run/postgresql",
    "postgres://h/d?user=u&password=a@b",
  ])("accepts %s", (given) => {
    expect(loadConfig({ DATABASE_URL: given }).database).toEqual({ driver: "postgres", url: given });
  });

  it.each([
    [{ DATABASE_URL: "" }, "DATABASE_URL"],
    [{ DATABASE_URL: "  " }, "DATABASE_URL"],
    [{ SUPABASE_URL: "" }, "SUPABASE_URL"],
    [{ SUPABASE_URL: "", SUPABASE_SERVICE_KEY: "" }, "SUPABASE_URL"],
  ])("blank in %j is a fault, since nothing else names a database", (environment, name) => {
    expect(messageOf(environment)).toContain(`${name} is set but empty: set it, or remove it to use the embedded`);
  });

  it("may be blank where another variable names the database", () => {
    expect(loadConfig({ SUPABASE_URL: "", DATABASE_URL: "postgres://h/d" }).database.driver).toBe("postgres");
    const supabase = { SUPABASE_URL: url, SUPABASE_SERVICE_KEY: key };
    expect(loadConfig({ ...supabase, DATABASE_URL: "" }).database.driver).toBe("supabase");
  });
});

describe("secrets in other variables", () => {
  const connection = `postgres://u:${secret}@h/d`;
  it.each(["HOST", "PORT", "LOG_LEVEL", "MODE", "DATA_DIR", "STEAM_API_KEY", "CORS_ORIGIN", "POLL_INTERVAL"])(
    "are not printed when a connection string or a key stands in %s",
    (name) => {
      for (const value of [connection, `${connection}\n`, `sb_secret_${secret}`, `${jwt({})}`, `x\n${connection}`]) {
        const environment: Environment = { MODE: "wrong", [name]: value };
        expect(messageOf({ ...environment, PORT: environment.PORT ?? "wrong" })).not.toContain(secret);
      }
    },
  );
});
