/** Kinds of request that the simulation logs. */
export type SimulatedRequestKind =
  | "cm_list"
  | "logon"
  | "logoff"
  | "heartbeat"
  | "changes"
  | "metadata"
  | "product_info"
  | "access_tokens"
  | "tag_names"
  | "category_names"
  | "http_payload"
  | "app_list"
  | "tag_list"
  | "other";

export interface LoggedRequest {
  kind: SimulatedRequestKind;
  /** Milliseconds since the epoch. */
  at: number;
  /** How many apps (or tags) the request names. */
  count: number;
  /** The ids themselves; for `metadata` only the first and the last, since those requests name thousands. */
  appids: number[];
}

export interface RequestLog {
  /** Requests so far, by kind. */
  readonly counts: Readonly<Record<SimulatedRequestKind, number>>;
  /** In order of arrival; stays empty with `keepRequests: false`. */
  readonly requests: readonly LoggedRequest[];
  /** Apps sent with a body (whole or public-only) in a product info reply. */
  appsServed: number;
  /** Bytes of websocket frames sent. */
  bytesSent: number;
  /** Bytes of HTTP bodies sent because of a fault. */
  httpBytesSent: number;
  /** Product info requests by app; empty with `keepRequests: false`. */
  fetchCounts(): Map<number, number>;
  of(kind: SimulatedRequestKind): LoggedRequest[];
  add(kind: SimulatedRequestKind, appids?: readonly number[]): void;
  clear(): void;
}

export function createRequestLog(keepRequests: boolean): RequestLog {
  const counts = emptyCounts();
  const requests: LoggedRequest[] = [];
  return {
    counts,
    requests,
    appsServed: 0,
    bytesSent: 0,
    httpBytesSent: 0,
    fetchCounts() {
      const times = new Map<number, number>();
      for (const request of requests) {
        if (request.kind !== "product_info") continue;
        for (const appid of request.appids) times.set(appid, (times.get(appid) ?? 0) + 1);
      }
      return times;
    },
    of: (kind) => requests.filter((request) => request.kind === kind),
    add(kind, appids = []) {
      counts[kind] += 1;
      if (!keepRequests || kind === "heartbeat") return;
      const kept =
        kind === "metadata" && appids.length > 2 ? [appids[0] as number, appids.at(-1) as number] : [...appids];
      requests.push({ kind, at: Date.now(), count: appids.length, appids: kept });
    },
    clear() {
      Object.assign(counts, emptyCounts());
      requests.length = 0;
      this.appsServed = 0;
      this.bytesSent = 0;
      this.httpBytesSent = 0;
    },
  };
}

function emptyCounts(): Record<SimulatedRequestKind, number> {
  return {
    cm_list: 0,
    logon: 0,
    logoff: 0,
    heartbeat: 0,
    changes: 0,
    metadata: 0,
    product_info: 0,
    access_tokens: 0,
    tag_names: 0,
    category_names: 0,
    http_payload: 0,
    app_list: 0,
    tag_list: 0,
    other: 0,
  };
}
