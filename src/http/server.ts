import { fastifySSE } from "@fastify/sse";
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import type { CatalogReader } from "../db/catalog-reader.ts";
import { DatabaseError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import { assessHealth, assessReady } from "../status/health.ts";
import type { Metrics } from "../status/metrics.ts";
import type { ServiceSnapshot } from "../status/snapshot.ts";
import { registerApi } from "./api/routes.ts";
import { registerDashboard } from "./dashboard/routes.ts";
import { createFeed, type Feed } from "./feed.ts";
import { type ParameterFault, sendProblem } from "./problem.ts";
import { createStreams, type Streams } from "./streams.ts";

export interface ServerOptions {
  /** Called for every request, so it must be cheap: it returns what is in memory. */
  snapshot: () => ServiceSnapshot;
  /** The read side of the catalogue; null until the database is open, and where there is none. */
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

/** Nothing here takes a body, and no question is long. */
const maxBodyBytes = 1_024;
const maxParameterLength = 200;

const headers = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/**
 * Builds the read-only HTTP side; the caller listens and closes. Probes and `/metrics` are answered from memory and reach neither a
 * worker, the database nor Steam; the API and the dashboard read the database. Faults are `application/problem+json` (RFC 9457).
 */
export function buildServer(options: ServerOptions): FastifyInstance {
  const { snapshot, logger, settings, metrics, reader } = options;
  const loggerInstance: FastifyBaseLogger = logger;
  const server = fastify({
    loggerInstance,
    // Probes arrive every few seconds, so single requests are not logged.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes,
    routerOptions: { maxParamLength: maxParameterLength },
    trustProxy: (_address, hop) => hop < settings.trustedProxies,
    // Streams have no end of their own.
    forceCloseConnections: true,
    // A path that cannot be decoded reaches no hook and no error handler.
    frameworkErrors: (error, _request, reply) => sendProblem(reply.headers(headers), 400, error.message),
  });

  server.addHook("onSend", async (_request, reply) => {
    for (const [name, value] of Object.entries(headers)) if (!reply.hasHeader(name)) reply.header(name, value);
  });
  server.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 404, `There is no ${request.method} ${request.url.split("?")[0]}; GET / lists what there is.`),
  );
  server.setErrorHandler((error: Fault, _request, reply) => {
    if (error instanceof DatabaseError && isPassing(error)) {
      return sendProblem(
        reply.header("retry-after", "5"),
        503,
        "The database does not answer in time; try again soon.",
      );
    }
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, error.message, error.errors);
    if (error.isExpected) return sendProblem(reply.header("retry-after", "5"), status, error.message);
    logger.error({ err: error }, "an HTTP request failed");
    return sendProblem(reply, status, "The service could not answer; its log says why.");
  });
  metrics.observeHttp(server);
  server.register(fastifySSE, { heartbeatInterval: 15_000 });

  const status = (): ServiceStatus => {
    const current = snapshot();
    return { ...current, uptime_seconds: uptimeSeconds(current), health: assessHealth(current, Date.now()) };
  };

  server.get("/health", (_request, reply) => {
    const current = snapshot();
    const health = assessHealth(current, Date.now());
    reply.code(health.status === "unhealthy" ? 503 : 200);
    return { ...health, mode: current.mode, uptime_seconds: uptimeSeconds(current) };
  });
  server.get("/ready", (_request, reply) => {
    const readiness = assessReady(snapshot(), Date.now());
    reply.code(readiness.ready ? 200 : 503);
    return readiness;
  });
  server.get("/status", status);
  server.get("/metrics", async (_request, reply) => {
    reply.type(metrics.contentType);
    return await metrics.text();
  });

  const parts: ServerParts = {
    ...options,
    status,
    feed: createFeed({ reader, logger }),
    streams: createStreams(server),
  };
  if (settings.api) server.register((scope) => registerApi(scope, parts));
  if (settings.dashboard) server.register((scope) => registerDashboard(scope, parts));
  else server.get("/", () => ({ service: "steam-pics-sync", endpoints: endpointsOf(settings) }));
  return server;
}

type Fault = Error & { statusCode?: number; errors?: ParameterFault[]; isExpected?: boolean };

/** What there is, for people with curl. */
export function endpointsOf({ api, dashboard }: HttpSettings): Record<string, string> {
  return {
    ...(dashboard && { "/": "the dashboard, in a browser" }),
    ...(api && {
      "/v1/apps": "the catalogue",
      "/v1/changes": "what changed, field by field",
      "/docs": "the whole API explained, /docs/json as OpenAPI",
    }),
    "/health": "whether the process works: 200 with status starting, ok or degraded; 503 with status unhealthy",
    "/ready": "200 once this worker does its job, else 503",
    "/status": "what the worker, its connection to Steam and its database are doing",
    "/metrics": "figures for Prometheus",
  };
}

function isPassing({ fault }: DatabaseError): boolean {
  return fault === "unreachable" || fault === "retryable" || fault === "timeout";
}

function uptimeSeconds({ started_at }: ServiceSnapshot): number {
  return Math.max(0, Math.round((Date.now() - Date.parse(started_at)) / 1000));
}
