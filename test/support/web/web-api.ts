/**
 * Simulated web APIs: each is a function from a request to an answer, reached in one of two ways.
 *
 *     const spy = createSimulatedSteamSpy(generateSteamSpy({ seed: 1, games: 2_500 }));
 *     const steam = await startSimulatedSteam({ routes: asRoutes(spy) });   // behind the TLS server of the simulated Steam
 *     const fetch = asFetch(spy, list);                                    // or in this process, for tests on a fake clock
 */
import type { WebRequest, WebRoute } from "../steam/proxy.ts";

export type { WebRequest };

export type Answer =
  | { status: number; headers?: Record<string, string>; body: string }
  /** The connection breaks instead of an answer. */
  | "drop"
  /** The connection stays open without an answer. */
  | "hang";

export interface SimulatedWebApi {
  host: string;
  /** The start of the path. */
  path: string;
  answer(request: WebRequest): Answer | Promise<Answer>;
}

export function jsonAnswer(value: unknown): Answer {
  return textAnswer(JSON.stringify(value));
}

/** JSON that is already text. */
export function textAnswer(body: string): Answer {
  return { status: 200, headers: { "content-type": "application/json; charset=UTF-8" }, body };
}

export function htmlAnswer(status: number, title: string): Answer {
  const body = `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`;
  return { status, headers: { "content-type": "text/html; charset=UTF-8" }, body };
}

/** The APIs as routes of `startSimulatedSteam`, which tries them before Steam's own. */
export function asRoutes(...apis: SimulatedWebApi[]): WebRoute[] {
  return apis.map((api) => ({
    host: api.host,
    path: api.path,
    async handle(request, response) {
      const answer = await api.answer(request);
      if (answer === "hang") return;
      if (answer === "drop") response.destroy();
      else response.writeHead(answer.status, answer.headers).end(answer.body);
    },
  }));
}

/** Promises of `asFetch` that only an abort settles. A driver of the clock does not wait for them. */
export const unanswered = new WeakSet<Promise<unknown>>();

/**
 * A `fetch` that calls the APIs in this process, without sockets and timers. Other hosts and paths are unreachable
 * (`ENOTFOUND`), a dropped connection is `ECONNRESET`, both as undici reports them: a `TypeError` with the system error as its cause.
 */
export function asFetch(...apis: SimulatedWebApi[]): typeof fetch {
  return (input, init) => {
    const promise: Promise<Response> = respond(apis, new Request(input, init), () => unanswered.add(promise));
    return promise;
  };
}

async function respond(apis: SimulatedWebApi[], request: Request, onHang: () => void): Promise<Response> {
  const { method, signal } = request;
  signal.throwIfAborted();
  const url = new URL(request.url);
  const body = await request.text();
  const api = apis.find(({ host, path }) => host === url.hostname && url.pathname.startsWith(path));
  if (!api) throw fetchFailed("ENOTFOUND", `getaddrinfo ENOTFOUND ${url.host}`);

  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const headers = Object.fromEntries(request.headers);
    const answer = await Promise.race([api.answer({ method, url, headers, body }), aborted.promise]);
    if (answer === "drop") throw fetchFailed("ECONNRESET", "read ECONNRESET");
    if (answer !== "hang") return new Response(answer.body, { status: answer.status, headers: answer.headers ?? {} });
    onHang();
    return await aborted.promise;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function fetchFailed(code: string, message: string): TypeError {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code }) });
}
