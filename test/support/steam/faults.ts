import type { Bomb, HttpBody } from "./bombs.ts";
import { createRandom } from "./random.ts";
import type { SimulatedRequestKind } from "./request-log.ts";

/** Which requests a fault applies to, and how often. */
export interface FaultScope {
  /** Number of requests. Default: one; for faults of single apps, unlimited. */
  times?: number;
  /** Ends at this time (milliseconds since the epoch); until then unlimited unless `times` is given. */
  until?: number;
  /** Skips this many matching requests first. */
  after?: number;
  /** Only these requests. Default: every PICS request, tag and category names; for faults that fit one request only, that one. */
  on?: SimulatedRequestKind | SimulatedRequestKind[];
  /**
   * Only requests for one of these apps; faults of single apps apply to these only (else to one app of the request).
   */
  appids?: number[];
}

export type FaultAction =
  /** No reply, the connection stays. */
  | { kind: "hang" }
  /** The socket is destroyed instead of a reply. */
  | { kind: "drop" }
  /** The reply comes this much later. */
  | { kind: "slow"; ms: number }
  /** ClientLoggedOff with any EResult, then the connection closes. */
  | { kind: "logoff"; eresult: number }
  /** ClientLogonResponse with any EResult, then the connection closes. */
  | { kind: "logon_refused"; eresult: number }
  /**
   * An undecodable reply: a `multi` whose gzip is corrupt, a right header with random bytes as `body`, or random
   * bytes as the whole `frame`. On app_list, tag_list: a body that is not JSON.
   */
  | { kind: "garbage"; how?: "multi" | "body" | "frame" }
  /** Product info: all messages but the last, which would say that no more are pending. */
  | { kind: "partial_reply" }
  /** Product info: the app comes with its numbers and without its buffer. */
  | { kind: "no_buffer" }
  /** Product info: the app's text is cut in half. */
  | { kind: "truncated" }
  /** Product info and metadata: the app is neither answered nor unknown. Access tokens: neither granted nor denied. */
  | { kind: "omit" }
  /**
   * The reply comes, and says nothing: neither apps nor unknown ids, neither granted nor denied tokens. On `changes`:
   * the current number, and no app and no package.
   */
  | { kind: "silent" }
  /** Product info and metadata: apps that exist are answered as unknown; without `appids`, all of the request. */
  | { kind: "say_unknown" }
  /**
   * Product info: a part of the app's text is left out, and the wire flags that or not.
   *
   * - `everything`: all but the appid; `root`: an empty root block;
   * - `common`, `extended`, `depots`: that section; `empty_common`: its content.
   */
  | { kind: "left_out"; what: LeftOut; flag?: "missing_token" | "only_public" }
  /** Product info: the app is answered with exactly these, one after the other in one reply. */
  | { kind: "answered_with"; answers: GivenAnswer[] }
  /**
   * ChangesSince: Steam's reply when it cannot list the changes. The flags for everything and for apps, or an echo of
   * another number than the requested one, come without changes; the flag for packages alone comes with them.
   */
  | { kind: "force"; how: "full" | "apps" | "packages" | "since" }
  /** Product info and metadata: the app comes with a lower change number than announced. */
  | { kind: "wrong_older_change_number"; by?: number }
  /** The CM list fails: HTTP 500, an empty list, not KeyValues, a damaged gzip, no end, or endpoints that are none. */
  | { kind: "cm_list"; how?: "http_500" | "empty" | "garbage" | "bad_gzip" | "endless" | "no_endpoints" }
  /** The HTTP payload of an app fails: a status (404), perhaps with a `location`, or a body that is wrong. */
  | { kind: "http_payload"; status?: number; location?: string; body?: HttpBody }
  /** Product info: another host or size of the texts over HTTP than the right one. */
  | { kind: "http_offer"; host?: string; size?: number }
  /** A reply that takes far more memory than it should. */
  | { kind: "bomb"; how: Bomb }
  /** The app list fails: an HTTP status, or a reply without `apps`. */
  | { kind: "app_list"; status?: number; how?: "status" | "no_apps" }
  /** The proxy refuses the connection (502) to hosts whose name ends so; default: to every host. */
  | { kind: "unreachable"; host?: string };

export type LeftOut = "everything" | "root" | "common" | "empty_common" | "extended" | "depots";

export interface GivenAnswer {
  changeNumber: number;
  text: string;
  flag?: "missing_token" | "only_public" | undefined;
}

export type Fault = FaultAction & FaultScope;
export type FaultKind = Fault["kind"];
export type FaultOf<K extends FaultKind> = Extract<Fault, { kind: K }>;

/** The faults that apply to one request. */
export interface Strike {
  /** At most one fault of the whole reply. */
  reply: Fault | null;
  /** The faults of single apps. */
  apps: Map<number, Fault>;
  /** Added to the reply's latency. */
  delayMs: number;
}

export interface Faults {
  /** Adds a fault; the result removes it. Faults are matched in the order in which they were added. */
  add(fault: Fault): () => void;
  /** From now on each request gets one of `kinds` with probability `rate`, reproducibly for a seed. */
  random(options: { seed: number; rate: number; kinds: FaultKind[] }): void;
  /** Removes all faults, also the random ones. */
  clear(): void;
  /** How often each kind was applied. */
  readonly struck: ReadonlyMap<FaultKind, number>;
  /** For the simulation itself. */
  strike(request: SimulatedRequestKind, appids: readonly number[]): Strike;
  /** For the proxy: whether a connection to the host is refused. */
  unreachable(host: string): boolean;
}

const picsRequests: SimulatedRequestKind[] = [
  "changes",
  "metadata",
  "product_info",
  "access_tokens",
  "tag_names",
  "category_names",
];
const defaultRequests: Record<FaultKind, SimulatedRequestKind[]> = {
  hang: picsRequests,
  drop: picsRequests,
  slow: picsRequests,
  logoff: picsRequests,
  garbage: picsRequests,
  logon_refused: ["logon"],
  partial_reply: ["product_info"],
  no_buffer: ["product_info"],
  truncated: ["product_info"],
  omit: ["product_info"],
  silent: ["metadata", "product_info", "access_tokens"],
  say_unknown: ["product_info", "metadata"],
  left_out: ["product_info"],
  answered_with: ["product_info"],
  wrong_older_change_number: ["product_info"],
  force: ["changes"],
  cm_list: ["cm_list"],
  http_payload: ["http_payload"],
  http_offer: ["product_info"],
  bomb: ["product_info"],
  app_list: ["app_list"],
  unreachable: [],
};
const appFaults: FaultKind[] = [
  "no_buffer",
  "truncated",
  "omit",
  "wrong_older_change_number",
  "say_unknown",
  "left_out",
  "answered_with",
];
const isAppFault = (fault: Fault) => appFaults.includes(fault.kind);

export function createFaults(): Faults {
  const scripted: { fault: Fault; passed: number; used: number }[] = [];
  const struck = new Map<FaultKind, number>();
  let drawRandom: ((request: SimulatedRequestKind, appids: readonly number[]) => Fault | null) | null = null;

  const count = (fault: Fault) => struck.set(fault.kind, (struck.get(fault.kind) ?? 0) + 1);

  const spent = ({ fault, used }: { fault: Fault; used: number }) => {
    if (fault.until !== undefined && Date.now() > fault.until) return true;
    const endless = fault.until !== undefined || (isAppFault(fault) && fault.appids !== undefined);
    return used >= (fault.times ?? (endless ? Number.POSITIVE_INFINITY : 1));
  };

  return {
    struck,
    add(fault) {
      const entry = { fault, passed: 0, used: 0 };
      scripted.push(entry);
      return () => {
        const index = scripted.indexOf(entry);
        if (index >= 0) scripted.splice(index, 1);
      };
    },
    random({ seed, rate, kinds }) {
      const random = createRandom(seed);
      drawRandom = (request, appids) => {
        const fitting = kinds.filter((kind) => defaultRequests[kind].includes(request));
        if (fitting.length === 0 || !random.chance(rate)) return null;
        const fault = randomFault(random.pick(fitting), random.next());
        return isAppFault(fault) && appids.length > 0 ? { ...fault, appids: [random.pick(appids)] } : fault;
      };
    },
    clear() {
      scripted.length = 0;
      drawRandom = null;
    },
    unreachable(host) {
      for (const entry of scripted) {
        const { fault } = entry;
        if (fault.kind !== "unreachable" || spent(entry) || !host.endsWith(fault.host ?? "")) continue;
        entry.used += 1;
        count(fault);
        return true;
      }
      return false;
    },
    strike(request, appids) {
      const result: Strike = { reply: null, apps: new Map(), delayMs: 0 };
      const apply = (fault: Fault) => {
        if (fault.kind === "slow") result.delayMs += fault.ms;
        else if (isAppFault(fault)) {
          const targets = fault.appids ?? (fault.kind === "say_unknown" ? appids : appids.slice(0, 1));
          for (const appid of targets)
            if (appids.includes(appid) && !result.apps.has(appid)) result.apps.set(appid, fault);
        } else if (result.reply) return false;
        else result.reply = fault;
        count(fault);
        return true;
      };
      for (const entry of scripted) {
        const { fault } = entry;
        const requests = [fault.on ?? defaultRequests[fault.kind]].flat();
        if (spent(entry) || !requests.includes(request)) continue;
        if (fault.appids && !fault.appids.some((appid) => appids.includes(appid))) continue;
        if (entry.passed < (fault.after ?? 0)) entry.passed += 1;
        else if (apply(fault)) entry.used += 1;
      }
      const drawn = drawRandom?.(request, appids);
      if (drawn) apply(drawn);
      return result;
    },
  };
}

const leftOut: LeftOut[] = ["everything", "root", "common", "empty_common", "depots"];
const flags = [undefined, "missing_token", "only_public"] as const;

function randomFault(kind: FaultKind, chance: number): Fault {
  const logoffResults = [2, 3, 6, 20, 34, 48, 84];
  const eresult = logoffResults[Math.floor(chance * logoffResults.length)] ?? 2;
  if (kind === "slow") return { kind, ms: Math.floor(chance * 500) };
  if (kind === "logoff" || kind === "logon_refused") return { kind, eresult };
  if (kind === "force") return { kind, how: "apps" };
  if (kind === "left_out") {
    const drawn = Math.floor(chance * leftOut.length * flags.length);
    const flag = flags[drawn % flags.length];
    return { kind, what: leftOut[Math.floor(drawn / flags.length)] ?? "everything", ...(flag && { flag }) };
  }
  if (kind === "bomb") return { kind, how: "unzips_to_more" };
  if (kind === "answered_with") return { kind, answers: [] };
  return { kind };
}
