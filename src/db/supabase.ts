import { createClient } from "@supabase/supabase-js";
import type { Logger } from "pino";
import { z } from "zod";
import { ConfigError, DatabaseError } from "../process/errors.ts";
import { createRedactor, type Redact } from "../process/redactor.ts";
import { sleep } from "../process/time.ts";
import { checkName } from "./call.ts";
import type { Database } from "./database.ts";
import { errorMessage, faultOfStatus, findErrorCode, remedyOf, toDatabaseError } from "./sqlstate.ts";
import { defaultTimeoutMs, withTimeout } from "./timeout.ts";

export interface SupabaseOptions {
  /** `https://<project>.supabase.co`, or the URL that `supabase start` prints. */
  url: string;
  /** Key of the service role (a JWT, or `sb_secret_…`). Never logged. */
  serviceKey: string;
  logger: Logger;
  /** Replaces Node's fetch. */
  fetch?: typeof fetch;
  /** Wait for a schema cache that does not have a function yet, default 5 s. */
  schemaCacheWaitMs?: number;
}

/**
 * A hosted project cancels a statement after 8 s, so no answer within this time means that the project is unreachable.
 */
const maxAnswerMs = 10_000;
/** PostgREST reloads its schema cache within a second or two after a migration. */
const defaultSchemaCacheWaitMs = 5_000;
const schemaCachePollMs = 250;

/**
 * Transport to a Supabase project through its REST interface (PostgREST). Sends no request until the first call, keeps
 * no session and opens no realtime socket.
 *
 * @throws {ConfigError} when the URL cannot be parsed.
 */
export async function openSupabase(options: SupabaseOptions): Promise<Database> {
  if (!/^https?:$/.test(URL.parse(options.url)?.protocol ?? ""))
    throw new ConfigError("SUPABASE_URL is not a URL of the form https://<project>.supabase.co");
  // fetch would reject it at each call, with the key in its message.
  if (!/^[\x21-\x7e]+$/.test(options.serviceKey))
    throw new ConfigError("SUPABASE_SERVICE_KEY has a character that no key has, such as a line break or a space");
  const { fetch: send = fetch } = options;
  const redact = createRedactor([options.serviceKey]);
  const schemaCache = watchSchemaCache(options.schemaCacheWaitMs ?? defaultSchemaCacheWaitMs);
  let closed = false;

  const client = createClient(options.url, options.serviceKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    // Errors are read here, since supabase-js drops the HTTP status and takes an empty 404 from a gateway for success.
    global: {
      fetch: async (input, init) => {
        // A redirect would carry the header `apikey` to another host: fetch removes only `authorization`.
        const response = await send(withColumns(input, init), { ...init, redirect: "manual" });
        if (response.status >= 300 && response.status < 400) throw redirected(response, redact);
        if (!response.ok) throw await restErrorOf(response, redact);
        return response;
      },
    },
  });

  return {
    driver: "supabase",
    async rpc(name, args = {}, options = {}) {
      for (const key of [name, ...Object.keys(args)]) checkName(key);
      if (closed) throw new DatabaseError("fatal", "closed", `${name}: the connection to Supabase is closed`);
      const { timeoutMs = defaultTimeoutMs, signal } = options;
      const timeoutFault = timeoutMs > maxAnswerMs ? "unreachable" : "timeout";
      const call = () =>
        withTimeout(name, options, timeoutFault, async (signal) => {
          const { data } = await client.rpc(name, args).abortSignal(signal).throwOnError();
          return data;
        });
      try {
        return await schemaCache.repeatWhileStale(call, signal);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw withoutSecrets(toError(name, error), redact);
      }
    },
    async close() {
      // Running calls end by their own time limits and signals. Node's fetch closes idle connections by itself.
      closed = true;
    },
  };
}

function toError(name: string, error: unknown): DatabaseError {
  if (error instanceof RestError) return fromRestError(name, error);
  // Node's fetch gives what failed in the network as the cause of a TypeError.
  const isNetwork = error instanceof TypeError && error.cause !== undefined;
  return toDatabaseError("supabase", name, error, { atConnection: isNetwork });
}

/** The message is logged, stored and served. That of a parser repeats what it cannot read, and a gateway the request's headers. */
function withoutSecrets(error: DatabaseError, redact: Redact): DatabaseError {
  error.message = shortened(redact(error.message), maxMessage);
  return error;
}

/**
 * PostgREST answers from a cache of the schema. Right after a migration it does not have the new functions, which looks like a schema that is
 * missing. Calls are therefore repeated for a while, once until a call succeeds again: a schema that is missing costs the wait only once.
 */
function watchSchemaCache(waitMs: number) {
  let deadline: number | null = null;
  return {
    async repeatWhileStale<T>(call: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
      for (;;) {
        try {
          const result = await call();
          deadline = null;
          return result;
        } catch (error) {
          if (!(error instanceof RestError) || !staleCacheCodes.includes(error.code)) throw error;
          deadline ??= performance.now() + waitMs;
          if (performance.now() >= deadline) throw error;
          await sleep(schemaCachePollMs, signal);
        }
      }
    },
  };
}

/** A function or a table that the schema cache does not have. */
const staleCacheCodes = ["PGRST202", "PGRST205"];

const errorBody = z.object({
  code: z.string().nullish(),
  message: z.string().nullish(),
  details: z.unknown().optional(),
  hint: z.unknown().optional(),
});

/** An HTTP error: from PostgREST (with a code) or from a gateway in front of it (often without). */
class RestError extends Error {
  override readonly name = "RestError";
  readonly status: number;
  readonly code: string;
  readonly details: unknown;
  readonly hint: unknown;

  constructor(status: number, body: z.infer<typeof errorBody>) {
    super(body.message || `HTTP ${status}`);
    this.status = status;
    this.code = body.code || String(status);
    this.details = body.details;
    this.hint = body.hint;
  }
}

function fromRestError(what: string, error: RestError): DatabaseError {
  const { code, status, message } = error;
  const row = findErrorCode(code, message);
  const fault = row?.fault ?? faultOfStatus(status);
  const text = errorMessage("supabase", what, fault, message, remedyOf(row, "supabase"));
  // A rejected key or a wrong address concerns every call; a privilege that is missing, only this one.
  const atConnection = (fault === "denied" && code !== "42501") || fault === "misconfigured";
  return new DatabaseError(fault, code, text, { cause: error, atConnection });
}

/**
 * Replaces the empty code and message of PostgREST 12 (status 400) when its connection to Postgres breaks during a
 * query. 08006 is the SQLSTATE of a connection failure.
 */
const brokenConnection = { code: "08006", message: "the connection to Postgres broke" };

/** Nothing at another address is trusted with the key, not even of the same host: `http` becomes `https` by the operator's hand. */
function redirected({ status, headers }: Response, redact: Redact): RestError {
  const target = URL.parse(headers.get("location") ?? "");
  const where = target ? redact(target.origin) : "another address";
  return new RestError(status, { code: "redirect", message: `HTTP ${status}: SUPABASE_URL redirects to ${where}` });
}

async function restErrorOf(response: Response, redact: Redact): Promise<RestError> {
  // What it says is logged and served at /status. A gateway may repeat the key.
  const text = redact(await response.text());
  const given = errorBody.safeParse(parseJson(text)).data;
  // Metrics are labelled with the code.
  const body = given?.code && !/^\w{1,20}$/.test(given.code) ? { ...given, code: null } : given;
  if (body?.code === "") return new RestError(response.status, { ...body, ...brokenConnection });
  if (body?.code && body.message) return new RestError(response.status, body);
  const words = gatewayWords(text);
  const message = words === "" ? `HTTP ${response.status}` : `HTTP ${response.status}: ${words}`;
  return new RestError(response.status, { ...body, message, details: text.slice(0, 500), hint: null });
}

const maxWords = 300;
/** A gateway's page that comes with status 200 is the message of an error as a whole. */
const maxMessage = 1_000;

/** What a gateway says in its body, as one short line: the message of a JSON object, or the text of an HTML page. */
function gatewayWords(text: string): string {
  const { message, msg, error_description, error, hint } = wordsBody.safeParse(parseJson(text)).data ?? {};
  const said = message ?? msg ?? error_description ?? (typeof error === "object" ? error.message : error);
  const words = said === undefined ? textOfHtml(text) : [said, hint].filter(Boolean).join("; ");
  const line = words.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return shortened(line, maxWords);
}

function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

const words = z.string().optional().catch(undefined);
const wordsBody = z.object({
  message: words,
  msg: words,
  error_description: words,
  error: z
    .union([z.string(), z.object({ message: z.string() })])
    .optional()
    .catch(undefined),
  hint: words,
});

function textOfHtml(text: string): string {
  return text.replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>?/g, " ");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Adds `columns=request` to the URL of a call with the one argument `request`. PostgREST would otherwise parse the
 * whole body a second time to find the names of the arguments, which is a third of its work on a batch.
 */
function withColumns(input: Parameters<typeof fetch>[0], init: RequestInit | undefined): Parameters<typeof fetch>[0] {
  if (typeof input !== "string" || typeof init?.body !== "string" || !init.body.startsWith('{"request":')) return input;
  const url = new URL(input);
  url.searchParams.set("columns", "request");
  return url;
}
