import { afterEach, describe, expect, it, vi } from "vitest";
import { runChecks } from "../../../src/doctor/check.ts";
import { servicesChecks } from "../../../src/doctor/services.ts";
import { loadConfig } from "../../../src/process/config.ts";

const at = Date.UTC(2026, 10, 26, 12);
const { signal } = new AbortController();
const servers = '"response" { "serverlist" { "0" { "endpoint" "cmp1:443" } "1" { "endpoint" "cmp2:443" } } }';

interface Setup {
  /** By host; any other host is not found. */
  answers?: Record<string, () => Response>;
  clockMs?: number;
  logon?: string | null;
}

const steamAnswers =
  (text: string, date = at) =>
  () =>
    new Response(text, { headers: { date: new Date(date).toUTCString() } });

async function examine({ answers = {}, clockMs = at, logon = null }: Setup, keys: Record<string, string> | null = {}) {
  const requests: Request[] = [];
  vi.stubGlobal("fetch", async (...args: Parameters<typeof fetch>) => {
    const request = new Request(...args);
    requests.push(request);
    const answer = answers[new URL(request.url).host];
    if (!answer) throw new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ENOTFOUND" }) });
    return answer();
  });
  vi.stubEnv("HTTPS_PROXY", "");
  vi.stubEnv("https_proxy", "");
  const checks = servicesChecks({
    config: keys && loadConfig(keys),
    limitMs: 1_000,
    logOnToSteam: async () => logon,
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

describe("servicesChecks", () => {
  it("requests only services that need no key or have one", async () => {
    const { requests, found } = await examine({ answers: { ...steam, "steamspy.com": () => new Response("{}") } });
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
  });

  it("skips checks that need keys when the configuration is invalid", async () => {
    const { found } = await examine({ answers: steam }, null);
    for (const name of ["Steam Web API", "IGDB", "S3 bucket"]) {
      expect(found[name]).toMatchObject({ result: "skipped", summary: "The configuration is invalid." });
    }
    expect(found["Steam servers"]).toMatchObject({ result: "ok" });
  });

  it.each([
    [0, "ok", "this clock agrees with Steam's"],
    [-45_000, "ok", "this clock is 45 s behind Steam's"],
    [61_000, "warning", "this clock is 1 min 01 s ahead of Steam's"],
    [-86_400_000, "warning", "this clock is 24 h 00 min behind Steam's"],
  ])("compares a clock that is off by %i ms with Steam's", async (offMs, result, summary) => {
    const { found } = await examine({ answers: steam, clockMs: at + offMs });
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
  ])("reports Steam's servers as unreachable when %s", async (_name, answers, summary) => {
    const { found } = await examine({ answers, logon: "no logon within 20 s: ECONNREFUSED" });
    expect(found["Steam servers"]).toMatchObject({ result: "failed", blame: "unreachable", summary });
    expect(found["Steam logon"]).toMatchObject({
      result: "failed",
      blame: "unreachable",
      summary: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("only warns when SteamSpy fails, which only the collector needs", async () => {
    const { found } = await examine({ answers: { ...steam, "steamspy.com": () => new Response("", { status: 403 }) } });
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
    const { requests, found } = await examine({ answers }, keys);
    expect(found["Steam Web API"]).toMatchObject({ result: "ok" });
    expect(found.IGDB).toMatchObject({ result: "ok", summary: expect.stringMatching(/^api\.igdb\.com answered/) });
    expect(requests.map(({ url }) => url).join("\n")).not.toContain("STEAM-KEY");
    // The token is revoked: an application may hold only a few.
    expect(requests.at(-1)?.url).toBe("https://id.twitch.tv/oauth2/revoke");
    expect(await requests.at(-1)?.text()).toBe("client_id=client&token=token");

    const invalid = { ...answers, "id.twitch.tv": () => Response.json({ message: "invalid client" }, { status: 400 }) };
    expect((await examine({ answers: invalid }, keys)).found.IGDB).toMatchObject({
      result: "failed",
      blame: "configuration",
      summary: "id.twitch.tv rejects IGDB_CLIENT_ID and IGDB_CLIENT_SECRET (400)",
    });
    const odd = { ...answers, "id.twitch.tv": () => new Response("<html>") };
    expect((await examine({ answers: odd }, keys)).found.IGDB).toMatchObject({ result: "failed", blame: "other" });
  });
});
