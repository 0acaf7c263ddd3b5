import { createClient } from "@supabase/supabase-js";
import type { Logger } from "pino";
import { z } from "zod";
import { ConfigError, DatabaseError } from "../process/errors.ts";
import { checkName } from "./call.ts";
import type { Database } from "./database.ts";
import { defaultTimeoutMs, withinLimits } from "./limits.ts";
import { databaseError, describe, faultOfCode, faultOfStatus } from "./sqlstate.ts";

export interface SupabaseOptions {
  /** `https://<project>.supabase.co`, or where `supabase start` listens. */
  url: string;
  /** The service role's key (a JWT, or `sb_secret_…`). Never logged. */
  serviceKey: string;
  logger: Logger;
  /** What sends the requests; Node's own by default. */
  fetch?: typeof fetch;
}

/** A hosted project ends a statement after 8 s. Silence that lasts longer than this comes from the way there. */
const serverAnswersWithinMs = 10_000;

/**
 * A Supabase project through its REST interface (PostgREST). Nothing is sent yet when it returns, no session is kept and
 * no realtime socket opened.
 *
 * @throws {ConfigError} when the URL cannot be read.
 */
export async function openSupabase(options: SupabaseOptions): Promise<Database> {
  if (!/^https?:$/.test(URL.parse(options.url)?.protocol ?? ""))
    throw new ConfigError("SUPABASE_URL is not a URL of the form https://<project>.supabase.co");
  const { fetch: send = fetch } = options;
  let closed = false;

  const client = createClient(options.url, options.serviceKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    // Refusals are read here: supabase-js drops the HTTP status, and takes an empty 404 of a gateway for success.
    global: {
      fetch: async (input, init) => {
        const response = await send(withColumns(input, init), init);
        if (!response.ok) throw await refusal(response);
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
      const silence = timeoutMs > serverAnswersWithinMs ? "unreachable" : "timeout";
      try {
        return await withinLimits(name, options, silence, async (givenUp) => {
          const { data } = await client.rpc(name, args).abortSignal(givenUp).throwOnError();
          return data;
        });
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (error instanceof Refusal) throw error.classified(name);
        throw databaseError("supabase", name, error);
      }
    },
    async close() {
      // Calls still running end by their own limits and signals; Node's fetch closes idle connections by itself.
      closed = true;
    },
  };
}

const refusalBody = z.object({
  code: z.string().nullish(),
  message: z.string().nullish(),
  details: z.unknown(),
  hint: z.unknown(),
});

/** An answer that is not a success: of PostgREST (with a code) or of a gateway before it (often without). */
class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: string;
  readonly details: unknown;
  readonly hint: unknown;

  constructor(status: number, body: z.infer<typeof refusalBody>) {
    super(body.message || `HTTP ${status}`);
    this.status = status;
    this.code = body.code || String(status);
    this.details = body.details;
    this.hint = body.hint;
  }

  classified(what: string): DatabaseError {
    const fault = faultOfCode(this.code) ?? faultOfStatus(this.status);
    return new DatabaseError(fault, this.code, describe("supabase", what, fault, this.message), { cause: this });
  }
}

/**
 * PostgREST 12 answers 400 with an empty code and no message when its connection to Postgres breaks under a query: no server is left to
 * say more. A SQLSTATE that means it is put in their place.
 */
const brokenConnection = { code: "08006", message: "the connection to Postgres broke" };

async function refusal(response: Response): Promise<Refusal> {
  const text = await response.text();
  try {
    const body = refusalBody.parse(JSON.parse(text));
    return new Refusal(response.status, body.code === "" ? { ...body, ...brokenConnection } : body);
  } catch {
    // A gateway's page, or nothing.
    return new Refusal(response.status, { details: text.slice(0, 500), hint: null });
  }
}

/**
 * Names the argument of a call in its address. PostgREST would otherwise read the whole body once more, only to learn which
 * arguments it holds: a third of its work on a batch.
 */
function withColumns(input: Parameters<typeof fetch>[0], init: RequestInit | undefined): Parameters<typeof fetch>[0] {
  if (typeof input !== "string" || typeof init?.body !== "string" || !init.body.startsWith('{"request":')) return input;
  const url = new URL(input);
  url.searchParams.set("columns", "request");
  return url;
}
