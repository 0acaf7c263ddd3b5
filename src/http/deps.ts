import type { ChangeView } from "../catalog/views.ts";
import type { CatalogReader } from "../db/catalog-reader.ts";
import type { Logger } from "../process/logger.ts";
import type { assessHealth } from "../status/health.ts";
import type { Metrics } from "../status/metrics.ts";
import type { ServiceSnapshot } from "../status/snapshot.ts";
import type { ApiKeyGuard } from "./authentication.ts";
import type { EventFeeds } from "./event-feeds.ts";
import type { Feed } from "./feed.ts";
import type { HttpLimits } from "./limits.ts";
import type { TrustedProxies } from "./proxies.ts";
import type { Streams } from "./streams.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** An event stream, whose duration is that of its client. */
    isStream?: boolean;
  }
}

export interface ServerOptions {
  /** Called for every request, so it must be cheap: it returns what is in memory. */
  snapshot: () => ServiceSnapshot;
  /** The read side of the catalog; null until the database is open, and for commands that open none. */
  reader: () => CatalogReader | null;
  metrics: Metrics;
  settings: HttpSettings;
  logger: Logger;
  /** Tests replace some. */
  limits?: Partial<HttpLimits>;
}

/** `config.http`, and what is kept: replies without a text, depots or events say whether any are. */
export interface HttpSettings {
  keep: { appInfo: boolean; depots: boolean };
  history: boolean;
  historyDays: number | null;
  api: boolean;
  dashboard: boolean;
  /** Art of apps on the dashboard, from Steam's image host. */
  art: boolean;
  apiKey: string | null;
  rateLimit: { count: number; periodMs: number };
  corsOrigins: readonly string[];
  trustedProxies: TrustedProxies;
  /** Hosts as `hostOf` spells them; empty for any. */
  allowedHosts: readonly string[];
  maxConnections: number;
}

/** Dependencies of the routes, shared by the API and the dashboard. */
export interface ServerDeps extends ServerOptions {
  /** Of changes. */
  feed: Feed<ChangeView>;
  eventFeeds: EventFeeds;
  streams: Streams;
  keys: ApiKeyGuard;
  /** The document served at `/status`. */
  status: () => ServiceStatus;
}

export type ServiceStatus = ServiceSnapshot & { uptime_seconds: number; health: ReturnType<typeof assessHealth> };

/** The endpoints with a description of each, as `GET /` lists them. */
export function endpointsOf({ api, dashboard }: HttpSettings): Record<string, string> {
  return {
    ...(dashboard && { "/": "the dashboard, in a browser" }),
    ...(api && {
      "/v1": "the API: its endpoints",
      "/v1/apps": "the catalog",
      "/v1/changes": "what changed, field by field",
      "/docs": "documentation of the API; /docs/json is its OpenAPI document",
    }),
    "/health": "liveness: 200 with status starting, ok or degraded; 503 with status unhealthy",
    "/ready": "readiness: 200 once this worker does its job, else 503",
    "/status": "state of the worker, its connection to Steam and its database",
    "/metrics": "metrics for Prometheus",
  };
}
