import { fastifySSE } from "@fastify/sse";
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import { DatabaseError } from "../process/errors.ts";
import { assessHealth, assessReady } from "../status/health.ts";
import type { ServiceSnapshot } from "../status/snapshot.ts";
import { registerApi } from "./api/routes.ts";
import { registerDashboard } from "./dashboard/routes.ts";
import { createFeed } from "./feed.ts";
import { endpointsOf, type ServerOptions, type ServerParts, type ServiceStatus } from "./parts.ts";
import { type ParameterFault, sendProblem } from "./problem.ts";
import { createStreams } from "./streams.ts";

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

function isPassing({ fault }: DatabaseError): boolean {
  return fault === "unreachable" || fault === "retryable" || fault === "timeout";
}

function uptimeSeconds({ started_at }: ServiceSnapshot): number {
  return Math.max(0, Math.round((Date.now() - Date.parse(started_at)) / 1000));
}
