import { linkedAbort } from "../process/abort.ts";
import { errorCode, type WebFault } from "../process/errors.ts";
import type { EndpointRules } from "./endpoints.ts";

/** An attempt without a usable answer. The message continues a sentence that begins with the endpoint, and holds no secret. */
export class FailedAttempt extends Error {
  override readonly name = "FailedAttempt";
  readonly fault: WebFault;
  readonly status: number | null;
  /** The same request may succeed later. */
  readonly isRetryable: boolean;
  /** The value of `Retry-After` in milliseconds; null without it. */
  readonly retryAfterMs: number | null;

  constructor(
    fault: WebFault,
    message: string,
    { status = null, isRetryable = false, retryAfterMs = null }: FailedAttemptDetails = {},
  ) {
    super(message);
    this.fault = fault;
    this.status = status;
    this.isRetryable = isRetryable;
    this.retryAfterMs = retryAfterMs;
  }
}

interface FailedAttemptDetails {
  status?: number | null;
  isRetryable?: boolean;
  retryAfterMs?: number | null;
}

export interface AttemptOptions {
  fetch: typeof globalThis.fetch;
  /** From the start of the request to the last byte of the body. */
  timeoutMs: number;
  /** The meaning of a 403 at this endpoint. */
  forbidden: EndpointRules["forbidden"];
  /** Values that no error may repeat, even if the answer does. */
  secrets: readonly string[];
  signal: AbortSignal;
}

/**
 * Sends the request once and returns the parsed JSON of the answer.
 *
 * @throws {FailedAttempt} classified by status; network errors and time-outs are `unreachable`.
 * @throws `signal.reason` as soon as it aborts.
 */
export async function attempt(request: Request, options: AttemptOptions): Promise<unknown> {
  const { response, text } = await fetchText(request, options);
  if (!response.ok) throw failureOf(response, text, options);
  try {
    return JSON.parse(text);
  } catch {
    const { status } = response;
    const what = text === "" ? "an empty body" : "a body that is not JSON";
    throw new FailedAttempt("invalid", `answered ${status} with ${what}`, { status, isRetryable: true });
  }
}

/** Fetches head and body within the time limit. */
async function fetchText(
  request: Request,
  { fetch, timeoutMs, signal: parent }: AttemptOptions,
): Promise<{ response: Response; text: string }> {
  const { controller, unlink } = linkedAbort(parent);
  const { signal } = controller;
  const aborted = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
  const timer = setTimeout(() => controller.abort(timeout(timeoutMs)), timeoutMs);

  async function read() {
    // A clone, so that a retry can send the body again.
    const response = await fetch(request.clone(), { signal });
    return { response, text: await response.text() };
  }
  try {
    signal.throwIfAborted();
    // The race ends the attempt even if the body's stream does not follow the signal.
    return await Promise.race([aborted.promise, read()]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new FailedAttempt("unreachable", `gives no answer: ${networkCode(error)}`, { isRetryable: true });
  } finally {
    clearTimeout(timer);
    unlink();
  }
}

function timeout(timeoutMs: number): FailedAttempt {
  const message = `gives no complete answer within ${timeoutMs / 1000} s`;
  return new FailedAttempt("unreachable", message, { isRetryable: true });
}

/** The code of the system or of undici. The text of a network error is not repeated: it may name more than the host. */
function networkCode(error: unknown): string {
  return errorCode(error) ?? (error instanceof Error ? error.name : "unknown fault");
}

/** Classifies an answer with an error status. */
function failureOf(
  { status, headers }: Response,
  text: string,
  { forbidden, secrets }: Pick<AttemptOptions, "forbidden" | "secrets">,
): FailedAttempt {
  const message = `answered ${status}`;
  const passing = { status, isRetryable: true, retryAfterMs: retryAfterMs(headers) };
  if (status >= 500) return new FailedAttempt("unreachable", message, passing);
  if (status === 429) return new FailedAttempt("limited", message, passing);
  if (status === 401) return new FailedAttempt("denied", message, { status });
  if (status === 403) return new FailedAttempt(forbidden, message, { status, retryAfterMs: retryAfterMs(headers) });
  return new FailedAttempt("refused", `${message}${excerpt(text, secrets)}`, { status });
}

/** `Retry-After`: seconds, or a date (RFC 9110). */
function retryAfterMs(headers: Headers): number | null {
  const value = headers.get("retry-after");
  if (value === null) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

const maxExcerptLength = 100;

/** The beginning of an answer in plain text, without secrets; nothing of HTML. */
function excerpt(text: string, secrets: readonly string[]): string {
  let words = text.replace(/\s+/g, " ").trim();
  if (words === "" || words.startsWith("<")) return "";
  for (const secret of secrets) words = words.replaceAll(secret, "[hidden]");
  return `: ${words.length > maxExcerptLength ? `${words.slice(0, maxExcerptLength)}…` : words}`;
}
