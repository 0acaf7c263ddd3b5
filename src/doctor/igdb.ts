import type { Config } from "../process/config.ts";
import { type Finding, failed, skipped } from "./check.ts";
import { judge } from "./judge.ts";
import { type ProbeRequest, probe } from "./probe.ts";

const names = "IGDB_CLIENT_ID and IGDB_CLIENT_SECRET";
const consoleUrl = "https://dev.twitch.tv/console/apps";
const remedy = `Copy both from ${consoleUrl}.`;
/** Twitch answers 400 for a wrong id and 403 for a wrong secret. */
const atTwitch = { keys: { names, remedy, rejectedBy: [400, 401, 403] }, blame: "other" } as const;
const atIgdb = { keys: { names, remedy, rejectedBy: [401] }, blame: "other" } as const;

/** Gets a token from Twitch, sends one query with it, and revokes it: an application may hold only a few tokens. */
export async function checkIgdb({ library }: Config, limitMs: number): Promise<Finding> {
  const { igdbClientId, igdbClientSecret } = library;
  if (igdbClientId === null || igdbClientSecret === null) {
    return skipped(`IGDB_CLIENT_ID is not set; only the library import needs it. ${consoleUrl} makes one.`);
  }
  const grant = { client_id: igdbClientId, client_secret: igdbClientSecret, grant_type: "client_credentials" };
  const tokenRequest = form("https://id.twitch.tv/oauth2/token", grant);
  const granted = await probe(tokenRequest, limitMs);
  const finding = judge(granted, tokenRequest, atTwitch);
  if (finding.result !== "ok") return finding;
  const token = "text" in granted ? parseToken(granted.text) : null;
  if (token === null)
    return failed("id.twitch.tv granted no token", "other", "The fault is at the other end: try again later.");

  const query: ProbeRequest = {
    url: "https://api.igdb.com/v4/games",
    method: "POST",
    headers: { "client-id": igdbClientId, authorization: `Bearer ${token}`, "content-type": "text/plain" },
    body: "fields id; limit 1;",
  };
  const answer = judge(await probe(query, limitMs), query, atIgdb);
  await probe(form("https://id.twitch.tv/oauth2/revoke", { client_id: igdbClientId, token }), limitMs);
  return answer;
}

function form(url: string, fields: Record<string, string>): ProbeRequest {
  return {
    url,
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  };
}

function parseToken(text: string): string | null {
  try {
    const { access_token } = JSON.parse(text) as { access_token?: unknown };
    return typeof access_token === "string" ? access_token : null;
  } catch {
    return null;
  }
}
