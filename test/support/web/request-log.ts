/** Parameters of a request to a simulated web API. */
export interface WebCall {
  /** `all` and `appdetails` at SteamSpy, `app_list` at Steam; `other` is refused by the API. */
  kind: string;
  /** `all` only, from 0. */
  page?: number;
  /** `appdetails` only. */
  appid?: number;
  /** `app_list` only: the cursor, 0 for the first page. */
  lastAppid?: number;
}

export interface LoggedCall extends WebCall {
  /** `performance.now()` of the request, for durations. */
  at: number;
  /** `Date.now()` of the request. Both follow a fake clock. */
  time: number;
  /** The name of the fault that struck it. */
  fault: string | null;
}

export interface WebLog {
  readonly calls: readonly LoggedCall[];
  /** Requests by kind. */
  readonly counts: Readonly<Record<string, number>>;
  of(kind: string): LoggedCall[];
  clear(): void;
  /** For the simulation itself. */
  add(call: WebCall, fault: string | null): void;
}

export function createWebLog(): WebLog {
  let calls: LoggedCall[] = [];
  return {
    get calls() {
      return calls;
    },
    get counts() {
      const counts: Record<string, number> = {};
      for (const { kind } of calls) counts[kind] = (counts[kind] ?? 0) + 1;
      return counts;
    },
    of: (kind) => calls.filter((call) => call.kind === kind),
    clear() {
      calls = [];
    },
    add(call, fault) {
      calls.push({ ...call, at: performance.now(), time: Date.now(), fault });
    },
  };
}

/** Maximum number of calls in any window of this length: from a call inclusive to `windowMs` later exclusive. */
export function busiestWindow(calls: readonly Pick<LoggedCall, "at">[], windowMs: number): number {
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (const [i, at] of times.entries()) {
    while (at - (times[first] as number) >= windowMs) first += 1;
    most = Math.max(most, i - first + 1);
  }
  return most;
}

/** Minimum time between two calls; infinite for fewer than two. */
export function smallestGapMs(calls: readonly Pick<LoggedCall, "at">[]): number {
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  return Math.min(Number.POSITIVE_INFINITY, ...times.slice(1).map((at, i) => at - (times[i] as number)));
}
