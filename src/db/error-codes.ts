import type { DatabaseFault } from "../process/errors.ts";

/**
 * Error codes of databases, poolers and connections: what each means, the fault that it stands for, and the remedy. The
 * one source of the classification (`sqlstate.ts`) and of docs/database-errors.md (`npm run docs`).
 *
 * Codes are SQLSTATEs (Postgres, appendix A), PostgREST's own, and system codes of Node, its fetch (undici) and its TLS.
 */
export interface ErrorCode {
  /** A code, or a class of SQLSTATEs: `22xxx`. */
  code: string;
  /**
   * Documented texts, one of which the message must contain in any case. Only where one code stands for many faults:
   * Supavisor reports everything as XX000 (lib/supavisor/errors in its repository), PgBouncer nearly everything as 08P01.
   */
  tokens?: readonly string[];
  /** Applies only while connecting, or when the server ends the session (severity FATAL). */
  atConnection?: true;
  fault: DatabaseFault;
  meaning: string;
  /** What an operator can do, as the end of a sentence. Differs where only one driver has the setting. */
  remedy?: string | { postgres: string; supabase: string };
}

const copyAnew = "copy the connection string of the project's pooler anew into DATABASE_URL";
const fewerConnections = "lower DATABASE_POOL_SIZE, or raise the limit of the server or pooler";
const checkPassword =
  "check user and password in DATABASE_URL; @ : / # % in them must be percent-encoded, such as %40 for @";
const demandTls = "set sslmode=require in DATABASE_URL";
const checkKey = "check SUPABASE_SERVICE_KEY: the service role key of the same project";
const trustAuthority = {
  postgres:
    "name the file of its authority by sslrootcert=FILE in DATABASE_URL or by NODE_EXTRA_CA_CERTS, or accept any certificate with sslmode=no-verify",
  supabase: "name the file of its authority by NODE_EXTRA_CA_CERTS",
};
const checkHost = {
  postgres: "check the host in DATABASE_URL; an @ in the password must be written as %40",
  supabase: "check the host in SUPABASE_URL",
};

const startServer = {
  postgres: "start Postgres there, or correct host and port in DATABASE_URL",
  supabase: "correct SUPABASE_URL, or start the project",
};

/** Rows that need a token come before those of the same code without, and codes before their class. */
export const errorCodes: readonly ErrorCode[] = [
  // Supavisor.
  {
    code: "XX000",
    tokens: ["EMAXCONN", "EMAXCLIENT", "max client connections reached", "max clients reached"],
    fault: "unreachable",
    meaning: "Supavisor has no connection left for this client",
    remedy: fewerConnections,
  },
  {
    code: "XX000",
    tokens: ["ECHECKOUTTIMEOUT"],
    fault: "unreachable",
    meaning: "Supavisor waited too long for a free connection to Postgres",
    remedy: fewerConnections,
  },
  {
    code: "XX000",
    tokens: ["ENOTFOUND", "ETENANTNOTFOUND", "tenant or user not found"],
    fault: "misconfigured",
    meaning: "Supavisor does not know the project or the user",
    remedy: `the user is postgres.PROJECT and the host that of the project's region: ${copyAnew}`,
  },
  {
    code: "XX000",
    tokens: ["ENOIDENTIFIER", "EINVALIDUSERINFO"],
    fault: "misconfigured",
    meaning: "Supavisor finds no project in the user's name",
    remedy: `the user is postgres.PROJECT: ${copyAnew}`,
  },
  {
    code: "XX000",
    tokens: ["ESSLREQUIRED", "SSL connection is required"],
    fault: "misconfigured",
    meaning: "Supavisor accepts TLS alone",
    remedy: demandTls,
  },
  {
    code: "XX000",
    tokens: ["EADDRNOTALLOWED", "address not in tenant allow_list"],
    fault: "misconfigured",
    meaning: "the project's network restrictions exclude this host",
    remedy: "add this host's address to them",
  },
  {
    code: "XX000",
    tokens: ["EBANNED"],
    fault: "misconfigured",
    meaning: "Supabase has banned the project",
    remedy: "ask Supabase's support",
  },
  {
    code: "XX000",
    atConnection: true,
    fault: "unreachable",
    meaning: "an internal error of the pooler or server",
  },

  // PgBouncer.
  {
    code: "08P01",
    tokens: ["statement pooling mode"],
    fault: "misconfigured",
    meaning: "PgBouncer pools single statements, and this service needs transactions",
    remedy: "set pool_mode=transaction (or session) in PgBouncer",
  },
  {
    code: "08P01",
    tokens: ["authentication failed", "no such user", "not allowed"],
    fault: "denied",
    meaning: "PgBouncer rejects the user, the password or this host",
    remedy: checkPassword,
  },
  {
    code: "08P01",
    tokens: ["no such database", "is disabled"],
    fault: "misconfigured",
    meaning: "PgBouncer does not serve this database",
    remedy: "check the database's name at the end of DATABASE_URL",
  },
  {
    code: "08P01",
    tokens: ["SSL required"],
    fault: "misconfigured",
    meaning: "PgBouncer accepts TLS alone",
    remedy: demandTls,
  },
  {
    code: "08P01",
    tokens: ["unsupported startup parameter"],
    fault: "misconfigured",
    meaning: "PgBouncer rejects a parameter of the connection",
    remedy: "remove it from DATABASE_URL, or list it in PgBouncer's ignore_startup_parameters",
  },

  // Postgres, while connecting.
  { code: "28P01", fault: "denied", meaning: "the password or the user is wrong", remedy: checkPassword },
  {
    code: "28xxx",
    fault: "denied",
    meaning: "the server does not admit this user, database or host (`pg_hba.conf`)",
    remedy: "check the user in DATABASE_URL, the server's pg_hba.conf, and sslmode: some servers admit TLS alone",
  },
  {
    code: "3D000",
    fault: "misconfigured",
    meaning: "there is no such database",
    remedy: "check its name at the end of DATABASE_URL, or create it",
  },
  {
    code: "42501",
    atConnection: true,
    fault: "denied",
    meaning: "the user may not connect to this database",
    remedy: "grant connect on the database, or use another user in DATABASE_URL",
  },
  ...["0A000", "22023", "42704"].map((code) => ({
    code,
    atConnection: true as const,
    fault: "misconfigured" as const,
    meaning: "the server rejects a parameter of the connection",
    remedy: "correct or remove it in DATABASE_URL",
  })),
  {
    code: "55000",
    atConnection: true,
    fault: "unreachable",
    meaning: "the database does not accept connections at the moment",
  },
  {
    code: "no_password",
    fault: "misconfigured",
    meaning: "the server demands a password, and there is none",
    remedy: "put it into DATABASE_URL, which goes on after postgres:// with user:password@host:5432/database",
  },
  {
    code: "sasl",
    fault: "misconfigured",
    meaning: "client and server have no way of authentication in common",
    remedy: "check user and password in DATABASE_URL, and the server's password_encryption",
  },

  // Postgres.
  { code: "53300", fault: "unreachable", meaning: "the server has no connection left", remedy: fewerConnections },
  {
    code: "53100",
    fault: "retryable",
    meaning: "the server's disk is full; reads work",
    remedy: "enlarge it or free space",
  },
  { code: "53xxx", fault: "unreachable", meaning: "the server lacks memory or another resource" },
  ...["57P01", "57P02", "57P03", "57P05"].map((code) => ({
    code,
    fault: "unreachable" as const,
    meaning: "the server starts, stops, or an administrator ended the session",
  })),
  { code: "08xxx", fault: "unreachable", meaning: "the connection failed or was lost" },
  { code: "40001", fault: "retryable", meaning: "serialization failure" },
  { code: "40P01", fault: "retryable", meaning: "deadlock" },
  { code: "55P03", fault: "retryable", meaning: "a lock was not available in time" },
  {
    code: "25006",
    fault: "retryable",
    meaning: "the database is read-only: a hosted plan over its size, a disk being enlarged, or a standby",
    remedy: "free space or enlarge the plan; behind a failover, connect to the primary",
  },
  { code: "57014", fault: "timeout", meaning: "the statement exceeded its time limit" },
  // Such as a name of thousands of characters.
  { code: "54000", fault: "data", meaning: "a value is too large for an index or a jsonb" },
  { code: "22xxx", fault: "data", meaning: "a value does not fit its column" },
  { code: "23xxx", fault: "data", meaning: "a row violates a constraint" },
  ...["42883", "42P01", "3F000"].map((code) => ({
    code,
    fault: "schema" as const,
    meaning: "the schema is missing or older than this program",
  })),
  {
    code: "42501",
    fault: "denied",
    meaning: "the user lacks a privilege",
    remedy: {
      postgres: "use the user that ran the migrations, or grant it what they created",
      supabase: checkKey,
    },
  },

  // PostgREST and the gateway of a Supabase project.
  {
    code: "redirect",
    fault: "misconfigured",
    meaning: "the address of the project redirects elsewhere; the key is not sent there",
    remedy: "set SUPABASE_URL to the project's own address, with https://",
  },
  {
    code: "PGRST106",
    fault: "denied",
    meaning: "the API does not expose the schema `public`",
    remedy: "the API does not expose the schema public: add it under Project Settings, Data API, Exposed schemas",
  },
  ...["PGRST202", "PGRST205"].map((code) => ({
    code,
    fault: "schema" as const,
    meaning: "the schema is missing or older than this program",
  })),
  // Such as half of a surrogate pair.
  { code: "PGRST102", fault: "data", meaning: "PostgREST cannot parse the body" },
  ...["PGRST300", "PGRST301", "PGRST302", "PGRST303"].map((code) => ({
    code,
    fault: "denied" as const,
    meaning: "PostgREST rejects the key",
    remedy: checkKey,
  })),
  ...["PGRST000", "PGRST001", "PGRST002", "PGRST003"].map((code) => ({
    code,
    fault: "unreachable" as const,
    meaning: "PostgREST has no connection to Postgres",
  })),

  // TLS.
  ...[
    "SELF_SIGNED_CERT_IN_CHAIN",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "CERT_UNTRUSTED",
    "INVALID_CA",
    "CERT_SIGNATURE_FAILURE",
  ].map((code) => ({
    code,
    fault: "misconfigured" as const,
    meaning: "the server's certificate comes from an authority that is not trusted here",
    remedy: trustAuthority,
  })),
  ...["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"].map((code) => ({
    code,
    fault: "misconfigured" as const,
    meaning: "the server's certificate is not valid now",
    remedy: {
      postgres: "renew it, check this host's clock, or accept any certificate with sslmode=no-verify in DATABASE_URL",
      supabase: "renew it, or check this host's clock",
    },
  })),
  {
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
    fault: "misconfigured",
    meaning: "the server's certificate is for another host name",
    remedy: {
      postgres: "use that name in DATABASE_URL, or check only the authority with sslmode=verify-ca",
      supabase: "use that name in SUPABASE_URL",
    },
  },
  {
    code: "no_ssl",
    fault: "misconfigured",
    meaning: "the server has no TLS, which `sslmode` demands",
    remedy: "set sslmode=prefer or sslmode=disable in DATABASE_URL, or turn TLS on in the server",
  },
  ...["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG", "EPROTO"].map((code) => ({
    code,
    fault: "misconfigured" as const,
    meaning: "the server does not speak TLS on this port",
    remedy: {
      postgres: "check host and port in DATABASE_URL",
      supabase: "check SUPABASE_URL: https:// for a project, http:// for `supabase start`",
    },
  })),
  ...["ERR_SSL_UNSUPPORTED_PROTOCOL", "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"].map((code) => ({
    code,
    fault: "misconfigured" as const,
    meaning: "the server's version of TLS is too old",
    remedy: "turn on TLS 1.2 or newer in the server",
  })),
  ...["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"].map((code) => ({
    code,
    fault: "misconfigured" as const,
    meaning: "the server demands a client certificate that it trusts",
    remedy: "set sslcert=FILE and sslkey=FILE in DATABASE_URL",
  })),

  // The network and the operating system.
  ...["ENOTFOUND", "EAI_AGAIN"].map((code) => ({
    code,
    fault: "unreachable" as const,
    meaning: "the host's name cannot be resolved",
    remedy: checkHost,
  })),
  {
    code: "ECONNREFUSED",
    fault: "unreachable",
    meaning: "no server listens at this host and port",
    remedy: startServer,
  },
  ...[
    "ECONNRESET",
    "ECONNABORTED",
    "ETIMEDOUT",
    "EPIPE",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENETDOWN",
    "UND_ERR_SOCKET",
    "UND_ERR_CLOSED",
    "UND_ERR_CONNECT_TIMEOUT",
    "UND_ERR_HEADERS_TIMEOUT",
    "UND_ERR_BODY_TIMEOUT",
  ].map((code) => ({
    code,
    fault: "unreachable" as const,
    meaning: "no server answers, or the connection was lost",
  })),
  { code: "ENOENT", fault: "unreachable", meaning: "the Unix socket of a server that does not run" },
  { code: "UND_ERR_ABORTED", fault: "unreachable", meaning: "an HTTP proxy refused the tunnel" },
  ...["EMFILE", "ENFILE"].map((code) => ({
    code,
    fault: "retryable" as const,
    meaning: "this process or host has too many open files",
    remedy: "raise the limit (ulimit -n)",
  })),
  {
    code: "pool_busy",
    fault: "retryable",
    meaning: "all connections of this process are in use",
    remedy: "raise DATABASE_POOL_SIZE",
  },
];
