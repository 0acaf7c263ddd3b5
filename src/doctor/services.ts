import type { Config } from "../process/config.ts";
import { formatDuration } from "../terminal/format.ts";
import { blocked, type Check, causes, type Finding, failed, ok, skipped, warning } from "./check.ts";
import { checkIgdb } from "./igdb.ts";
import { judge } from "./judge.ts";
import { connectTo, describeNetworkError, type Probed, type ProbeRequest, probe, withoutPassword } from "./probe.ts";

/** Checks that every external service is reachable and accepts the configured keys. */

export interface ServicesOptions {
  /** Null when it is invalid: checks that need keys are then skipped. */
  config: Config | null;
  /** "" without a proxy. */
  proxyUrl: string;
  /** Time limit of one request. */
  limitMs: number;
  /** Resolves with null once logged on, else with the reason. The signal ends a wait that cannot succeed. */
  logOnToSteam: (hopeless: AbortSignal) => Promise<string | null>;
  now: () => number;
}

const directory: ProbeRequest = {
  url: "https://api.steampowered.com/ISteamDirectory/GetCMListForConnect/v0001/?format=vdf&cmtype=websockets",
};
const steamSpy: ProbeRequest = { url: "https://steamspy.com/api.php?request=appdetails&appid=620" };
const appListUrl = "https://api.steampowered.com/IStoreService/GetAppList/v1/?max_results=1";
const steamKeys = "https://steamcommunity.com/dev/apikey";
const maxClockErrorMs = 60_000;
const maxProxyWaitMs = 5_000;

/** A reply with the time at which it arrived. */
interface TimedReply {
  probed: Probed;
  at: number;
}

/** The checks that are made once it is known that the proxy, if there is one, accepts connections. */
export function servicesChecks(options: ServicesOptions): Check[] {
  const { config, proxyUrl, limitMs, logOnToSteam, now } = options;
  const proxyFault = proxyUrl === "" ? Promise.resolve(null) : connectTo(proxyUrl, Math.min(limitMs, maxProxyWaitMs));
  let directoryReply: Promise<TimedReply> | null = null;
  // Four checks share one request.
  const askDirectory = () => {
    directoryReply ??= probe(directory, limitMs).then((probed) => ({ probed, at: now() }));
    return directoryReply;
  };
  const isSteamAway = async () => checkServers((await askDirectory()).probed).result === "failed";
  const behindProxy = (check: () => Promise<Finding>) => async () =>
    (await proxyFault) === null ? await check() : blocked(causes.proxy);
  const withConfig = (check: (config: Config, limitMs: number) => Promise<Finding>) => async () =>
    config === null ? blocked(causes.configuration) : await check(config, limitMs);

  async function logOn(): Promise<Finding> {
    const hopeless = new AbortController();
    // The servers to connect to are listed there alone.
    void isSteamAway().then((isAway) => isAway && hopeless.abort());
    const fault = await logOnToSteam(hopeless.signal);
    return hopeless.signal.aborted && fault !== null ? blocked(causes.steam) : checkLogon(fault);
  }

  const checks: Check[] = [
    { name: "Steam servers", run: async () => checkServers((await askDirectory()).probed) },
    { name: "Steam logon", run: logOn },
    { name: "clock", run: async () => checkClock(await askDirectory()) },
    { name: "Steam Web API", run: withConfig((config, ms) => checkSteamWebApi(config, ms, askDirectory)) },
    { name: "SteamSpy", run: () => checkSteamSpy(limitMs, askDirectory) },
    { name: "IGDB", run: withConfig(checkIgdb) },
  ];
  const proxy = { name: "proxy", run: async () => checkProxy(proxyUrl, await proxyFault) };
  return [
    ...(proxyUrl === "" ? [] : [proxy]),
    ...checks.map(({ name, run }) => ({ name, run: behindProxy(run) })),
    { name: "S3 bucket", run: withConfig(checkBucket) },
  ];
}

function checkProxy(proxyUrl: string, fault: string | null): Finding {
  if (fault === null) return ok(`${withoutPassword(proxyUrl)} accepts connections`);
  const summary = describeNetworkError(fault, proxyUrl);
  return failed(
    summary,
    "unreachable",
    "Start the proxy, or correct HTTPS_PROXY; without a proxy, remove the variable.",
  );
}

function checkServers(probed: Probed): Finding {
  const finding = judge(probed, directory, { keys: null, blame: "unreachable" });
  if (finding.result !== "ok") return finding;
  const count = "text" in probed ? probed.text.split('"endpoint"').length - 1 : 0;
  return count > 0
    ? ok(`api.steampowered.com lists ${count} servers`)
    : failed("api.steampowered.com lists no server", "unreachable", waitForSteam);
}

const waitForSteam =
  "Steam is down for some minutes on most Tuesdays; the service waits for it and reconnects by itself. If it lasts, let this machine reach " +
  "Steam's servers (websockets on port 443 and 27017 to 27050), or set HTTPS_PROXY.";

function checkLogon(fault: string | null): Finding {
  return fault === null ? ok("an anonymous session is logged on") : failed(fault, "unreachable", waitForSteam);
}

function checkClock({ probed, at }: TimedReply): Finding {
  if ("code" in probed) return blocked(causes.steam);
  const steamTime = "date" in probed && probed.date !== null ? Date.parse(probed.date) : Number.NaN;
  if (Number.isNaN(steamTime)) return skipped("api.steampowered.com sent no time.");
  const seconds = Math.round((at - steamTime) / 1_000);
  if (Math.abs(seconds) <= 1) return ok("this clock agrees with Steam's");
  const summary = `this clock is ${formatDuration(Math.abs(seconds))} ${seconds < 0 ? "behind" : "ahead of"} Steam's`;
  return Math.abs(at - steamTime) > maxClockErrorMs ? warning(summary, "Set the clock, best by NTP.") : ok(summary);
}

async function checkSteamWebApi(
  { steamApiKey }: Config,
  limitMs: number,
  askDirectory: () => Promise<TimedReply>,
): Promise<Finding> {
  if (steamApiKey === null) {
    return skipped(`STEAM_API_KEY is not set; only the library import needs it. ${steamKeys} makes one.`);
  }
  // The same host.
  if ("code" in (await askDirectory()).probed) return blocked(causes.steam);
  const request = { url: appListUrl, headers: { "x-webapi-key": steamApiKey } };
  const keys = { names: "STEAM_API_KEY", remedy: `${steamKeys} makes a new key.`, rejectedBy: [401] };
  return judge(await probe(request, limitMs), request, { keys, blame: "other" });
}

/** Where Steam fails with the same error code, it is no fault of SteamSpy's. */
async function checkSteamSpy(limitMs: number, askDirectory: () => Promise<TimedReply>): Promise<Finding> {
  const probed = await probe(steamSpy, limitMs);
  const finding = judge(probed, steamSpy, { keys: null, blame: "other" });
  if (finding.result !== "failed") return finding;
  const { probed: steam } = await askDirectory();
  if ("code" in probed && "code" in steam && probed.code === steam.code) return blocked(causes.network);
  return warning(`${finding.summary}; only \`collect\` needs it`, finding.remedy);
}

async function checkBucket({ library: { s3Bucket } }: Config, limitMs: number): Promise<Finding> {
  if (s3Bucket === null) return skipped("S3_BUCKET is not set; files are kept in DATA_DIR.");
  // The AWS SDK is large, so it is loaded only when it is needed.
  const { headBucket } = await import("./bucket.ts");
  return await headBucket(s3Bucket, limitMs);
}
