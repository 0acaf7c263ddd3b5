import { createRandom } from "../steam/random.ts";
import type { WebCall } from "./request-log.ts";
import { type Answer, htmlAnswer } from "./web-api.ts";

/** Faults of whole answers strike any request; the others change the content of one kind of request and strike only that kind. */
export type WebFault =
  | "drop"
  | "hang"
  /** A status with an empty body, or with HTML as proxies and walls send it. */
  | { status: 403 | 404 | 429 | 500 | 502 | 503; retryAfter?: string; html?: true }
  /** 200 with HTML. */
  | "html200"
  /** 200 with the first half of the right body. */
  | "truncated"
  /** 200 with an empty body. */
  | "empty200"
  /** `all`: `{}`, as after the last page. */
  | "page_empty"
  /** App list: `{"response":{}}`. */
  | "no_apps"
  /** App list: answers with the page after the requested one. */
  | "missing_page"
  /** App list: `apps` is `[null]`, as Steam sent it on one day. */
  | "null_entry"
  /** App list: announces more, with the `last_appid` of the request. */
  | "no_progress"
  /** App list: announces more, and has no app. */
  | "none_of_more"
  /** `appdetails`: the appid without name and developer, as for unknown apps. */
  | "blank"
  /** App list and `all`: this share of the apps (0 to 1) is missing, the same ones on every page. */
  | { fewer: number };

export interface ScriptedWebFault {
  /** Which requests; default: all that the fault fits. */
  on?: Partial<WebCall> | ((call: WebCall) => boolean);
  /** Strikes this many requests. Default: one; `fewer` for ever. */
  times?: number;
  /** Lets this many matching requests pass first. */
  after?: number;
  fault: WebFault;
}

export interface WebFaults {
  /** Adds a fault; the returned function removes it. The first fault that matches a request strikes it. */
  add(fault: ScriptedWebFault): () => void;
  /**
   * Strikes each request without a scripted fault with probability `rate`. The same seed strikes the same requests in the same way,
   * in any order: a request is identified by its parameters and the number of earlier requests with them.
   */
  random(options: { seed: number; rate: number; faults: WebFault[] }): void;
  /** Removes all faults, random ones too; keeps `struck`. */
  clear(): void;
  /** How often each fault has struck, by {@link faultName}. */
  readonly struck: Readonly<Record<string, number>>;
  /** For the simulation itself. */
  strike(call: WebCall): WebFault | null;
}

/** The word itself, `status_429` or `fewer`. */
export function faultName(fault: WebFault): string {
  if (typeof fault === "string") return fault;
  return "status" in fault ? `status_${fault.status}` : "fewer";
}

const kindsOf: Record<string, string[]> = {
  page_empty: ["all"],
  fewer: ["all", "app_list"],
  no_apps: ["app_list"],
  missing_page: ["app_list"],
  null_entry: ["app_list"],
  no_progress: ["app_list"],
  none_of_more: ["app_list"],
  blank: ["appdetails"],
};

function fits(fault: WebFault, call: WebCall): boolean {
  return kindsOf[faultName(fault)]?.includes(call.kind) ?? true;
}

export function createWebFaults(): WebFaults {
  let scripted: { entry: ScriptedWebFault; passed: number; used: number }[] = [];
  const struck: Record<string, number> = {};
  let draw: ((call: WebCall) => WebFault | null) | null = null;

  function scriptedFault(call: WebCall): WebFault | null {
    for (const state of scripted) {
      const { on, after = 0, fault, times = faultName(fault) === "fewer" ? Number.POSITIVE_INFINITY : 1 } = state.entry;
      if (state.used >= times || !fits(fault, call) || !matches(on, call)) continue;
      if (state.passed < after) {
        state.passed += 1;
        continue;
      }
      state.used += 1;
      return fault;
    }
    return null;
  }

  return {
    struck,
    add(entry) {
      const state = { entry, passed: 0, used: 0 };
      scripted.push(state);
      return () => {
        scripted = scripted.filter((other) => other !== state);
      };
    },
    random({ seed, rate, faults }) {
      const asked = new Map<string, number>();
      draw = (call) => {
        const key = JSON.stringify([call.kind, call.page, call.appid, call.lastAppid]);
        const before = asked.get(key) ?? 0;
        asked.set(key, before + 1);
        const random = createRandom(seed, before, ...Buffer.from(key));
        const fitting = faults.filter((fault) => fits(fault, call));
        return fitting.length > 0 && random.chance(rate) ? random.pick(fitting) : null;
      };
    },
    clear() {
      scripted = [];
      draw = null;
    },
    strike(call) {
      const fault = scriptedFault(call) ?? draw?.(call) ?? null;
      if (fault) struck[faultName(fault)] = (struck[faultName(fault)] ?? 0) + 1;
      return fault;
    },
  };
}

function matches(on: ScriptedWebFault["on"], call: WebCall): boolean {
  if (typeof on === "function") return on(call);
  return Object.entries(on ?? {}).every(([key, value]) => call[key as keyof WebCall] === value);
}

/** The right answer, or the one with a fault of whole answers. */
export function spoil(fault: WebFault | null, right: Answer): Answer {
  if (fault === "drop" || fault === "hang") return fault;
  if (fault === "html200") return htmlAnswer(200, "Checking your browser");
  if (typeof fault === "object" && fault !== null && "status" in fault) return statusAnswer(fault);
  if (typeof right === "string") return right;
  if (fault === "empty200") return { ...right, body: "" };
  if (fault === "truncated") return { ...right, body: right.body.slice(0, Math.floor(right.body.length / 2)) };
  return right;
}

function statusAnswer({ status, retryAfter, html }: Extract<WebFault, { status: number }>): Answer {
  const page = html ? htmlAnswer(status, `Error ${status}`) : { status, headers: {}, body: "" };
  if (typeof page === "string" || retryAfter === undefined) return page;
  return { ...page, headers: { ...page.headers, "retry-after": retryAfter } };
}

/** The list without a share of its members, spread evenly; which ones depends on the list alone. */
export function withoutShare<T>(list: readonly T[], fault: WebFault | null): readonly T[] {
  if (typeof fault !== "object" || fault === null || !("fewer" in fault)) return list;
  return list.filter((_, i) => Math.floor((i + 1) * fault.fewer) === Math.floor(i * fault.fewer));
}
