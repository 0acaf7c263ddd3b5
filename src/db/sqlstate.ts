import type { DatabaseFault } from "../process/errors.ts";
import { DatabaseError } from "../process/errors.ts";
import type { Database } from "./database.ts";

/**
 * Codes and what they mean for the caller: SQLSTATE (Postgres, appendix A), PostgREST's own codes, system error codes of
 * Node and of its fetch. Whole codes win over the two-letter class of a SQLSTATE.
 */
const faultByCode: Readonly<Record<string, DatabaseFault>> = {
  // Starting, stopping, or an administrator ended the session.
  "57P01": "unreachable",
  "57P02": "unreachable",
  "57P03": "unreachable",
  "57P05": "unreachable",
  "40001": "retryable",
  "40P01": "retryable",
  "55P03": "retryable",
  // A standby during failover, or a hosted project that went read-only while its disk grows.
  "25006": "retryable",
  "57014": "timeout",
  // Too large for an index or a jsonb: a name of thousands of characters.
  "54000": "data",
  "42883": "schema",
  "42P01": "schema",
  "3F000": "schema",
  PGRST202: "schema",
  PGRST205: "schema",
  PGRST106: "schema",
  "42501": "denied",
  // A body that PostgREST's own reader refuses, such as half of a surrogate pair.
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
  // A Unix socket of a server that is not running.
  ENOENT: "unreachable",
  UND_ERR_SOCKET: "unreachable",
  UND_ERR_CLOSED: "unreachable",
  UND_ERR_CONNECT_TIMEOUT: "unreachable",
  UND_ERR_HEADERS_TIMEOUT: "unreachable",
  UND_ERR_BODY_TIMEOUT: "unreachable",
  // A proxy on the way refused the tunnel.
  UND_ERR_ABORTED: "unreachable",
};

const faultByClass: Readonly<Record<string, DatabaseFault>> = {
  "08": "unreachable",
  "53": "unreachable",
  "22": "data",
  "23": "data",
  "28": "denied",
};

/** What a SQLSTATE, PostgREST code or system error code means; null when it is none that is known here. */
export function faultOfCode(code: string): DatabaseFault | null {
  const whole = faultByCode[code];
  if (whole) return whole;
  return /^[0-9A-Z]{5}$/.test(code) ? (faultByClass[code.slice(0, 2)] ?? null) : null;
}

/** What an HTTP status without any code in its body means: it comes from a gateway, not from PostgREST. */
export function faultOfStatus(status: number): DatabaseFault {
  if (status === 401 || status === 403) return "denied";
  if (status === 429) return "retryable";
  // Too large for the gateway: like a time-out, it passes with fewer rows.
  if (status === 413) return "timeout";
  // 52x and 530 are Cloudflare's words for an origin that does not answer, 540 Supabase's for a paused project.
  if ((status >= 502 && status <= 504) || (status >= 520 && status <= 530) || status === 540) return "unreachable";
  return "fatal";
}

/**
 * The classified form of what a driver threw. `what` names the call for the message; `otherwise` is the fault of an error
 * without a known code, for callers that know from the place where it happened.
 */
export function databaseError(
  driver: Database["driver"],
  what: string,
  error: unknown,
  otherwise: DatabaseFault = "fatal",
): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const code = codeOf(error);
  const fault = (code && faultOfCode(code)) || otherwise;
  const message = error instanceof Error ? error.message || error.name : String(error);
  return new DatabaseError(fault, code ?? "unknown", describe(driver, what, fault, message), { cause: error });
}

/** One line for a log or a terminal: the call, the words of the driver, and the way out where there is one. */
export function describe(driver: Database["driver"], what: string, fault: DatabaseFault, message: string): string {
  return fault === "schema" ? `${what}: ${message} (${schemaRemedy(driver)})` : `${what}: ${message}`;
}

/** What to do about a schema that is missing or too old. */
export function schemaRemedy(driver: Database["driver"]): string {
  return driver === "supabase"
    ? "the project's schema is missing or older than this program: run `supabase db push`"
    : "the schema is missing or older than this program: run `npm start -- migrate`";
}

/** The code of an error, or of what caused it: fetch wraps a refused connection in a TypeError. */
function codeOf(error: unknown): string | null {
  for (let depth = 0, current = error; depth < 3 && current instanceof Error; depth++, current = current.cause) {
    if ("code" in current && typeof current.code === "string" && current.code !== "") return current.code;
  }
  return null;
}
