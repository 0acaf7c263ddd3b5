import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { sendProblem } from "./problem.ts";

/**
 * Asks for the key on every route of this scope: as a bearer token, in `x-api-key`, or as the password of any user, which is how
 * browsers ask people. No key, no question.
 */
export function guard(scope: FastifyInstance, apiKey: string | null): void {
  if (apiKey === null) return;
  const expected = digest(apiKey);
  scope.addHook("onRequest", async (request, reply) => {
    const given = keyOf(request);
    if (given !== null && timingSafeEqual(digest(given), expected)) return;
    reply.header("www-authenticate", 'Basic realm="steam-pics-sync", charset="UTF-8"');
    const detail = given === null ? "This needs the service's API key." : "This is not the service's API key.";
    return sendProblem(reply, 401, detail);
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

/** Of equal length whatever it is of, so that comparing tells nothing. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
