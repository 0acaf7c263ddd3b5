import { type Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { SteamError } from "../process/errors.ts";

export interface BoundedGetOptions {
  /** Largest body, as it is on the wire. */
  maxBytes: number;
  /** From the start of the request to the last byte of the body. */
  timeoutMs: number;
  headers?: Record<string, string>;
  /** Default: the global one, which uses the proxy of the environment. */
  agent?: Agent | undefined;
  lookup?: LookupFunction;
  signal?: AbortSignal | undefined;
}

export interface BoundedReply {
  status: number;
  /** As sent: nothing is decoded. Empty unless the status is 200. */
  body: Buffer;
}

/**
 * One GET that cannot cost more than it may: the body is limited while it arrives, the time limit includes the body, no
 * redirect is followed, no `content-encoding` is decoded, and nothing is retried.
 *
 * Throws SteamError: `timeout`, `disconnected` when the network fails, `protocol` when the body is too large; and
 * `signal.reason` when aborted.
 */
export async function boundedGet(url: string, options: BoundedGetOptions): Promise<BoundedReply> {
  const { maxBytes, timeoutMs, signal, agent, lookup, headers } = options;
  signal?.throwIfAborted();
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  const request = send(url, { ...(headers && { headers }), ...(agent && { agent }), ...(lookup && { lookup }) });
  // A request that is destroyed may fail once more after its error has been reported.
  request.on("error", () => {});
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    request.destroy(new Error("timeout"));
  }, timeoutMs);
  const onAbort = () => request.destroy(new Error("aborted"));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve).once("error", reject).end();
    });
    const { statusCode: status = 0 } = response;
    if (status === 200) return { status, body: await readBody(response, maxBytes) };
    request.destroy();
    return { status, body: Buffer.alloc(0) };
  } catch (error) {
    request.destroy();
    signal?.throwIfAborted();
    if (isLate) throw new SteamError("timeout", `no complete answer within ${(timeoutMs / 1_000).toFixed(1)} s`);
    if (error instanceof SteamError) throw error;
    throw new SteamError("disconnected", describeError(error), null, { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Copies into one buffer: a body in chunks of one byte would cost a hundred times its size as a list of chunks. */
async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const body = Buffer.allocUnsafeSlow(maxBytes);
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (size + chunk.length > maxBytes) throw new SteamError("protocol", `the body is larger than ${maxBytes} bytes`);
    size += chunk.copy(body, size);
  }
  return body.subarray(0, size);
}

/**
 * The message of an error, or its code where Node leaves the message empty (AggregateError of a refused connection).
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
