import type { DatabaseFault } from "../process/errors.ts";
import { DatabaseError, errorCode } from "../process/errors.ts";
import type { Database } from "./database.ts";
import { type ErrorCode, errorCodes } from "./error-codes.ts";

/** The row of {@link errorCodes} for a code and its message; null for an unknown code. */
export function findErrorCode(code: string, message = "", atConnection = false): ErrorCode | null {
  const text = message.toLowerCase();
  const applies = (row: ErrorCode) =>
    (!row.atConnection || atConnection) &&
    (!row.tokens || row.tokens.some((token) => text.includes(token.toLowerCase())));
  const exact = errorCodes.find((row) => row.code === code && applies(row));
  if (exact || !/^[0-9A-Z]{5}$/.test(code)) return exact ?? null;
  return errorCodes.find((row) => row.code === `${code.slice(0, 2)}xxx` && applies(row)) ?? null;
}

/** Faults that an error while connecting can have; any other one is an outage there. */
const connectionFaults: readonly DatabaseFault[] = ["unreachable", "retryable", "denied", "misconfigured"];

/** Fault of an HTTP error without a code in its body: it comes from a gateway, not from PostgREST. */
export function faultOfStatus(status: number): DatabaseFault {
  if (status === 401 || status === 403) return "denied";
  if (status === 429) return "retryable";
  // Too large for the gateway. As with a timeout, a smaller batch may succeed.
  if (status === 413) return "timeout";
  // Cloudflare answers 52x and 530 for an origin that is down, Supabase 540 for a paused project and 402 for one over its plan.
  if (status === 402) return "unreachable";
  if ((status >= 502 && status <= 504) || (status >= 520 && status <= 530) || status === 540) return "unreachable";
  return "fatal";
}

export interface Origin {
  /** The fault of an error without a known code, for callers that can infer it from where the error occurred. */
  defaultFault?: DatabaseFault;
  /** The error occurred while connecting, or ended the session. */
  atConnection?: boolean;
}

/**
 * Classifies what a driver threw by its code.
 *
 * @param what the call, for the message.
 */
export function toDatabaseError(
  driver: Database["driver"],
  what: string,
  error: unknown,
  { defaultFault = "fatal", atConnection = false }: Origin = {},
): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const code = errorCode(error);
  const message = error instanceof Error ? error.message || error.name : String(error);
  const row = code === null ? null : findErrorCode(code, message, atConnection);
  const known = row?.fault ?? defaultFault;
  const fault = atConnection && !connectionFaults.includes(known) ? "unreachable" : known;
  const remedy = remedyOf(row, driver);
  const text = errorMessage(driver, what, fault, causeMessage(error, message), remedy);
  const isConnection = atConnection || fault === "misconfigured";
  return new DatabaseError(fault, code ?? "unknown", text, { cause: error, atConnection: isConnection, remedy });
}

/** Node's fetch says only "fetch failed"; what failed stands in the cause. */
function causeMessage(error: unknown, message: string): string {
  const cause = error instanceof Error ? error.cause : null;
  return cause instanceof Error && cause.message && !message.includes(cause.message)
    ? `${message}: ${cause.message}`
    : message;
}

/** What an operator can do about an error; null where there is nothing. */
export function remedyOf(row: ErrorCode | null, driver: Database["driver"]): string | null {
  const remedy = row?.remedy ?? null;
  if (remedy === null || typeof remedy === "string") return remedy;
  return remedy[driver === "supabase" ? "supabase" : "postgres"];
}

/** One line for a log or a terminal: the call, the driver's message, and the remedy. */
export function errorMessage(
  driver: Database["driver"],
  what: string,
  fault: DatabaseFault,
  message: string,
  remedy: string | null = null,
): string {
  const mend = remedy ?? (fault === "schema" ? schemaRemedy(driver) : null);
  // Some of OpenSSL's and Supavisor's messages have several lines.
  const text = `${what}: ${message.replace(/\s+/g, " ").trim()}`;
  return mend === null ? text : `${text} (${mend})`;
}

/** How to fix a schema that is missing or too old. */
export function schemaRemedy(driver: Database["driver"]): string {
  return driver === "supabase"
    ? "the project's schema is missing or older than this program: run `npx supabase db push --remote`"
    : "the schema is missing or older than this program: run `npm start -- migrate`";
}
