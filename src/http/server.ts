import { fastifySSE } from "@fastify/sse";
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import type { Logger } from "../process/logger.ts";
import { assessHealth, assessReady } from "../status/health.ts";
import type { ServiceSnapshot } from "../status/snapshot.ts";
import { registerApi } from "./api/routes.ts";
import { registerDashboard } from "./dashboard/routes.ts";
import { endpointsOf, type ServerDeps, type ServerOptions, type ServiceStatus } from "./deps.ts";
import { createFeed } from "./feed.ts";
import { type ParameterFault, Problem, sendProblem } from "./problem.ts";
import { readProblem } from "./read-problem.ts";
import { createStreams } from "./streams.ts";

/** No route takes a body or a long parameter. */
const maxBodyBytes = 1_024;
const maxParameterLength = 200;
const retryAfterSeconds = "5";

const defaultHeaders = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/**
 * Builds the read-only HTTP server; the caller listens and closes. Probes and `/metrics` are answered from memory, without a worker, the
 * database or Steam; the API and the dashboard read the database. Errors are `application/problem+json` (RFC 9457).
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
    // Event streams never end by themselves.
    forceCloseConnections: true,
    // A path that cannot be decoded reaches no hook and no error handler.
    frameworkErrors: (error, _request, reply) => sendProblem(reply.headers(defaultHeaders), 400, error.message),
  });
  server.addHook("onSend", async (_request, reply) => {
    for (const [name, value] of Object.entries(defaultHeaders)) if (!reply.hasHeader(name)) reply.header(name, value);
  });
  registerErrorHandlers(server, logger);
  metrics.observeHttp(server);
  server.register(fastifySSE, { heartbeatInterval: 15_000 });

  const deps: ServerDeps = {
    ...options,
    status: () => statusOf(snapshot()),
    feed: createFeed({ reader, logger }),
    streams: createStreams(server),
  };
  registerProbes(server, deps);
  if (settings.api) server.register((scope) => registerApi(scope, deps));
  if (settings.dashboard) server.register((scope) => registerDashboard(scope, deps));
  else server.get("/", () => ({ service: "steam-pics-sync", endpoints: endpointsOf(settings) }));
  return server;
}

function registerProbes(server: FastifyInstance, { snapshot, status, metrics }: ServerDeps): void {
  server.get("/health", (_request, reply) => {
    const { health, mode, uptime_seconds } = status();
    reply.code(health.status === "unhealthy" ? 503 : 200);
    return { ...health, mode, uptime_seconds };
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
}

type RequestError = Error & { statusCode?: number; errors?: ParameterFault[] };

function registerErrorHandlers(server: FastifyInstance, logger: Logger): void {
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0];
    return sendProblem(reply, 404, `${request.method} ${path} does not exist; GET / lists the endpoints.`);
  });
  server.setErrorHandler((error: RequestError, _request, reply) => {
    const problem = readProblem(error);
    if (problem)
      return sendProblem(reply.header("retry-after", retryAfterSeconds), problem.statusCode, problem.message);
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, error.message, error.errors);
    if (error instanceof Problem)
      return sendProblem(reply.header("retry-after", retryAfterSeconds), status, error.message);
    logger.error({ err: error }, "HTTP request failed");
    return sendProblem(reply, status, "Internal error; see the log of the service.");
  });
}

function statusOf(snapshot: ServiceSnapshot): ServiceStatus {
  const now = Date.now();
  const uptime_seconds = Math.max(0, Math.round((now - Date.parse(snapshot.started_at)) / 1000));
  return { ...snapshot, uptime_seconds, health: assessHealth(snapshot, now) };
}
