import { describe, expect, it } from "vitest";
import { isLocalHost, parsePostgresUrl } from "../../../src/db/postgres-url.ts";
import { ConfigError } from "../../../src/process/errors.ts";

describe("isLocalHost", () => {
  it.each([
    ...["localhost", "db", "postgres.railway.internal", "ip-10-0-0-1.ec2.internal", "nas.local", "app.localhost"],
    ...["127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1"],
    ...["100.64.0.1", "::1", "fd12::1", "fe80::1", "::ffff:10.0.0.1", "/run/postgresql", "DB.LOCAL.", "db.local."],
  ])("takes %s for local", (host) => expect(isLocalHost(host)).toBe(true));

  it.each([
    ...["db.example.org", "internal.example.org", "local.io", "db.internal.io", "notlocal.nlocal"],
    ...["8.8.8.8", "11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.128.0.1", "2001:db8::1"],
    ...["::ffff:8.8.8.8", "10.0.0.1.example.org"],
  ])("takes %s for remote", (host) => expect(isLocalHost(host)).toBe(false));
});

const plain = false;
const unverified = { rejectUnauthorized: false };
const verified = {};
const tlsOf = (url: string, env = {}) => parsePostgresUrl(url, env).tls;

describe("parsePostgresUrl", () => {
  it.each([
    ["postgres://u:p@db.example.org/d", [unverified, plain]],
    ["postgres://u:p@localhost/d", [plain, unverified]],
    ["postgres://u:p@[::1]:5432/d", [plain, unverified]],
    ["postgres://u:p@[2001:db8::1]:5432/d", [unverified, plain]],
    ["postgres:///d", [plain, unverified]],
    ["postgres:///d?host=/run/postgresql", [plain, unverified]],
    ["postgres://%2Frun%2Fpostgresql/d", [plain, unverified]],
    ["postgres:///d?host=db.example.org", [unverified, plain]],
    ["postgres://u:p@localhost/d?sslmode=disable", [plain]],
    ["postgres://u:p@db.example.org/d?sslmode=require", [unverified]],
    ["postgres://u:p@db.example.org/d?sslmode=require&uselibpqcompat=true", [unverified]],
    ["postgres://u:p@db.example.org/d?sslmode=verify-full", [verified]],
    ["postgres://u:p@db.example.org/d?sslmode=require&sslrootcert=system", [verified]],
    ["postgres://u:p@db.example.org/d?ssl=true", [unverified]],
    ["postgres://u:p@db.example.org/d?ssl=0", [plain]],
    ["postgres://u:p@db.example.org/d?ssl=no-verify", [unverified]],
    ["postgres://u:p@localhost/d?sslnegotiation=direct", [unverified]],
  ])("%s", (url, tls) => expect(tlsOf(url)).toEqual(tls));

  it("honours PGSSLMODE and PGHOST where the URL says nothing", () => {
    expect(tlsOf("postgres://u:p@localhost/d", { PGSSLMODE: "verify-full" })).toEqual([verified]);
    expect(tlsOf("postgres://u:p@localhost/d?sslmode=disable", { PGSSLMODE: "verify-full" })).toEqual([plain]);
    expect(tlsOf("postgres:///d", { PGHOST: "db.example.org" })).toEqual([unverified, plain]);
  });

  it("leaves a URL without TLS parameters as it is, and takes those of TLS out of another", () => {
    const odd = "postgres://u:pa%ss w@db.example.org/d?options=-c%20a=b";
    expect(parsePostgresUrl(odd, {}).connectionString).toBe(odd);
    const { connectionString, sslnegotiation } = parsePostgresUrl(
      "postgres://u:p%40ss@h.io:1/d?sslmode=require&application_name=x&sslnegotiation=direct",
      {},
    );
    expect(connectionString).toBe("postgres://u:p%40ss@h.io:1/d?application_name=x");
    expect(sslnegotiation).toBe("direct");
  });

  it.each([
    "mysql://u:hunter2@h/d",
    "hunter2",
    "postgres://u:hunter2@h:port/d",
    "postgres://u:hunter2@h/d?sslmode=yes",
    "postgres://u:hunter2@h/d?sslrootcert=/none",
  ])("rejects %s without the password in the message", (url) => {
    const parse = () => parsePostgresUrl(url, {});
    expect(parse).toThrow(ConfigError);
    expect(parse).not.toThrow(/hunter2/);
  });
});
