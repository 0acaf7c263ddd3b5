/**
 * Faults that the service tells apart, each classified by a code (SQLSTATE, EResult, HTTP status), never by its text.
 */

/** Bad configuration or command line: exit code 2. The message lists every fault. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** What a reading command was asked for is not there: exit code 1. The message says what to do. */
export class NotFoundError extends Error {
  override readonly name = "NotFoundError";
}

/** What a caller of the database may do about a fault. */
export type DatabaseFault =
  /** Nobody answers, or the server is starting or stopping: the same call may succeed later. */
  | "unreachable"
  /** The server refused for a passing reason (deadlock, serialisation, too many connections): call again. */
  | "retryable"
  /** The statement ran into a time limit: call again with less. */
  | "timeout"
  /** The rows themselves are refused (SQLSTATE 22xxx, 23xxx): split the batch and find the one. */
  | "data"
  /** The schema is missing or older than this program. */
  | "schema"
  /** The key or password is refused. */
  | "denied"
  /** Anything else: a fault of this program. */
  | "fatal";

export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly fault: DatabaseFault;
  /** SQLSTATE, PostgREST code (PGRST…), HTTP status or system code (ECONNREFUSED), whichever is known. */
  readonly code: string;

  constructor(fault: DatabaseFault, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.code = code;
  }
}

/** Why a request to Steam has no answer. */
export type SteamFault =
  /** The connection was lost, or Steam logged the session off, while the request was in flight. */
  | "disconnected"
  /** No reply within the request's own time limit. */
  | "timeout"
  /** A reply that is not what the protocol promises. */
  | "protocol";

export class SteamError extends Error {
  override readonly name = "SteamError";
  readonly fault: SteamFault;
  /** Steam's EResult where it gave one. */
  readonly eresult: number | null;

  constructor(fault: SteamFault, message: string, eresult: number | null = null, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.eresult = eresult;
  }
}

/** What a caller of a web API may do about a fault. */
export type WebFault =
  /** Nobody answers, or only with 5xx: the same call may succeed later. */
  | "unreachable"
  /** 429 after every repeat: the API wants fewer requests. */
  | "limited"
  /** The API refuses this address; its endpoint is paused. */
  | "blocked"
  /** The key or token is refused. */
  | "denied"
  /** Any other 4xx: this request is wrong. */
  | "refused"
  /** An answer that is no JSON, or JSON of another shape. */
  | "invalid";

export class WebError extends Error {
  override readonly name = "WebError";
  readonly fault: WebFault;
  /** HTTP status of the last answer; null without any. */
  readonly status: number | null;

  constructor(fault: WebFault, message: string, status: number | null = null, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.status = status;
  }
}

const maxCauseDepth = 3;

/**
 * The `code` of an error or of what caused it, up to three levels deep; null without one. Libraries wrap system errors: fetch reports
 * a refused connection as a TypeError whose cause has the code ECONNREFUSED.
 */
export function errorCode(error: unknown): string | null {
  for (let depth = 0, at = error; depth < maxCauseDepth && at instanceof Error; depth++, at = at.cause) {
    if ("code" in at && typeof at.code === "string" && at.code !== "") return at.code;
  }
  return null;
}
