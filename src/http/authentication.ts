import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Logger } from "../process/logger.ts";
import { clientAddress } from "./client-address.ts";
import { sendProblem } from "./problem.ts";
import { createWrongKeyLimit } from "./wrong-keys.ts";

/**
 * Authentication by the one API key of the service. The key is accepted as a bearer token, in `x-api-key`, or as the password of any user
 * (HTTP Basic), which is what a browser prompts for. Without a configured key everything is open.
 */
export interface ApiKeyGuard {
  /**
   * Rejects requests without the key on every route of the scope: 401, and 429 for wrong keys beyond the limit of the client's address. The
   * right key always passes, so that another client behind the same address cannot lock its owner out.
   */
  protect(scope: FastifyInstance): void;
  /** For routes that are open and reply with less without the key. A wrong key counts against the limit here, too. */
  isAuthorized(request: FastifyRequest): boolean;
}

export interface ApiKeyGuardOptions {
  apiKey: string | null;
  logger: Logger;
  onWrongKey: () => void;
  /** Milliseconds since 1970. */
  now?: () => number;
}

type Verdict = "authorized" | "missing" | "wrong" | { retryAfterSeconds: number };

export function createApiKeyGuard({ apiKey, logger, onWrongKey, now = Date.now }: ApiKeyGuardOptions): ApiKeyGuard {
  const expected = apiKey === null ? null : digest(apiKey);
  const limit = createWrongKeyLimit({ logger, now });

  function judge(request: FastifyRequest): Verdict {
    const given = keyOf(request);
    if (given === null) return "missing";
    if (expected === null || timingSafeEqual(digest(given), expected)) return "authorized";
    onWrongKey();
    const retryAfterSeconds = limit.count(clientAddress(request.ip));
    return retryAfterSeconds === null ? "wrong" : { retryAfterSeconds };
  }

  return {
    protect(scope) {
      if (expected === null) return;
      scope.addHook("onRequest", async (request, reply) => {
        const verdict = judge(request);
        if (verdict === "authorized") return;
        if (typeof verdict === "object") {
          reply.header("retry-after", String(verdict.retryAfterSeconds));
          return sendProblem(reply, 429, "Too many wrong API keys from this address.");
        }
        reply.header("www-authenticate", 'Basic realm="steam-pics-sync", charset="UTF-8"');
        return sendProblem(reply, 401, verdict === "missing" ? "An API key is required." : "The API key is wrong.");
      });
    },
    isAuthorized: (request) => expected === null || judge(request) === "authorized",
  };
}

/** The key that a request carries; null without one. */
function keyOf({ headers }: FastifyRequest): string | null {
  const [, scheme = "", credentials = ""] = /^(\w+) +(\S+)$/.exec(headers.authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return credentials;
  if (scheme.toLowerCase() === "basic") {
    const text = Buffer.from(credentials, "base64").toString("utf8");
    return text.slice(text.indexOf(":") + 1) || null;
  }
  const header = headers["x-api-key"];
  return typeof header === "string" && header !== "" ? header : null;
}

/** Fixed length for any input, as `timingSafeEqual` requires; the comparison then does not leak the key's length either. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
