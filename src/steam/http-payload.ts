/**
 * App info that Steam offers over plain HTTP instead of sending it. Everything in the offer comes from a reply, so
 * nothing of it is believed: the host must be Valve's, the size is a limit, and the SHA-1 decides.
 */
import { hash } from "node:crypto";
import type { Agent } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type Backoff, backoffMs } from "../process/backoff.ts";
import { SteamError } from "../process/errors.ts";
import { isHostName, isInDomains } from "../process/host-name.ts";
import { sleep } from "../process/time.ts";
import { boundedGet } from "./bounded-get.ts";
import { type AppInfoMessage, withoutNul } from "./payload.ts";
import { publicLookup } from "./public-lookup.ts";

/** Where Steam offers larger texts over plain HTTP. */
export interface HttpOffer {
  host: string | null;
  minSizeBytes: number | null;
}

/** An offer that may be fetched. */
export interface OfferedText {
  url: string;
  sha1: string;
  /** As announced: the text with the trailing NUL of the wire. */
  sizeBytes: number;
}

export interface HttpPayloadOptions {
  /** Domains whose hosts app info is fetched from; subdomains included. */
  hosts: readonly string[];
  /** Default: the global one, which uses the proxy of the environment. */
  agent?: Agent;
  /** Of one attempt, body included. */
  timeoutMs?: number;
  lookup?: ReturnType<typeof publicLookup>;
}

/** The largest text seen has 1.15 MB. */
export const maxTextBytes = 16 * 1024 * 1024;
const sha1Bytes = 20;
const defaultTimeoutMs = 30_000;
const maxAttempts = 3;
const retryBackoff: Backoff = { firstMs: 500, maxMs: 2_000 };
const retryableStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const shownHostLength = 100;

const gunzipAsync = promisify(gunzip);
/** Gzip makes incompressible data larger: by its header and by five bytes per block. */
const gzipLimit = (sizeBytes: number) => sizeBytes + Math.ceil(sizeBytes / 100) + 1_024;

/**
 * The text of an app that Steam offers over HTTP, or null when it offers none. The URL has the form that SteamKit and
 * Steam's own clients use: `http://HOST/appinfo/APPID/sha/SHA1.txt.gz`.
 *
 * Throws SteamError `protocol` for an offer that must not be fetched: a host outside of `hosts`, no size or an absurd
 * one, a SHA-1 of the wrong length.
 */
export function offeredText(app: AppInfoMessage, offer: HttpOffer, hosts: readonly string[]): OfferedText | null {
  const { host, minSizeBytes } = offer;
  const { sha, size } = app;
  if (!host || !sha || (size !== null && size < (minSizeBytes ?? 0))) return null;
  if (!isHostName(host) || !isInDomains(host, hosts)) {
    const shown = JSON.stringify(host.slice(0, shownHostLength));
    throw refusal(`Steam offers it at ${shown}, which is no host in the domains of STEAM_CONTENT_HOSTS`);
  }
  if (size === null || size < 1 || size > maxTextBytes) {
    throw refusal(`Steam offers it over HTTP with the size ${size ?? "unknown"}; the limit is ${maxTextBytes} bytes`);
  }
  if (sha.length !== sha1Bytes) throw refusal("Steam offers it over HTTP without a valid SHA-1");
  const sha1 = sha.toString("hex");
  return { url: `http://${host}/appinfo/${app.appid}/sha/${sha1}.txt.gz`, sha1, sizeBytes: size };
}

/**
 * Fetches an offered text, without the trailing NUL. Network faults and transient statuses are attempted three times,
 * with exponential backoff; a `Retry-After` is ignored, since the app is fetched again later anyway.
 *
 * @param deadline by `performance.now()`; the attempts end then at the latest.
 * Throws SteamError: `protocol` when the answer is refused (status, redirect, size, SHA-1), else as {@link boundedGet}.
 */
export async function fetchText(
  offered: OfferedText,
  options: HttpPayloadOptions,
  deadline: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fetchOnce(offered, options, deadline, signal);
    } catch (error) {
      if (attempt === maxAttempts || !(error instanceof SteamError && error.fault === "disconnected")) throw error;
    }
    await sleep(backoffMs(attempt, retryBackoff), signal);
  }
}

async function fetchOnce(
  { url, sha1, sizeBytes }: OfferedText,
  { agent, timeoutMs = defaultTimeoutMs, lookup = publicLookup() }: HttpPayloadOptions,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const leftMs = Math.floor(deadline - performance.now());
  if (leftMs <= 0) throw new SteamError("timeout", "no time left for it in this batch");
  const { status, body } = await boundedGet(url, {
    maxBytes: gzipLimit(sizeBytes),
    timeoutMs: Math.min(timeoutMs, leftMs),
    headers: { "accept-encoding": "identity" },
    agent,
    lookup,
    signal,
  });
  if (retryableStatuses.has(status)) throw new SteamError("disconnected", `HTTP status ${status}`);
  if (status >= 300 && status < 400) throw refusal(`HTTP status ${status}; redirects are not followed`);
  if (status !== 200) throw refusal(`HTTP status ${status}`);
  const text = withoutNul(await unzip(body, sizeBytes + 1));
  if (hash("sha1", text) !== sha1) throw refusal("the SHA-1 of the text is not the announced one");
  return text;
}

/**
 * Unzips a gzip body of one or many members; any other is returned as it is. Throws SteamError `protocol` for more than
 * `maxBytes`, without unzipping the rest, and for a truncated or damaged body.
 */
export async function unzip(body: Buffer, maxBytes: number): Promise<Buffer> {
  const isGzip = body[0] === 0x1f && body[1] === 0x8b;
  if (!isGzip && body.length > maxBytes) throw refusal(`the text is larger than ${maxBytes} bytes`);
  if (!isGzip) return body;
  try {
    return await gunzipAsync(body, { maxOutputLength: maxBytes });
  } catch (error) {
    const isTooLarge = error instanceof RangeError;
    throw refusal(isTooLarge ? `the text unzips to more than ${maxBytes} bytes` : "the body is damaged gzip", error);
  }
}

function refusal(message: string, cause?: unknown): SteamError {
  return new SteamError("protocol", message, null, { cause });
}
