import type { CatalogReader } from "../db/catalog-reader.ts";
import type { Logger } from "../process/logger.ts";
import type { assessHealth } from "../status/health.ts";
import type { Metrics } from "../status/metrics.ts";
import type { ServiceSnapshot } from "../status/snapshot.ts";
import type { Feed } from "./feed.ts";
import type { Streams } from "./streams.ts";

export interface ServerOptions {
  /** Called for every request, so it must be cheap: it returns what is in memory. */
  snapshot: () => ServiceSnapshot;
  /** The read side of the catalog; null until the database is open, and where there is none. */
  reader: () => CatalogReader | null;
  metrics: Metrics;
  settings: HttpSettings;
  logger: Logger;
}

/** `config.http`. */
export interface HttpSettings {
  api: boolean;
  dashboard: boolean;
  apiKey: string | null;
  rateLimit: { count: number; periodMs: number };
  corsOrigins: readonly string[];
  trustedProxies: number;
}

/** What the API, the dashboard and the others share. */
export interface ServerParts extends ServerOptions {
  feed: Feed;
  streams: Streams;
  /** What `/status` serves. */
  status: () => ServiceStatus;
}

export type ServiceStatus = ServiceSnapshot & { uptime_seconds: number; health: ReturnType<typeof assessHealth> };

/** What there is, for people with curl. */
export function endpointsOf({ api, dashboard }: HttpSettings): Record<string, string> {
  return {
    ...(dashboard && { "/": "the dashboard, in a browser" }),
    ...(api && {
      "/v1/apps": "the catalog",
      "/v1/changes": "what changed, field by field",
      "/docs": "the whole API explained, /docs/json as OpenAPI",
    }),
    "/health": "whether the process works: 200 with status starting, ok or degraded; 503 with status unhealthy",
    "/ready": "200 once this worker does its job, else 503",
    "/status": "what the worker, its connection to Steam and its database are doing",
    "/metrics": "figures for Prometheus",
  };
}
