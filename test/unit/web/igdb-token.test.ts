import { inspect } from "node:util";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { WebError } from "../../../src/process/errors.ts";
import {
  createIgdbToken,
  IgdbCredentialsError,
  type IgdbTokenDeps,
  type TokenCache,
} from "../../../src/web/igdb-token.ts";
import { type FakeClock, startFakeClock } from "../../support/fake-clock.ts";
import { createSimulatedIgdb, type SimulatedIgdb } from "../../support/web/igdb.ts";
import { asFetch } from "../../support/web/web-api.ts";
import { createClient, createLog } from "./harness.ts";

let clock: FakeClock;
let igdb: SimulatedIgdb;
let cached: Map<string, { token: string; seconds: number }>;
let log: ReturnType<typeof createLog>;
beforeEach(() => {
  clock = startFakeClock();
  onTestFinished(clock.restore);
  igdb = createSimulatedIgdb();
  cached = new Map();
  log = createLog();
});

const cache: TokenCache = {
  get: async (name) => cached.get(name)?.token ?? null,
  put: async (name, token, seconds) => void cached.set(name, { token, seconds }),
};

/** The headers of each attempt at a request that gets a 401 for every token but the live ones. */
async function authorize(given: Partial<IgdbTokenDeps> = {}): Promise<Record<string, string>[]> {
  const { clientId, clientSecret } = igdb;
  const web = createClient({ fetch: clock.wrapFetch(asFetch(...igdb.apis)), logger: log.logger });
  const signal = new AbortController().signal;
  const token = createIgdbToken({ web, cache, clientId, clientSecret, signal, ...given });
  const attempts: Record<string, string>[] = [];
  const send = async (headers: Record<string, string>) => {
    attempts.push(headers);
    const bearer = headers.authorization?.replace("Bearer ", "") ?? "";
    if (!igdb.liveTokens().includes(bearer)) throw new WebError("denied", "401", 401);
    return attempts;
  };
  return clock.run(token.authorize(send));
}

async function failure(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => expect.fail("it succeeded"),
    (reason: unknown) => reason as Error,
  );
  const written = [...log.lines, inspect(error, { depth: 10, showHidden: true })].join("\n");
  for (const secret of [igdb.clientSecret, ...igdb.tokens]) expect(written).not.toContain(secret);
  return error;
}

describe("createIgdbToken", () => {
  it("fetches a token, caches it with its lifetime, and uses the cached token from then on", async () => {
    const headers = { "client-id": igdb.clientId, authorization: expect.stringMatching(/^Bearer token001/) };
    expect(await authorize()).toEqual([headers]);
    expect([...cached]).toEqual([["igdb", { token: igdb.tokens[0], seconds: 4_924_800 }]]);
    expect(await authorize()).toEqual([headers]);
    expect(igdb.log.counts).toEqual({ token: 1 });
  });

  it("renews a cached token once after a 401, and caches the new one", async () => {
    await authorize();
    igdb.revoke();
    expect(await authorize()).toHaveLength(2);
    expect(cached.get("igdb")?.token).toBe(igdb.tokens[1]);
    expect(igdb.log.counts).toEqual({ token: 2 });
  });

  it("does not renew a token that was refused although it is new", async () => {
    igdb = createSimulatedIgdb({ tokenSeconds: 0 });
    const message = expect.stringMatching(/^IGDB refuses a new token of IGDB_CLIENT_ID; look at .*\(401\)$/);
    expect(await failure(authorize())).toMatchObject({ name: "WebError", fault: "denied", status: 401, message });
    expect(igdb.log.counts).toEqual({ token: 1 });
  });

  it("rethrows any other error of the request without renewing the token", async () => {
    await cache.put("igdb", "cached", 60);
    const { clientId, clientSecret } = igdb;
    const web = createClient({ fetch: clock.wrapFetch(asFetch(...igdb.apis)) });
    const token = createIgdbToken({ web, cache, clientId, clientSecret, signal: new AbortController().signal });
    const error = new WebError("limited", "429", 429);
    await expect(token.authorize(() => Promise.reject(error))).rejects.toBe(error);
    expect(igdb.tokens).toEqual([]);
  });

  it.each([
    ["secret", 403, { clientSecret: "wrongwrongwrongwrong" }],
    ["id", 400, { clientId: "wrongwrongwrongwrong" }],
  ])("throws IgdbCredentialsError for a wrong client %s, after one request", async (_, status, given) => {
    const error = await failure(authorize(given));
    expect(error).toEqual(
      new IgdbCredentialsError(
        `Twitch refuses IGDB_CLIENT_ID and IGDB_CLIENT_SECRET (${status}); copy both from https://dev.twitch.tv/console/apps.`,
      ),
    );
    expect(log.lines.join("\n")).not.toContain("wrongwrong");
    expect(igdb.log.counts).toEqual({ token: 1 });
  });

  it("throws IgdbCredentialsError when the cached token is revoked and the application is gone", async () => {
    await authorize();
    igdb.revoke();
    expect(await failure(authorize({ clientId: "another-client-0123456789abc" }))).toBeInstanceOf(IgdbCredentialsError);
    expect(igdb.tokens).toHaveLength(1);
  });

  it.each(["clientId", "clientSecret"])("throws IgdbCredentialsError without %s, before any request", async (name) => {
    const error = await failure(authorize({ [name]: null }));
    expect(error).toBeInstanceOf(IgdbCredentialsError);
    expect(error.message).toContain("set IGDB_CLIENT_ID and IGDB_CLIENT_SECRET");
    expect(igdb.log.counts).toEqual({});
  });

  it("retries while Twitch fails", async () => {
    igdb.faults.add({ on: { kind: "token" }, fault: { status: 503 }, times: 2 });
    expect(await authorize()).toHaveLength(1);
    expect(igdb.log.counts).toEqual({ token: 3 });
  });
});
