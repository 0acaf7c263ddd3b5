import { WebError } from "../process/errors.ts";
import type { Endpoint } from "./endpoints.ts";

export interface WebRequest {
  url: string;
  method?: "GET" | "POST";
  searchParams?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

/** Shorter values would blot out ordinary words. */
const shortestSecretLength = 6;

/** Redirects are not followed: they would carry the key to wherever they lead, past every limit. */
export function requestOf(endpoint: Endpoint, { url, searchParams, ...init }: Omit<WebRequest, "signal">): Request {
  try {
    const address = new URL(url);
    for (const [name, value] of Object.entries(searchParams ?? {})) address.searchParams.set(name, value);
    return new Request(address, { ...init, redirect: "manual" });
  } catch {
    // The error's own text repeats the header or address.
    throw new WebError("refused", `${endpoint}: the request is malformed in its address or a header`);
  }
}

/** What an answer might repeat of the request and must not be told: header values, parameters, the fields of a form. */
export function secretsOf({ url, headers }: Request, body = ""): string[] {
  const isForm = headers.get("content-type")?.startsWith("application/x-www-form-urlencoded");
  const fields = new URLSearchParams(isForm ? body : "");
  const values = [...headers.values(), ...new URL(url).searchParams.values(), ...fields.values()];
  const words = values.flatMap((value) => value.split(" ")).filter((word) => word.length >= shortestSecretLength);
  return words.sort((a, b) => b.length - a.length);
}
