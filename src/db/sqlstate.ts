import type { DatabaseFault } from "../process/errors.ts";
import { DatabaseError, errorCode } from "../process/errors.ts";
import type { Database } from "./database.ts";

/**
 * Error codes and the fault that each stands for: SQLSTATE (Postgres, appendix A), PostgREST's own codes, and system
 * error codes of Node and of its fetch (undici). A full code takes precedence over the two-character class of a
 * SQLSTATE.
 */
const faultByCode: Readonly<Record<string, DatabaseFault>> = {
  // The server is starting or stopping, or an administrator ended the session.
  "57P01": "unreachable",
  "57P02": "unreachable",
  "57P03": "unreachable",
  "57P05": "unreachable",
  "40001": "retryable",
  "40P01": "retryable",
  "55P03": "retryable",
  // Read-only: a standby during failover, or a hosted project whose disk is being enlarged.
  "25006": "retryable",
  // The disk is full: the server answers, and reads work (refusals.ts).
  "53100": "retryable",
  "57014": "timeout",
  // A value too large for an index or a jsonb, such as a name of thousands of characters.
  "54000": "data",
  "42883": "schema",
  "42P01": "schema",
  "3F000": "schema",
  PGRST202: "schema",
  PGRST205: "schema",
  PGRST106: "schema",
  "42501": "denied",
  // A body that PostgREST cannot parse, such as half of a surrogate pair.
  PGRST102: "data",
  PGRST300: "denied",
  PGRST301: "denied",
  PGRST302: "denied",
  PGRST303: "denied",
  PGRST000: "unreachable",
  PGRST001: "unreachable",
  PGRST002: "unreachable",
  PGRST003: "unreachable",
  ECONNREFUSED: "unreachable",
  ECONNRESET: "unreachable",
  ECONNABORTED: "unreachable",
  ETIMEDOUT: "unreachable",
  EPIPE: "unreachable",
  ENOTFOUND: "unreachable",
  EAI_AGAIN: "unreachable",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  // The Unix socket of a server that is not running.
  ENOENT: "unreachable",
  UND_ERR_SOCKET: "unreachable",
  UND_ERR_CLOSED: "unreachable",
  UND_ERR_CONNECT_TIMEOUT: "unreachable",
  UND_ERR_HEADERS_TIMEOUT: "unreachable",
  UND_ERR_BODY_TIMEOUT: "unreachable",
  // An HTTP proxy refused the tunnel.
  UND_ERR_ABORTED: "unreachable",
};

const faultByClass: Readonly<Record<string, DatabaseFault>> = {
  "08": "unreachable",
  "53": "unreachable",
  "22": "data",
  "23": "data",
  "28": "denied",
};

/** Fault of a SQLSTATE, PostgREST code or system error code; null for an unknown code. */
export function faultOfCode(code: string): DatabaseFault | null {
  const fault = faultByCode[code];
  if (fault) return fault;
  return /^[0-9A-Z]{5}$/.test(code) ? (faultByClass[code.slice(0, 2)] ?? null) : null;
}

/** Fault of an HTTP error without a code in its body: it comes from a gateway, not from PostgREST. */
export function faultOfStatus(status: number): DatabaseFault {
  if (status === 401 || status === 403) return "denied";
  if (status === 429) return "retryable";
  // Too large for the gateway. As with a timeout, a smaller batch may succeed.
  if (status === 413) return "timeout";
  // Cloudflare answers 52x and 530 for an origin that is down, Supabase 540 for a paused project.
  if ((status >= 502 && status <= 504) || (status >= 520 && status <= 530) || status === 540) return "unreachable";
  return "fatal";
}

/**
 * Classifies what a driver threw by its code.
 *
 * @param what the call, for the message.
 * @param defaultFault the fault of an error without a known code, for callers that can infer it from where the error
 *   occurred.
 */
export function toDatabaseError(
  driver: Database["driver"],
  what: string,
  error: unknown,
  defaultFault: DatabaseFault = "fatal",
): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const code = errorCode(error);
  const fault = (code && faultOfCode(code)) || defaultFault;
  const message = error instanceof Error ? error.message || error.name : String(error);
  return new DatabaseError(fault, code ?? "unknown", errorMessage(driver, what, fault, message), { cause: error });
}

/**
 * One line for a log or a terminal: the call, the driver's message, and the remedy for a schema that is missing or too
 * old.
 */
export function errorMessage(driver: Database["driver"], what: string, fault: DatabaseFault, message: string): string {
  return fault === "schema" ? `${what}: ${message} (${schemaRemedy(driver)})` : `${what}: ${message}`;
}

/** How to fix a schema that is missing or too old. */
export function schemaRemedy(driver: Database["driver"]): string {
  return driver === "supabase"
    ? "the project's schema is missing or older than this program: run `supabase db push`"
    : "the schema is missing or older than this program: run `npm start -- migrate`";
}
