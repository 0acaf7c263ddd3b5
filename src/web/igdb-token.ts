import { z } from "zod";
import { ExpectedError, WebError } from "../process/errors.ts";
import type { WebClient } from "./client.ts";

/** Cache of access tokens, shared by processes and kept across restarts: in production a table of the database. */
export interface TokenCache {
  /** A token with at least a minute left; null when there is none. */
  get(name: string): Promise<string | null>;
  put(name: string, token: string, lifetimeSeconds: number): Promise<void>;
}

export interface IgdbToken {
  /**
   * Sends a request with IGDB's authorization headers. After a 401 it gets one new token and sends once more, since the
   * cached token may have been revoked; a second 401 is thrown.
   *
   * @throws {IgdbCredentialsError} when the credentials are missing or refused.
   * @throws {WebError} when Twitch or IGDB cannot be reached or refuses the request.
   */
  authorize<T>(send: (headers: Record<string, string>) => Promise<T>): Promise<T>;
}

export interface IgdbTokenDeps {
  web: WebClient;
  cache: TokenCache;
  clientId: string | null;
  clientSecret: string | null;
  signal: AbortSignal;
}

/**
 * The credentials of the Twitch application are missing or refused. A retry does not help; the message names the
 * settings.
 */
export class IgdbCredentialsError extends ExpectedError {
  override readonly name = "IgdbCredentialsError";
}

const tokenUrl = "https://id.twitch.tv/oauth2/token";
const cacheKey = "igdb";
const tokenReply = z.object({ access_token: z.string().min(1), expires_in: z.number() });

/**
 * App access token of IGDB's API: OAuth 2.0 client credentials grant at Twitch. A token lasts about 57 days, and an
 * application has at most 25 live tokens (one more invalidates the oldest), hence the shared cache. Source: Twitch's
 * documentation, `expires_in` of real replies.
 */
export function createIgdbToken({ web, cache, clientId, clientSecret, signal }: IgdbTokenDeps): IgdbToken {
  async function fetchToken(): Promise<string> {
    if (clientId === null || clientSecret === null) {
      throw new IgdbCredentialsError(
        "IGDB needs the credentials of a Twitch application; set IGDB_CLIENT_ID and IGDB_CLIENT_SECRET (https://dev.twitch.tv/console/apps).",
      );
    }
    const form = { client_id: clientId, client_secret: clientSecret, grant_type: "client_credentials" };
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const body = new URLSearchParams(form).toString();
    const request = { url: tokenUrl, method: "POST", headers, body, signal } as const;
    const reply = await web.json("twitch", request, tokenReply).catch((error: unknown) => {
      if (!(error instanceof WebError) || (error.fault !== "denied" && error.fault !== "refused")) throw error;
      throw new IgdbCredentialsError(
        `Twitch refuses IGDB_CLIENT_ID and IGDB_CLIENT_SECRET (${error.status}); copy both from https://dev.twitch.tv/console/apps.`,
      );
    });
    await cache.put(cacheKey, reply.access_token, reply.expires_in);
    return reply.access_token;
  }

  const headersOf = (token: string) => ({ "client-id": clientId ?? "", authorization: `Bearer ${token}` });

  return {
    async authorize(send) {
      // Read before each request: only the cache knows when the token expires and whether another process renewed it.
      const cached = await cache.get(cacheKey);
      if (cached !== null) {
        try {
          return await send(headersOf(cached));
        } catch (error) {
          if (!(error instanceof WebError) || error.fault !== "denied") throw error;
        }
      }
      return send(headersOf(await fetchToken())).catch((error: unknown) => {
        if (!(error instanceof WebError) || error.fault !== "denied") throw error;
        // Still an error of the request: the application may be new, and IGDB may know it a little later.
        const remedy =
          "IGDB refuses a new token of IGDB_CLIENT_ID; look at the application in https://dev.twitch.tv/console/apps";
        throw new WebError("denied", `${remedy} (${error.message})`, error.status);
      });
    },
  };
}
