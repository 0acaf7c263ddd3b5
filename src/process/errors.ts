/**
 * Errors that the service distinguishes, each classified by a code (SQLSTATE, EResult, HTTP status), never by its text.
 */

/** A fault of the world and not of this program: its message says what happened and, where it is known, what to do. See {@link isExpected}. */
export class ExpectedError extends Error {}

/** Bad configuration or command line: exit code 2. The message lists every fault. */
export class ConfigError extends ExpectedError {
  override readonly name = "ConfigError";
}

/** What a read command asks for does not exist: exit code 1. The message says what to do. */
export class NotFoundError extends ExpectedError {
  override readonly name = "NotFoundError";
}

/** Classes of database errors, by what the caller can do. */
export type DatabaseFault =
  /** No answer, or the server is starting or stopping: retry with backoff. */
  | "unreachable"
  /** A transient refusal (deadlock, serialization failure, too many connections): retry. */
  | "retryable"
  /** The statement hit a time limit: retry with a smaller batch. */
  | "timeout"
  /** The rows are rejected (SQLSTATE 22xxx, 23xxx): split the batch until the bad row is alone. */
  | "data"
  /** The schema is missing or older than this program. */
  | "schema"
  /** The key or password is rejected, or a privilege is missing. */
  | "denied"
  /** The settings of the connection are wrong (TLS, database, pooler): only the operator can correct them. */
  | "misconfigured"
  /** Anything else: a bug in this program. */
  | "fatal";

export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly fault: DatabaseFault;
  /** SQLSTATE, PostgREST code (PGRST…), HTTP status or system code (ECONNREFUSED), whichever is known. */
  readonly code: string;
  /**
   * The error speaks of the connection and not of one call: it could not be made, or the server ended it. Once a service
   * has worked, that is an outage, whatever the fault.
   */
  readonly atConnection: boolean;
  /** What an operator can do; the message ends with it, in brackets. Null where nothing is known. */
  readonly remedy: string | null;

  constructor(
    fault: DatabaseFault,
    code: string,
    message: string,
    {
      atConnection = false,
      remedy = null,
      ...options
    }: ErrorOptions & { atConnection?: boolean; remedy?: string | null } = {},
  ) {
    super(message, options);
    this.fault = fault;
    this.code = code;
    this.atConnection = atConnection;
    this.remedy = remedy;
  }
}

/** Classes of Steam errors: why a request has no answer. */
export type SteamFault =
  /** The connection was lost, or Steam logged the session off, while the request was in flight. */
  | "disconnected"
  /** No reply within the time limit of the request. */
  | "timeout"
  /** A reply that violates the protocol. */
  | "protocol"
  /** Replies that answer nothing of what was requested, so often that the work was given up; no single request. */
  | "silent";

export class SteamError extends ExpectedError {
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

/** Classes of web API errors, by what the caller can do. */
export type WebFault =
  /** No answer, or only 5xx: retry later. */
  | "unreachable"
  /** 429 after every retry: the rate limit is too high. */
  | "limited"
  /** The API blocks this address; its endpoint is paused. */
  | "blocked"
  /** The key or token is rejected. */
  | "denied"
  /** Any other 4xx: the request is wrong. */
  | "refused"
  /** An answer that is no JSON, or JSON of another shape. */
  | "invalid";

export class WebError extends ExpectedError {
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
 * The `code` of an error or of what caused it, up to three levels deep; null without one. Libraries wrap system errors:
 * fetch reports a refused connection as a TypeError whose cause has the code ECONNREFUSED.
 */
export function errorCode(error: unknown): string | null {
  for (let depth = 0, at = error; depth < maxCauseDepth && at instanceof Error; depth++, at = at.cause) {
    if ("code" in at && typeof at.code === "string" && at.code !== "") return at.code;
  }
  return null;
}

/**
 * Whether an error needs no stack trace: an operator can mend it, or it mends itself. Database errors of a bug (`fatal`, `data`) do, and every
 * error that no class here describes, except what the system or the network reports.
 */
export function isExpected(error: unknown): error is Error {
  if (error instanceof DatabaseError) return error.fault !== "fatal" && error.fault !== "data";
  return error instanceof ExpectedError || isSystemError(error);
}

function isSystemError(error: unknown): boolean {
  for (let depth = 0, at = error; depth < maxCauseDepth && at instanceof Error; depth++, at = at.cause) {
    if (at.name === "AbortError" || at.name === "TimeoutError" || "syscall" in at) return true;
    if ("code" in at && String(at.code).startsWith("UND_ERR_")) return true;
  }
  return false;
}
