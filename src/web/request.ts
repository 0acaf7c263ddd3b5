import { WebError } from "../process/errors.ts";
import type { Endpoint } from "./endpoints.ts";

export interface WebRequest {
  url: string;
  method?: "GET" | "POST";
  searchParams?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string;
  /** Retries after the first attempt, if fewer than the client's; after 429 the client's count. */
  maxRetries?: number;
  signal: AbortSignal;
}

/** Minimum length of a secret. Shorter values would hide ordinary words. */
const minSecretLength = 6;

/**
 * The request as `fetch` takes it. Redirects are not followed: they would carry the key to another host, past every limit.
 *
 * @throws {WebError} `refused` for a malformed address or header.
 */
export function requestOf(
  endpoint: Endpoint,
  { url, searchParams, ...init }: Omit<WebRequest, "signal" | "maxRetries">,
): Request {
  try {
    const address = new URL(url);
    for (const [name, value] of Object.entries(searchParams ?? {})) address.searchParams.set(name, value);
    return new Request(address, { ...init, redirect: "manual" });
  } catch {
    // The text of the caught error repeats the header or address.
    throw new WebError("refused", `${endpoint}: the request is malformed in its address or a header`);
  }
}

/** Values of the request that no error may repeat: headers, parameters, fields of a form. Longest first. */
export function secretsOf({ url, headers }: Request, body = ""): string[] {
  const isForm = headers.get("content-type")?.startsWith("application/x-www-form-urlencoded");
  const fields = new URLSearchParams(isForm ? body : "");
  const values = [...headers.values(), ...new URL(url).searchParams.values(), ...fields.values()];
  const words = values.flatMap((value) => value.split(" ")).filter((word) => word.length >= minSecretLength);
  return words.sort((a, b) => b.length - a.length);
}
