import { afterEach, describe, expect, it, vi } from "vitest";
import { runChecks } from "../../../src/doctor/check.ts";
import { servicesChecks } from "../../../src/doctor/services.ts";
import { loadConfig } from "../../../src/process/config.ts";

const at = Date.UTC(2026, 10, 26, 12);
const { signal } = new AbortController();
const servers = '"response" { "serverlist" { "0" { "endpoint" "cmp1:443" } "1" { "endpoint" "cmp2:443" } } }';

interface World {
  /** By host; any other cannot be found. */
  answers?: Record<string, () => Response>;
  clockMs?: number;
  logon?: string | null;
}

const steamAnswers =
  (text: string, date = at) =>
  () =>
    new Response(text, { headers: { date: new Date(date).toUTCString() } });

async function examine({ answers = {}, clockMs = at, logon = null }: World, keys: Record<string, string> | null = {}) {
  const asked: Request[] = [];
  vi.stubGlobal("fetch", async (...args: Parameters<typeof fetch>) => {
    const request = new Request(...args);
    asked.push(request);
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
  const outcomes = await runChecks([{ title: "Services", checks, together: true }], { signal, onOutcome: () => {} });
  return { asked, found: Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome])) };
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

const steam = { "api.steampowered.com": steamAnswers(servers) };

describe("servicesChecks", () => {
  it("asks only what it has keys for", async () => {
    const { asked, found } = await examine({ answers: { ...steam, "steamspy.com": () => new Response("{}") } });
    expect(asked.map(({ url }) => new URL(url).host).sort()).toEqual(["api.steampowered.com", "steamspy.com"]);
    expect(Object.values(found).map(({ name, result }) => [name, result])).toEqual([
      ["Steam servers", "ok"],
      ["Steam logon", "ok"],
      ["clock", "ok"],
      ["Steam Web API", "skipped"],
      ["SteamSpy", "ok"],
      ["IGDB", "skipped"],
      ["S3 bucket", "skipped"],
    ]);
    expect(found["Steam servers"]?.summary).toBe("api.steampowered.com names 2 servers");
  });

  it("knows no keys of a configuration that cannot be used", async () => {
    const { found } = await examine({ answers: steam }, null);
    for (const name of ["Steam Web API", "IGDB", "S3 bucket"]) {
      expect(found[name]).toMatchObject({ result: "skipped", summary: "The configuration cannot be used." });
    }
    expect(found["Steam servers"]).toMatchObject({ result: "ok" });
  });

  it.each([
    [0, "ok", "this clock agrees with Steam's"],
    [-45_000, "ok", "this clock is 45 s behind Steam's"],
    [61_000, "warning", "this clock is 1 min 01 s ahead of Steam's"],
    [-86_400_000, "warning", "this clock is 24 h 00 min behind Steam's"],
  ])("compares a clock that is %i ms off with Steam's", async (offMs, result, summary) => {
    const { found } = await examine({ answers: steam, clockMs: at + offMs });
    expect(found.clock).toMatchObject({ result, summary });
  });

  it.each([
    ["nobody is there", {}, "api.steampowered.com cannot be reached: its name is unknown (DNS) (ENOTFOUND)"],
    [
      "it names none",
      { "api.steampowered.com": steamAnswers("{}") },
      "api.steampowered.com answers and names no server",
    ],
    [
      "it blocks",
      { "api.steampowered.com": () => new Response("", { status: 403 }) },
      "api.steampowered.com answers 403: it refuses this address",
    ],
    [
      "it is ill",
      { "api.steampowered.com": () => new Response("", { status: 502 }) },
      "api.steampowered.com answers 502",
    ],
    [
      "the proxy asks",
      { "api.steampowered.com": () => new Response("", { status: 407 }) },
      "the proxy asks for a user and a password (407)",
    ],
  ])("blames the way to Steam's servers when %s", async (_name, answers, summary) => {
    const { found } = await examine({ answers, logon: "no logon within 20 s: ECONNREFUSED" });
    expect(found["Steam servers"]).toMatchObject({ result: "failed", blame: "unreachable", summary });
    expect(found["Steam logon"]).toMatchObject({
      result: "failed",
      blame: "unreachable",
      summary: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("takes SteamSpy's refusal for less than a failure, since only the collector asks it", async () => {
    const { found } = await examine({ answers: { ...steam, "steamspy.com": () => new Response("", { status: 403 }) } });
    expect(found.SteamSpy).toMatchObject({
      result: "warning",
      blame: null,
      summary: "steamspy.com answers 403: it refuses this address; `collect` needs it, nothing else does",
    });
  });

  it("sends keys where they belong, and blames the configuration when they are refused", async () => {
    const keys = { STEAM_API_KEY: "STEAM-KEY", IGDB_CLIENT_ID: "client", IGDB_CLIENT_SECRET: "client-secret" };
    const answers = {
      ...steam,
      "id.twitch.tv": () => Response.json({ access_token: "token", expires_in: 60 }),
      "api.igdb.com": () => Response.json([{ id: 1 }]),
    };
    const { asked, found } = await examine({ answers }, keys);
    expect(found["Steam Web API"]).toMatchObject({ result: "ok" });
    expect(found.IGDB).toMatchObject({ result: "ok", summary: expect.stringMatching(/^api\.igdb\.com answers/) });
    expect(asked.map(({ url }) => url).join("\n")).not.toContain("STEAM-KEY");
    // The token is given back: an application may hold few.
    expect(asked.at(-1)?.url).toBe("https://id.twitch.tv/oauth2/revoke");
    expect(await asked.at(-1)?.text()).toBe("client_id=client&token=token");

    const invalid = { ...answers, "id.twitch.tv": () => Response.json({ message: "invalid client" }, { status: 400 }) };
    expect((await examine({ answers: invalid }, keys)).found.IGDB).toMatchObject({
      result: "failed",
      blame: "configuration",
      summary: "id.twitch.tv refuses IGDB_CLIENT_ID and IGDB_CLIENT_SECRET (400)",
    });
    const odd = { ...answers, "id.twitch.tv": () => new Response("<html>") };
    expect((await examine({ answers: odd }, keys)).found.IGDB).toMatchObject({ result: "failed", blame: "other" });
  });
});
