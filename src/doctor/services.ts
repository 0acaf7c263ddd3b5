import type { Config } from "../process/config.ts";
import { formatDuration } from "../terminal/format.ts";
import { type Check, type Finding, failed, ok, skipped, warning } from "./check.ts";
import { checkIgdb } from "./igdb.ts";
import { judge } from "./judge.ts";
import { type Probed, type ProbeRequest, probe } from "./probe.ts";

/** Checks that every external service is reachable and accepts the configured keys. */

export interface ServicesOptions {
  /** Null when it is invalid: checks that need keys are then skipped. */
  config: Config | null;
  /** Time limit of one request. */
  limitMs: number;
  /** Resolves with null once logged on, else with the reason. */
  logOnToSteam: () => Promise<string | null>;
  now: () => number;
}

const directory: ProbeRequest = {
  url: "https://api.steampowered.com/ISteamDirectory/GetCMListForConnect/v0001/?format=vdf&cmtype=websockets",
};
const steamSpy: ProbeRequest = { url: "https://steamspy.com/api.php?request=appdetails&appid=620" };
const appListUrl = "https://api.steampowered.com/IStoreService/GetAppList/v1/?max_results=1";
const maxClockErrorMs = 60_000;

/** A reply with the time at which it arrived. */
interface TimedReply {
  probed: Probed;
  at: number;
}

export function servicesChecks({ config, limitMs, logOnToSteam, now }: ServicesOptions): Check[] {
  let directoryReply: Promise<TimedReply> | null = null;
  // Two checks share one request.
  const askDirectory = () => {
    directoryReply ??= probe(directory, limitMs).then((probed) => ({ probed, at: now() }));
    return directoryReply;
  };
  const withConfig = (check: (config: Config, limitMs: number) => Promise<Finding>) => async () =>
    config === null ? skipped("The configuration is invalid.") : await check(config, limitMs);

  return [
    { name: "Steam servers", run: async () => checkServers((await askDirectory()).probed) },
    { name: "Steam logon", run: async () => checkLogon(await logOnToSteam()) },
    { name: "clock", run: async () => checkClock(await askDirectory()) },
    { name: "Steam Web API", run: withConfig(checkSteamWebApi) },
    { name: "SteamSpy", run: () => checkSteamSpy(limitMs) },
    { name: "IGDB", run: withConfig(checkIgdb) },
    { name: "S3 bucket", run: withConfig(checkBucket) },
  ];
}

function checkServers(probed: Probed): Finding {
  const finding = judge(probed, directory, { forbidden: "blocked", blame: "unreachable" });
  if (finding.result !== "ok") return finding;
  const count = "text" in probed ? probed.text.split('"endpoint"').length - 1 : 0;
  return count > 0
    ? ok(`api.steampowered.com lists ${count} servers`)
    : failed("api.steampowered.com lists no server", "unreachable");
}

function checkLogon(fault: string | null): Finding {
  return fault === null ? ok("an anonymous session is logged on") : failed(fault, "unreachable");
}

function checkClock({ probed, at }: TimedReply): Finding {
  const steamTime = "date" in probed && probed.date !== null ? Date.parse(probed.date) : Number.NaN;
  if (Number.isNaN(steamTime)) return skipped("api.steampowered.com sent no time.");
  const seconds = Math.round((at - steamTime) / 1_000);
  if (Math.abs(seconds) <= 1) return ok("this clock agrees with Steam's");
  const summary = `this clock is ${formatDuration(Math.abs(seconds))} ${seconds < 0 ? "behind" : "ahead of"} Steam's`;
  return Math.abs(at - steamTime) > maxClockErrorMs ? warning(summary) : ok(summary);
}

async function checkSteamWebApi({ steamApiKey }: Config, limitMs: number): Promise<Finding> {
  if (steamApiKey === null) return skipped("STEAM_API_KEY is not set; the sync does not need it.");
  const request = { url: appListUrl, headers: { "x-webapi-key": steamApiKey } };
  return judge(await probe(request, limitMs), request, { forbidden: "STEAM_API_KEY", blame: "other" });
}

async function checkSteamSpy(limitMs: number): Promise<Finding> {
  const finding = judge(await probe(steamSpy, limitMs), steamSpy, { forbidden: "blocked", blame: "other" });
  return finding.result === "failed" ? warning(`${finding.summary}; only \`collect\` needs it`) : finding;
}

async function checkBucket({ library: { s3Bucket } }: Config, limitMs: number): Promise<Finding> {
  if (s3Bucket === null) return skipped("S3_BUCKET is not set; files are kept in DATA_DIR.");
  // The AWS SDK is large, so it is loaded only when it is needed.
  const { headBucket } = await import("./bucket.ts");
  return await headBucket(s3Bucket, limitMs);
}
