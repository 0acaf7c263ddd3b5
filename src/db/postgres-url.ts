import { readFileSync } from "node:fs";
import { BlockList, isIP } from "node:net";
import { type ConnectionOptions, createSecureContext } from "node:tls";
import { ConfigError } from "../process/errors.ts";

/** A connection string, taken apart. */
export interface PostgresUrl {
  /** The URL without its TLS parameters, which `pg` reads differently from libpq. */
  connectionString: string;
  /**
   * TLS of the connection, false for none. A second entry is tried where the server refuses the first one's kind of
   * connection.
   */
  tls: readonly [Tls, Tls?];
  sslnegotiation?: "direct";
}

export type Tls = false | ConnectionOptions;

const modes = ["disable", "allow", "prefer", "require", "no-verify", "verify-ca", "verify-full"] as const;
type SslMode = (typeof modes)[number];

const tlsParameters = ["ssl", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslnegotiation", "uselibpqcompat"];

/**
 * Parses a connection string. `sslmode` means what it means to libpq
 * (https://www.postgresql.org/docs/current/libpq-ssl.html), and `no-verify`, as for `pg`, TLS without verification.
 * `pg` itself takes `prefer`, `require` and `verify-ca` for `verify-full`, and has no fallback. Differences from libpq:
 *
 * - Without `sslmode`, a local host is reached as by `allow` and any other by `prefer`; with `sslrootcert` alone, as by
 *   `verify-full`.
 * - Without `sslrootcert`, authorities are Node's own and those of NODE_EXTRA_CA_CERTS.
 *
 * @throws {ConfigError} without the URL in its message, which may hold a password anywhere.
 */
export function parsePostgresUrl(text: string, env: NodeJS.ProcessEnv = process.env): PostgresUrl {
  const url = URL.parse(text);
  if (!url || !/^postgres(ql)?:$/.test(url.protocol))
    throw new ConfigError("DATABASE_URL is not a URL of the form postgres://user:password@host:port/database");
  const given = Object.fromEntries(tlsParameters.map((name) => [name, url.searchParams.get(name) ?? undefined]));
  const isDirect = given.sslnegotiation === "direct";
  const mode = sslMode(given, isDirect, isLocalHost(hostOf(url, env)), env);
  for (const name of tlsParameters) url.searchParams.delete(name);
  return {
    connectionString: Object.values(given).some(Boolean) ? url.href : text,
    tls: mode === "disable" ? [false] : tlsOf(mode, certificates(given)),
    ...(isDirect && { sslnegotiation: "direct" }),
  };
}

function hostOf(url: URL, env: NodeJS.ProcessEnv): string {
  const host = url.searchParams.get("host") || url.hostname || env.PGHOST || "localhost";
  return decodeURIComponent(host).replace(/^\[(.+)\]$/, "$1");
}

function sslMode(
  { ssl, sslmode, sslrootcert }: Record<string, string | undefined>,
  isDirect: boolean,
  isLocal: boolean,
  env: NodeJS.ProcessEnv,
): SslMode {
  // `ssl=true` is JDBC's, which libpq takes for `require`.
  const fromSsl = { true: "require", "1": "require", false: "disable", "0": "disable" }[ssl ?? ""] ?? ssl;
  const named = sslmode || fromSsl || (sslrootcert ? undefined : env.PGSSLMODE);
  if (sslrootcert === "system") return "verify-full";
  if (!named) return sslrootcert ? "verify-full" : isDirect ? "require" : isLocal ? "allow" : "prefer";
  const mode = modes.find((each) => each === named);
  if (mode) return mode;
  throw new ConfigError(`sslmode in DATABASE_URL must be one of ${modes.join(", ")}; it is ${JSON.stringify(named)}`);
}

function tlsOf(mode: Exclude<SslMode, "disable">, files: ConnectionOptions): readonly [Tls, Tls?] {
  const unverified = { ...files, rejectUnauthorized: false };
  const authorityAlone = { ...files, checkServerIdentity: () => undefined };
  switch (mode) {
    case "allow":
      return [false, unverified];
    case "prefer":
      return [unverified, false];
    case "require":
      return [files.ca ? authorityAlone : unverified];
    case "no-verify":
      return [unverified];
    case "verify-ca":
      return [authorityAlone];
    case "verify-full":
      return [files];
  }
}

function certificates(given: Record<string, string | undefined>): ConnectionOptions {
  const { sslrootcert, sslcert, sslkey } = given;
  const options = {
    ...(sslrootcert && sslrootcert !== "system" && { ca: contents("sslrootcert", sslrootcert) }),
    ...(sslcert && { cert: contents("sslcert", sslcert) }),
    ...(sslkey && { key: contents("sslkey", sslkey) }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new ConfigError(`The TLS files in DATABASE_URL cannot be used: ${(error as Error).message}`);
  }
  return options;
}

function contents(parameter: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`${parameter} in DATABASE_URL cannot be read: ${(error as Error).message}`);
  }
  if (!text.includes("-----BEGIN ")) throw new ConfigError(`${parameter} in DATABASE_URL is not a PEM file: ${path}`);
  return text;
}

const privateNetworks = new BlockList();
for (const [network, prefix, family] of [
  ["127.0.0.0", 8, "ipv4"],
  ["10.0.0.0", 8, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  // Shared address space, such as Tailscale's.
  ["100.64.0.0", 10, "ipv4"],
  ["::1", 128, "ipv6"],
  ["fc00::", 7, "ipv6"],
  ["fe80::", 10, "ipv6"],
] as const)
  privateNetworks.addSubnet(network, prefix, family);

/**
 * Whether a host is on this machine or in a private network: a Unix socket, a loopback or private address, a name
 * without a dot (Docker, Kubernetes), or one below `.internal`, `.local` or `.localhost`.
 */
export function isLocalHost(host: string): boolean {
  const family = isIP(host);
  if (family !== 0) return privateNetworks.check(host, family === 6 ? "ipv6" : "ipv4");
  const name = host.toLowerCase().replace(/\.$/, "");
  return host.startsWith("/") || !name.includes(".") || /\.(internal|local|localhost)$/.test(name);
}
