import { getProxyForUrl } from "proxy-from-env";
import type { Config } from "../process/config.ts";
import { formatDuration } from "../terminal/format.ts";
import { type Check, type Finding, failed, ok, skipped, warning } from "./check.ts";
import { causeOf, type Probed, type ProbeRequest, probe } from "./probe.ts";

/** Whether every outside service can be reached and takes the keys that there are. */

export interface ServicesOptions {
  /** Null when it cannot be used: then nobody knows the keys. */
  config: Config | null;
  /** Of one request. */
  limitMs: number;
  /** Null once logged on, else why not. */
  logOnToSteam: () => Promise<string | null>;
  now: () => number;
}

const directory: ProbeRequest = {
  url: "https://api.steampowered.com/ISteamDirectory/GetCMListForConnect/v0001/?format=vdf&cmtype=websockets",
};
const steamSpy: ProbeRequest = { url: "https://steamspy.com/api.php?request=appdetails&appid=620" };
const appListUrl = "https://api.steampowered.com/IStoreService/GetAppList/v1/?max_results=1";
const maxClockErrorMs = 60_000;

export function servicesChecks(options: ServicesOptions): Check[] {
  const { config, limitMs, now } = options;
  let asked: Promise<{ probed: Probed; at: number }> | null = null;
  const servers = () => {
    asked ??= probe(directory, limitMs).then((probed) => ({ probed, at: now() }));
    return asked;
  };
  /** A check that needs keys. */
  const keyed = (name: string, run: (config: Config) => Promise<Finding>): Check => ({
    name,
    run: async () => (config === null ? skipped("The configuration cannot be used.") : await run(config)),
  });

  return [
    {
      name: "Steam servers",
      async run() {
        const { probed } = await servers();
        const count = "text" in probed ? probed.text.split('"endpoint"').length - 1 : 0;
        const found = judge(probed, directory, { forbidden: "blocked", blame: "unreachable" });
        if (found.result !== "ok") return found;
        return count > 0
          ? ok(`api.steampowered.com names ${count} servers`)
          : failed("api.steampowered.com answers and names no server", "unreachable");
      },
    },
    {
      name: "Steam logon",
      async run() {
        const why = await options.logOnToSteam();
        return why === null ? ok("an anonymous session is logged on") : failed(why, "unreachable");
      },
    },
    {
      name: "clock",
      run: async () => clock(await servers()),
    },
    keyed("Steam Web API", async ({ steamApiKey }) => {
      if (steamApiKey === null) return skipped("STEAM_API_KEY is not set; the sync needs none.");
      const request = { url: appListUrl, headers: { "x-webapi-key": steamApiKey } };
      return judge(await probe(request, limitMs), request, { forbidden: "STEAM_API_KEY", blame: "other" });
    }),
    {
      name: "SteamSpy",
      async run() {
        const found = judge(await probe(steamSpy, limitMs), steamSpy, { forbidden: "blocked", blame: "other" });
        // Only the collector asks it.
        return found.result === "failed" ? warning(`${found.summary}; \`collect\` needs it, nothing else does`) : found;
      },
    },
    keyed("IGDB", (settings) => igdb(settings, limitMs)),
    keyed("S3 bucket", (settings) => bucket(settings, limitMs)),
  ];
}

interface Rules {
  /** What a 401 or 403 says: this address is blocked, or the key in that variable is refused. */
  forbidden: string;
  blame: "unreachable" | "other";
}

/** What an answer, or none, means. */
function judge(probed: Probed, { url }: ProbeRequest, { forbidden, blame }: Rules): Finding {
  const { host } = new URL(url);
  if ("code" in probed) return failed(`${host} cannot be reached: ${causeOf(probed.code, getProxyForUrl(url))}`, blame);
  const { status, ms } = probed;
  if (status >= 200 && status < 300) return ok(`${host} answers in ${ms} ms`);
  if (status === 401 || status === 403) {
    return forbidden === "blocked"
      ? failed(`${host} answers ${status}: it refuses this address`, blame)
      : failed(`${host} answers ${status}: it refuses ${forbidden}`, "configuration");
  }
  if (status === 407) return failed(`the proxy asks for a user and a password (407)`, blame);
  return failed(`${host} answers ${status}`, blame);
}

function clock({ probed, at }: { probed: Probed; at: number }): Finding {
  const said = "date" in probed && probed.date !== null ? Date.parse(probed.date) : Number.NaN;
  if (Number.isNaN(said)) return skipped("api.steampowered.com tells no time.");
  const seconds = Math.round((at - said) / 1_000);
  if (Math.abs(seconds) <= 1) return ok("this clock agrees with Steam's");
  const words = `this clock is ${formatDuration(Math.abs(seconds))} ${seconds < 0 ? "behind" : "ahead of"} Steam's`;
  return Math.abs(at - said) > maxClockErrorMs ? warning(words) : ok(words);
}

/** A token of Twitch, one question with it, and the token is given back: an application may hold few. */
async function igdb({ library }: Config, limitMs: number): Promise<Finding> {
  const { igdbClientId, igdbClientSecret } = library;
  if (igdbClientId === null || igdbClientSecret === null) {
    return skipped("IGDB_CLIENT_ID is not set; only the library import needs it.");
  }
  const keys = "IGDB_CLIENT_ID and IGDB_CLIENT_SECRET";
  const form = (url: string, fields: Record<string, string>): ProbeRequest => ({
    url,
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  });
  const grant = { client_id: igdbClientId, client_secret: igdbClientSecret, grant_type: "client_credentials" };
  const tokenRequest = form("https://id.twitch.tv/oauth2/token", grant);
  const granted = await probe(tokenRequest, limitMs);
  if ("status" in granted && granted.status === 400)
    return failed(`id.twitch.tv refuses ${keys} (400)`, "configuration");
  const found = judge(granted, tokenRequest, { forbidden: keys, blame: "other" });
  const token = "text" in granted ? tokenIn(granted.text) : null;
  if (found.result !== "ok" || token === null)
    return found.result === "ok" ? failed("id.twitch.tv grants no token", "other") : found;

  const query: ProbeRequest = {
    url: "https://api.igdb.com/v4/games",
    method: "POST",
    headers: { "client-id": igdbClientId, authorization: `Bearer ${token}`, "content-type": "text/plain" },
    body: "fields id; limit 1;",
  };
  const answer = judge(await probe(query, limitMs), query, { forbidden: keys, blame: "other" });
  await probe(form("https://id.twitch.tv/oauth2/revoke", { client_id: igdbClientId, token }), limitMs);
  return answer;
}

function tokenIn(text: string): string | null {
  try {
    const { access_token } = JSON.parse(text) as { access_token?: unknown };
    return typeof access_token === "string" ? access_token : null;
  } catch {
    return null;
  }
}

async function bucket({ library: { s3Bucket } }: Config, limitMs: number): Promise<Finding> {
  if (s3Bucket === null) return skipped("S3_BUCKET is not set; files are kept in DATA_DIR.");
  const { headBucket } = await import("./bucket.ts");
  return await headBucket(s3Bucket, limitMs);
}
