/**
 * A simulated Steam on loopback. The product talks to it as it would to the real one, without a hook: through a CONNECT
 * proxy that leads every host to one TLS server.
 *
 *     const steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 1, count: 2_000 }) });
 *     const distrust = steam.trustHere();              // in this process; another one gets steam.env in its environment
 *     const client = new SteamUser({ httpProxy: steam.proxyUrl, protocol: SteamUser.EConnectionProtocol.WebSocket, … });
 *     steam.faults.add({ kind: "hang", on: "product_info", times: 2 });
 *     steam.catalog.change(10);                      // a new version of app 10, announced to ChangesSince
 *     steam.log.of("product_info");                    // what was asked
 *     distrust();
 *     await steam.close();
 *
 * Loops that must not share an event loop with the simulation use `forkSimulatedSteam` of `child.ts`.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import type { Catalog } from "./catalog.ts";
import { createCertificates } from "./certificates.ts";
import { createContentManager } from "./content-manager.ts";
import type { ReplySettings } from "./context.ts";
import { createFaults, type Faults } from "./faults.ts";
import { generateCatalog } from "./generate.ts";
import { startProxy, type WebRoute } from "./proxy.ts";
import { createRequestLog, type RequestLog } from "./request-log.ts";
import { steamWebRoutes } from "./web-routes.ts";

export interface SimulatedSteamOptions extends Partial<ReplySettings> {
  /** Default: 2,000 generated apps. */
  catalog?: Catalog;
  /** false keeps counters only, for long runs. Default true. */
  keepRequests?: boolean;
  /** Further web APIs, tried before Steam's own. */
  routes?: WebRoute[];
}

export interface SimulatedSteam {
  proxyUrl: string;
  /** PEM file of the throwaway certificate authority. */
  caFile: string;
  caPem: string;
  /** HTTPS_PROXY, HTTP_PROXY, NO_PROXY (loopback stays direct) and NODE_EXTRA_CA_CERTS for a child process. */
  env: Record<string, string>;
  catalog: Catalog;
  log: RequestLog;
  faults: Faults;
  /** Logged-on connections. */
  readonly sessions: number;
  /** Makes this process trust the certificate authority; the result undoes it. */
  trustHere(): () => void;
  /** Destroys every connection; with an EResult, Steam says goodbye (ClientLoggedOff) first. */
  disconnectAll(eresult?: number): void;
  close(): Promise<void>;
}

export async function startSimulatedSteam(options: SimulatedSteamOptions = {}): Promise<SimulatedSteam> {
  const { catalog = generateCatalog({ seed: 1, count: 2_000 }), keepRequests = true, routes = [] } = options;
  const log = createRequestLog(keepRequests);
  const faults = createFaults();
  const certificates = await createCertificates();
  const context = { catalog, log, faults, ...replySettings(options) };
  const contentManager = createContentManager(context);
  const proxy = await startProxy({
    certificates,
    routes: [...routes, ...steamWebRoutes(context)],
    isRefused: (host) => faults.unreachable(host),
    onUpgrade: contentManager.accept,
  });
  const folder = await mkdtemp(join(tmpdir(), "simulated-steam-"));
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, certificates.caPem);
  const env = {
    HTTPS_PROXY: proxy.url,
    HTTP_PROXY: proxy.url,
    NO_PROXY: "127.0.0.1,localhost,::1",
    NODE_EXTRA_CA_CERTS: caFile,
  };

  return {
    proxyUrl: proxy.url,
    caFile,
    caPem: certificates.caPem,
    env,
    catalog,
    log,
    faults,
    get sessions() {
      return contentManager.sessions;
    },
    trustHere() {
      const before = tls.getCACertificates("default");
      tls.setDefaultCACertificates([...before, certificates.caPem]);
      return () => tls.setDefaultCACertificates(before);
    },
    disconnectAll: contentManager.disconnectAll,
    async close() {
      contentManager.disconnectAll();
      await proxy.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function replySettings(options: SimulatedSteamOptions): ReplySettings {
  const { latencyMs = 0, changeWindow = 5_000, appsPerMessage = 100, heartbeatSeconds = 9, apiKey = "" } = options;
  const { httpMinSize = Number.POSITIVE_INFINITY } = options;
  return { latencyMs, changeWindow, appsPerMessage, httpMinSize, apiKey, heartbeatSeconds };
}
