import { getProxyForUrl } from "proxy-from-env";
import { openSource } from "../catalog-source/open.ts";
import { type Blame, type CheckGroup, failed, type Outcome, runChecks } from "../doctor/check.ts";
import { databaseChecks } from "../doctor/database.ts";
import { createPrinter, formatClosing, formatReport, type Subject } from "../doctor/report.ts";
import { servicesChecks } from "../doctor/services.ts";
import { type Settings, settingsChecks } from "../doctor/settings.ts";
import { steamChecks } from "../doctor/steam-facts.ts";
import { type Config, loadConfig, secretsIn, secretsOf } from "../process/config.ts";
import { type Environment, type ReadEnvironment, readEnv } from "../process/environment.ts";
import { ConfigError } from "../process/errors.ts";
import { createLifecycle, exitCodes, type Lifecycle } from "../process/lifecycle.ts";
import type { Logger, Output } from "../process/logger.ts";
import { applyProxySettings } from "../process/proxy.ts";
import { createRedactor } from "../process/redactor.ts";
import { visibleText } from "../process/visible.ts";
import type { ProductInfoReply } from "../steam/pics.ts";
import { terminalOf } from "../terminal/layout.ts";
import { packageVersion } from "./args.ts";
import { createQuietLogger } from "./read.ts";
import { openSteam, type Steam, steamApiUrl } from "./steam.ts";

/** The `doctor` command: wires its checks from the configuration, or from the valid part of an invalid one. */

/** Time limit of one request to a service. */
const requestLimitMs = 10_000;
/** Time limit of the logon, which may need a second server. */
const logonLimitMs = 20_000;
/** Time limit of a request to Steam; the service itself waits for `BULK_TIMEOUT`. */
const steamRequestLimitMs = 20_000;
/** Time limit of a Steam check, in addition to those of its requests. */
const extraLimitMs = 15_000;

interface Deps {
  settings: Settings;
  /** The configuration, or the valid part of an invalid one. */
  config: Config;
  logger: Logger;
  lifecycle: Lifecycle;
}

export interface DoctorOptions {
  /** Print one JSON document and nothing else. */
  json: boolean;
  /** End with a report to paste into an issue. */
  report: boolean;
}

/** Runs all checks, prints each outcome as soon as it is known, and ends the process. */
export async function runDoctor({ json, report }: DoctorOptions, output: Output): Promise<void> {
  const given = readEnv();
  const { environment } = given;
  const settings = readSettings(given);
  const config = settings.config ?? loadConfig(usable(environment));
  const { AWS_SECRET_ACCESS_KEY = "", AWS_SESSION_TOKEN = "" } = environment;
  const secrets = [...secretsIn(environment), ...secretsOf(config), AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN];
  const redact = createRedactor(secrets);
  const lifecycle = createLifecycle({ kind: "one-off", logger: createQuietLogger(config) });
  const terminal = terminalOf(output.stream);
  const subject: Subject = {
    version: packageVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    driver: settings.config?.database.driver ?? null,
    checked_at: new Date().toISOString(),
  };

  const printer = createPrinter((text) => json || output.write(text), terminal);
  const clear = (outcome: Outcome) => ({
    ...outcome,
    summary: visibleText(redact(outcome.summary)),
    remedy: outcome.remedy === null ? null : visibleText(redact(outcome.remedy)),
  });

  // The log of connection attempts is silenced: what it says is among the findings.
  const groups = groupsOf({ settings, config, logger: createQuietLogger(config, "silent"), lifecycle });
  let outcomes: Outcome[];
  try {
    const { signal } = lifecycle;
    const onOutcome = (outcome: Outcome) => printer.outcome(clear(outcome));
    outcomes = (await runChecks(groups, { signal, onGroup: printer.group, onOutcome })).map(clear);
    printer.end();
  } catch (error) {
    if (!lifecycle.signal.aborted) throw error;
    return await lifecycle.exitWith(exitCodes.fault);
  }
  const exitCode = exitCodeFor(outcomes);
  if (json) output.write(`${JSON.stringify({ ...subject, exit_code: exitCode, checks: outcomes }, null, 2)}\n`);
  else output.write(formatClosing(outcomes, { terminal, report }));
  if (report && !json) output.write(`\nTo paste into an issue:\n\n${formatReport(subject, outcomes)}`);
  await output.flushed();
  await lifecycle.exitWith(exitCode);
}

function readSettings({ environment, fileNames }: ReadEnvironment): Settings {
  const proxyUrl = getProxyForUrl(steamApiUrl);
  try {
    return { config: loadConfig(environment, fileNames), fault: null, proxyUrl };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: null, fault: error, proxyUrl };
  }
}

/** The variables that are valid by themselves, of an environment that is invalid as a whole. */
function usable(environment: Environment): Environment {
  const isRight = ([name, value]: [string, string | undefined]) => {
    try {
      return loadConfig({ [name]: value }) !== null;
    } catch {
      return false;
    }
  };
  return Object.fromEntries(Object.entries(environment).filter(isRight));
}

function groupsOf(parts: Deps): CheckGroup[] {
  const { settings, logger, lifecycle } = parts;
  const open = async () => {
    const source = await openSource({ ...parts.config, logger });
    lifecycle.onShutdown("database", () => source.close());
    return source;
  };
  return [
    { title: "This machine", checks: settingsChecks(settings) },
    { title: "Database", checks: databaseChecks(settings.config, open) },
    ...networkGroups(parts),
  ];
}

function networkGroups({ settings, config, logger, lifecycle }: Deps): CheckGroup[] {
  let reply: readonly ProductInfoReply[] = [];
  let steam: Steam;
  const timeoutMs = Math.min(config.bulk.timeoutMs, steamRequestLimitMs);
  try {
    applyProxySettings();
    steam = openSteam(
      { config: { ...config, bulk: { ...config.bulk, timeoutMs } }, logger, lifecycle },
      {
        concurrency: 1,
        onReply(kind, messages) {
          if (kind === "metadata" || kind === "product_info") reply = messages as ProductInfoReply[];
        },
      },
    );
  } catch {
    const remedy = "Correct HTTPS_PROXY, such as http://proxy.example:3128; without a proxy, remove it.";
    const unusable = failed("HTTPS_PROXY cannot be used, so nothing else can be reached.", "configuration", remedy);
    return [{ title: "Services", checks: [{ name: "proxy", run: async () => unusable }] }];
  }
  const { session, pics } = steam;
  const { signal } = lifecycle;
  let isLoggedOn = false;
  const logonMs = Math.min(logonLimitMs, config.giveUpAfterMs);

  async function logOnToSteam(hopeless: AbortSignal): Promise<string | null> {
    session.start();
    try {
      await session.ready(AbortSignal.any([signal, hopeless, AbortSignal.timeout(logonMs)]));
      isLoggedOn = true;
      return null;
    } catch (error) {
      if (signal.aborted) throw error;
      return `no logon within ${logonMs / 1_000} s: ${session.status().last_error ?? "no answer"}`;
    }
  }

  const limitMs = Math.min(requestLimitMs, config.giveUpAfterMs);
  const { proxyUrl } = settings;
  const services = { config: settings.config, proxyUrl, limitMs, logOnToSteam, now: Date.now };
  const probe = {
    pics,
    lastReply: () => reply,
    isLoggedOn: () => isLoggedOn,
    limitMs: timeoutMs + extraLimitMs,
    signal,
  };
  return [
    { title: "Services", checks: servicesChecks(services), concurrent: true },
    { title: "Assumptions about Steam", checks: steamChecks(probe) },
  ];
}

const exitCodesByBlame: readonly [Blame, number][] = [
  ["configuration", exitCodes.badConfiguration],
  ["unreachable", exitCodes.unreachable],
  ["other", exitCodes.fault],
];

function exitCodeFor(outcomes: readonly Outcome[]): number {
  const blamed = exitCodesByBlame.find(([blame]) => outcomes.some((outcome) => outcome.blame === blame));
  return blamed?.[1] ?? exitCodes.done;
}
