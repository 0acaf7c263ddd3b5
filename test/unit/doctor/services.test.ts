import { afterEach, describe, expect, it, vi } from "vitest";
import { runChecks } from "../../../src/doctor/check.ts";
import { servicesChecks } from "../../../src/doctor/services.ts";
import { loadConfig } from "../../../src/process/config.ts";
import { freePort } from "../../support/free-port.ts";

const at = Date.UTC(2026, 10, 26, 12);
const { signal } = new AbortController();
const servers = '"response" { "serverlist" { "0" { "endpoint" "cmp1:443" } "1" { "endpoint" "cmp2:443" } } }';

interface Setup {
  /** By host; any other host is not found. */
  answers?: Record<string, (request: Request) => Response>;
  clockMs?: number;
  /** Null for a logon that succeeds. Absent: it never ends, until it is said to be hopeless. */
  logon?: string | null;
  proxyUrl?: string;
}

const steamAnswers =
  (text: string, date = at) =>
  () =>
    new Response(text, { headers: { date: new Date(date).toUTCString() } });

/** The directory answers; a request with a key gets this status. */
const steamOrKeyed = (status: number) => (request: Request) =>
  request.headers.has("x-webapi-key") ? new Response("", { status }) : steamAnswers(servers)();

async function examine(
  { answers = {}, clockMs = at, logon, proxyUrl = "" }: Setup,
  keys: Record<string, string> | null = {},
) {
  const requests: Request[] = [];
  vi.stubGlobal("fetch", async (...args: Parameters<typeof fetch>) => {
    const request = new Request(...args);
    requests.push(request);
    const answer = answers[new URL(request.url).host];
    if (!answer) throw new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ENOTFOUND" }) });
    return answer(request);
  });
  vi.stubEnv("HTTPS_PROXY", "");
  vi.stubEnv("https_proxy", "");
  const logOnToSteam = async (hopeless: AbortSignal) => {
    if (logon !== undefined) return logon;
    await new Promise((resolve) => hopeless.addEventListener("abort", resolve, { once: true }));
    return "no logon in time";
  };
  const checks = servicesChecks({
    config: keys && loadConfig(keys),
    proxyUrl,
    limitMs: 1_000,
    logOnToSteam,
    now: () => clockMs,
  });
  const outcomes = await runChecks([{ title: "Services", checks, concurrent: true }], { signal, onOutcome: () => {} });
  return { requests, found: Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome])) };
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

const steam = { "api.steampowered.com": steamAnswers(servers) };
const blocked = (cause: string) => ({ result: "skipped", cause, blame: null, remedy: null });

describe("servicesChecks", () => {
  it("requests only services that need no key or have one", async () => {
    const { requests, found } = await examine({
      answers: { ...steam, "steamspy.com": () => new Response("{}") },
      logon: null,
    });
    expect(requests.map(({ url }) => new URL(url).host).sort()).toEqual(["api.steampowered.com", "steamspy.com"]);
    expect(Object.values(found).map(({ name, result }) => [name, result])).toEqual([
      ["Steam servers", "ok"],
      ["Steam logon", "ok"],
      ["clock", "ok"],
      ["Steam Web API", "skipped"],
      ["SteamSpy", "ok"],
      ["IGDB", "skipped"],
      ["S3 bucket", "skipped"],
    ]);
    expect(found["Steam servers"]?.summary).toBe("api.steampowered.com lists 2 servers");
    expect(found["Steam Web API"]?.summary).toContain("https://steamcommunity.com/dev/apikey makes one");
    expect(found.IGDB?.summary).toContain("https://dev.twitch.tv/console/apps makes one");
  });

  it("skips checks that need keys when the configuration is invalid", async () => {
    const { found } = await examine({ answers: steam, logon: null }, null);
    for (const name of ["Steam Web API", "IGDB", "S3 bucket"]) {
      expect(found[name]).toMatchObject(blocked("the configuration is invalid"));
    }
    expect(found["Steam servers"]).toMatchObject({ result: "ok" });
  });

  it.each([
    [0, "ok", "this clock agrees with Steam's"],
    [-45_000, "ok", "this clock is 45 s behind Steam's"],
    [61_000, "warning", "this clock is 1 min 01 s ahead of Steam's"],
    [-86_400_000, "warning", "this clock is 24 h 00 min behind Steam's"],
  ])("compares a clock that is off by %i ms with Steam's", async (offMs, result, summary) => {
    const { found } = await examine({ answers: steam, clockMs: at + offMs, logon: null });
    expect(found.clock).toMatchObject({ result, summary });
  });

  it.each([
    ["the host is not found", {}, "api.steampowered.com is unreachable: host name not found (DNS) (ENOTFOUND)"],
    ["it lists no server", { "api.steampowered.com": steamAnswers("{}") }, "api.steampowered.com lists no server"],
    [
      "it blocks this address",
      { "api.steampowered.com": () => new Response("", { status: 403 }) },
      "api.steampowered.com answered 403: it blocks this address",
    ],
    [
      "it answers 502",
      { "api.steampowered.com": () => new Response("", { status: 502 }) },
      "api.steampowered.com answered 502",
    ],
    [
      "the proxy requires authentication",
      { "api.steampowered.com": () => new Response("", { status: 407 }) },
      "the proxy requires a user and password (407)",
    ],
  ])("reports Steam's servers as unreachable when %s, and waits for no logon", async (_name, answers, summary) => {
    const { found } = await examine({ answers });
    const remedy = expect.stringMatching(/^[A-Z].*\.$/);
    expect(found["Steam servers"]).toMatchObject({ result: "failed", blame: "unreachable", summary, remedy });
    expect(found["Steam logon"]).toMatchObject(blocked("Steam cannot be reached"));
  });

  it("names one cause where nothing can be reached", async () => {
    const { found } = await examine({}, { STEAM_API_KEY: "STEAM-KEY" });
    for (const name of ["Steam logon", "clock", "Steam Web API"]) {
      expect(found[name]).toMatchObject(blocked("Steam cannot be reached"));
    }
    expect(found.SteamSpy).toMatchObject(blocked("it fails as Steam does"));
  });

  it("reports a logon that fails although the servers are listed", async () => {
    const { found } = await examine({ answers: steam, logon: "no logon within 20 s: EResult 84" });
    expect(found["Steam logon"]).toMatchObject({
      result: "failed",
      blame: "unreachable",
      summary: "no logon within 20 s: EResult 84",
      remedy: expect.stringContaining("the service waits for it"),
    });
  });

  it("sends no request where the proxy accepts no connection", async () => {
    const port = await freePort();
    const { found, requests } = await examine({ answers: steam, proxyUrl: `http://me:hunter22@127.0.0.1:${port}` });
    expect(found.proxy).toMatchObject({
      result: "failed",
      blame: "unreachable",
      summary: `the proxy http://127.0.0.1:${port}: connection refused (ECONNREFUSED)`,
      remedy: expect.stringContaining("HTTPS_PROXY"),
    });
    for (const name of ["Steam servers", "Steam logon", "clock", "Steam Web API", "SteamSpy", "IGDB"]) {
      expect(found[name]).toMatchObject(blocked("the proxy cannot be reached"));
    }
    expect(requests).toEqual([]);
  });

  it.each([
    [401, "configuration", /^api\.steampowered\.com answered 401: it rejects STEAM_API_KEY$/],
    [
      403,
      "other",
      /^api\.steampowered\.com answered 403: it rejects STEAM_API_KEY, or it blocks this address,.*\(429\)$/,
    ],
    [429, "other", /^api\.steampowered\.com answered 429: too many requests/],
  ])("says of a %i with a key only what is certain", async (status, blame, summary) => {
    const answers = { ...steam, "api.steampowered.com": steamOrKeyed(status) };
    const { found } = await examine({ answers, logon: null }, { STEAM_API_KEY: "STEAM-KEY" });
    expect(found["Steam Web API"]).toMatchObject({ result: "failed", blame, summary: expect.stringMatching(summary) });
  });

  it("only warns when SteamSpy fails, which only the collector needs", async () => {
    const { found } = await examine({
      answers: { ...steam, "steamspy.com": () => new Response("", { status: 403 }) },
      logon: null,
    });
    expect(found.SteamSpy).toMatchObject({
      result: "warning",
      blame: null,
      summary: "steamspy.com answered 403: it blocks this address; only `collect` needs it",
    });
  });

  it("sends keys in headers, revokes the token, and blames the configuration for rejected keys", async () => {
    const keys = { STEAM_API_KEY: "STEAM-KEY", IGDB_CLIENT_ID: "client", IGDB_CLIENT_SECRET: "client-secret" };
    const answers = {
      ...steam,
      "id.twitch.tv": () => Response.json({ access_token: "token", expires_in: 60 }),
      "api.igdb.com": () => Response.json([{ id: 1 }]),
    };
    const { requests, found } = await examine({ answers, logon: null }, keys);
    expect(found["Steam Web API"]).toMatchObject({ result: "ok" });
    expect(found.IGDB).toMatchObject({ result: "ok", summary: expect.stringMatching(/^api\.igdb\.com answered/) });
    expect(requests.map(({ url }) => url).join("\n")).not.toContain("STEAM-KEY");
    // The token is revoked: an application may hold only a few.
    expect(requests.at(-1)?.url).toBe("https://id.twitch.tv/oauth2/revoke");
    expect(await requests.at(-1)?.text()).toBe("client_id=client&token=token");

    const invalid = { ...answers, "id.twitch.tv": () => Response.json({ message: "invalid client" }, { status: 400 }) };
    expect((await examine({ answers: invalid, logon: null }, keys)).found.IGDB).toMatchObject({
      result: "failed",
      blame: "configuration",
      summary: "id.twitch.tv answered 400: it rejects IGDB_CLIENT_ID and IGDB_CLIENT_SECRET",
      remedy: "Copy both from https://dev.twitch.tv/console/apps.",
    });
    const odd = { ...answers, "id.twitch.tv": () => new Response("<html>") };
    expect((await examine({ answers: odd, logon: null }, keys)).found.IGDB).toMatchObject({
      result: "failed",
      blame: "other",
    });
  });
});
