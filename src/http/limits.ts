/**
 * Limits of the HTTP server that are no settings: what one client may hold, and for how long. Each bounds memory, sockets or the log;
 * docs/architecture.md lists them with the answer that a client gets. Tests pass smaller values.
 */
export interface HttpLimits {
  /** Event streams open at once, over all clients. */
  streams: number;
  /** Event streams of one client (`clientAddress`). A browser opens at most 6 connections to a host. */
  streamsPerClient: number;
  /** Interval of the comment that keeps a silent stream open through proxies; shorter than `silenceMs`. */
  heartbeatMs: number;
  /** A reader of an event stream that accepts none of its buffered bytes for this long is cut off. */
  stallMs: number;
  /** From the start of a connection, or of a request on it, to the end of its headers. */
  headersMs: number;
  /** From the start of a request to the end of its body. No route takes a body. */
  requestMs: number;
  /** Interval in which the two limits above are checked. */
  checkMs: number;
  /**
   * A connection in use on which no byte moves in either direction for this long is closed, within twice this time where a reply waits.
   * Longer than the slowest query (20 s).
   */
  silenceMs: number;
  /** Longest idle time between two requests of a connection; longer than the 60 s of common load balancers, which must close first. */
  keepAliveMs: number;
  /** A reply may take `stallMs`, and its size at this rate (bytes per second). */
  leastRate: number;
  /** Bytes of all replies that clients have not accepted yet. Above it, the oldest reply is cut off. */
  unsentBytes: number;
}

export const defaultLimits: HttpLimits = {
  streams: 1_000,
  streamsPerClient: 10,
  heartbeatMs: 15_000,
  stallMs: 30_000,
  headersMs: 10_000,
  requestMs: 15_000,
  checkMs: 2_000,
  silenceMs: 30_000,
  keepAliveMs: 72_000,
  leastRate: 32 * 1_024,
  unsentBytes: 64 * 1_024 * 1_024,
};
