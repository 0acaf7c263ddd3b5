import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { sendProblem } from "./problem.ts";

/**
 * Rejects requests without the API key on every route of this scope. The key is accepted as a bearer token, in `x-api-key`, or as the
 * password of any user (HTTP Basic), which is what a browser prompts for. Without a configured key the scope is open.
 */
export function requireApiKey(scope: FastifyInstance, apiKey: string | null): void {
  if (apiKey === null) return;
  const expected = digest(apiKey);
  scope.addHook("onRequest", async (request, reply) => {
    const given = keyOf(request);
    if (given !== null && timingSafeEqual(digest(given), expected)) return;
    reply.header("www-authenticate", 'Basic realm="steam-pics-sync", charset="UTF-8"');
    return sendProblem(reply, 401, given === null ? "An API key is required." : "The API key is wrong.");
  });
}

function keyOf({ headers }: FastifyRequest): string | null {
  const [, scheme = "", credentials = ""] = /^(\w+) +(\S+)$/.exec(headers.authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return credentials;
  if (scheme.toLowerCase() === "basic") {
    const text = Buffer.from(credentials, "base64").toString("utf8");
    return text.slice(text.indexOf(":") + 1);
  }
  const header = headers["x-api-key"];
  return typeof header === "string" ? header : null;
}

/** Fixed length for any input, as `timingSafeEqual` requires; the comparison then does not leak the key's length either. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
