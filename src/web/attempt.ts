import type { WebFault } from "../process/errors.ts";
import type { EndpointRules } from "./endpoints.ts";

/** One attempt without a usable answer. The message goes on from the name of the endpoint and holds no secret. */
export class FailedAttempt extends Error {
  override readonly name = "FailedAttempt";
  readonly fault: WebFault;
  readonly status: number | null;
  /** The same request may succeed later. */
  readonly mayPass: boolean;
  /** What `Retry-After` says; null without it. */
  readonly retryAfterMs: number | null;

  constructor(
    fault: WebFault,
    message: string,
    { status = null, mayPass = false, retryAfterMs = null }: FailedAttemptDetails = {},
  ) {
    super(message);
    this.fault = fault;
    this.status = status;
    this.mayPass = mayPass;
    this.retryAfterMs = retryAfterMs;
  }
}

interface FailedAttemptDetails {
  status?: number | null;
  mayPass?: boolean;
  retryAfterMs?: number | null;
}

export interface AttemptOptions {
  /** What a 403 means here. */
  forbidden: EndpointRules["forbidden"];
  /** Values that must not be repeated, even if the answer does. */
  secrets: readonly string[];
}

/** Reads the whole answer to a request as JSON. Throws {@link FailedAttempt} only. */
export async function attempt(
  fetch: () => Promise<Response>,
  { forbidden, secrets }: AttemptOptions,
): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch();
    text = await response.text();
  } catch (error) {
    throw new FailedAttempt("unreachable", `gives no answer: ${codeOf(error)}`, { mayPass: true });
  }
  const { status } = response;
  if (response.ok) {
    try {
      return JSON.parse(text);
    } catch {
      const what = text === "" ? "nothing" : "no JSON";
      throw new FailedAttempt("invalid", `answered ${status} with ${what}`, { status, mayPass: true });
    }
  }
  const message = `answered ${status}`;
  const retryAfterMs = retryAfter(response.headers.get("retry-after"));
  if (status >= 500) throw new FailedAttempt("unreachable", message, { status, mayPass: true, retryAfterMs });
  if (status === 429) throw new FailedAttempt("limited", message, { status, mayPass: true, retryAfterMs });
  if (status === 401) throw new FailedAttempt("denied", message, { status });
  if (status === 403) throw new FailedAttempt(forbidden, message, { status });
  throw new FailedAttempt("refused", `${message}${excerpt(text, secrets)}`, { status });
}

/** The system's or undici's code. Texts of network errors are not repeated: they may name more than the host. */
function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return error instanceof Error ? error.name : "unknown fault";
}

/** Seconds, or a date (RFC 9110). */
function retryAfter(header: string | null): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

const maxExcerptLength = 100;

/** The beginning of a refusal in plain words. */
function excerpt(text: string, secrets: readonly string[]): string {
  let words = text.replace(/\s+/g, " ").trim();
  if (words === "" || words.startsWith("<")) return "";
  for (const secret of secrets) words = words.replaceAll(secret, "[hidden]");
  return `: ${words.length > maxExcerptLength ? `${words.slice(0, maxExcerptLength)}…` : words}`;
}
