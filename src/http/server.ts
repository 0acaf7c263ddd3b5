import { type FastifyInstance, fastify, LogController } from "fastify";
import type { Logger } from "../process/logger.ts";
import { sleep } from "../process/time.ts";
import { assessHealth, assessReady } from "../status/health.ts";
import type { ServiceSnapshot } from "../status/snapshot.ts";
import { checkHosts } from "./allowed-hosts.ts";
import { registerApi } from "./api/routes.ts";
import { createApiKeyGuard } from "./authentication.ts";
import {
  connectionsWithinFileLimit,
  createClientErrorHandler,
  limitConnections,
  limitUnreadReplies,
} from "./connections.ts";
import { registerDashboard } from "./dashboard/routes.ts";
import { endpointsOf, type ServerDeps, type ServerOptions, type ServiceStatus } from "./deps.ts";
import { createErrorLog, type ErrorLog, requestLogger } from "./error-log.ts";
import { createEventFeeds } from "./event-feeds.ts";
import { createFeed } from "./feed.ts";
import { defaultLimits } from "./limits.ts";
import { Problem, sendProblem } from "./problem.ts";
import { readRailwayAddress, trustProxy } from "./proxies.ts";
import { registerRateLimit } from "./rate-limit.ts";
import { readProblem } from "./read-problem.ts";
import { createStreams } from "./streams.ts";

/** No route takes a body or a long parameter. */
const maxBodyBytes = 1_024;
const maxParameterLength = 200;
/** Share of the connections that may be event streams. */
const streamShare = 3 / 4;

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
  const limits = { ...defaultLimits, ...options.limits };
  const onDrop = metrics.connectionDropped;
  const logError = createErrorLog(logger);
  // Also of the framework's own lines: what the server is asked to do is logged by its caller.
  const quiet = requestLogger(logError);
  const server = fastify({
    loggerInstance: quiet,
    // Probes arrive every few seconds, so single requests are not logged.
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: () => quiet,
    bodyLimit: maxBodyBytes,
    routerOptions: { maxParamLength: maxParameterLength },
    trustProxy: trustProxy(settings.trustedProxies),
    // Event streams never end by themselves.
    forceCloseConnections: true,
    http: { headersTimeout: limits.headersMs, connectionsCheckingInterval: limits.checkMs },
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.silenceMs,
    keepAliveTimeout: limits.keepAliveMs,
    clientErrorHandler: createClientErrorHandler(onDrop),
    // A path that cannot be decoded reaches no hook and no error handler.
    frameworkErrors: (error, _request, reply) => sendProblem(reply.headers(defaultHeaders), 400, error.message),
  });
  const maxConnections = withinFileLimit(settings.maxConnections, logger);
  limitConnections(server, { maxConnections, isPerClient: settings.trustedProxies === 0, onDrop });
  server.addHook("onSend", async (_request, reply) => {
    for (const [name, value] of Object.entries(defaultHeaders)) if (!reply.hasHeader(name)) reply.header(name, value);
  });
  limitUnreadReplies(server, limits, onDrop);
  registerErrorHandlers(server, logError);
  readRailwayAddress(server, settings.trustedProxies);
  checkHosts(server, settings.allowedHosts);
  registerRateLimit(server, settings);
  // Requests have room beside the streams.
  const maxStreams = Math.min(limits.streams, Math.ceil(maxConnections * streamShare));
  const streams = createStreams(server, { limits: { ...limits, streams: maxStreams }, logError, onDrop });
  metrics.observeHttp(server, streams.open);

  const news = (ms: number) => reader()?.news(ms) ?? sleep(ms);
  const deps: ServerDeps = {
    ...options,
    status: () => statusOf(snapshot()),
    feed: createFeed({
      read(query, client) {
        const catalog = reader();
        return catalog && (client ? catalog.for(client) : catalog).changes(query);
      },
      news,
      logger,
    }),
    eventFeeds: createEventFeeds({ reader, news, logger }),
    streams,
    keys: createApiKeyGuard({ apiKey: settings.apiKey, logger, onWrongKey: metrics.wrongApiKey }),
  };
  registerProbes(server, deps);
  if (settings.api) server.register((scope) => registerApi(scope, deps));
  if (settings.dashboard) server.register((scope) => registerDashboard(scope, deps));
  else server.get("/", () => ({ service: "steam-pics-sync", endpoints: endpointsOf(settings) }));
  return server;
}

/** Without file descriptors the process could reach neither its database nor Steam. */
function withinFileLimit(wanted: number, logger: Logger): number {
  const most = connectionsWithinFileLimit();
  if (most === null || wanted <= most) return wanted;
  logger.warn(
    `MAX_CONNECTIONS is ${wanted}, of which ${most} are used: half of the open files that this process may have`,
  );
  return most;
}

/** `/health` and `/ready` are open; where there is a key, they tell the state alone without it. */
function registerProbes(server: FastifyInstance, { snapshot, status, metrics, keys }: ServerDeps): void {
  server.get("/health", (request, reply) => {
    const { health, mode, uptime_seconds } = status();
    reply.code(health.status === "unhealthy" ? 503 : 200);
    return keys.isAuthorized(request) ? { ...health, mode, uptime_seconds } : { status: health.status };
  });
  server.get("/ready", (request, reply) => {
    const readiness = assessReady(snapshot(), Date.now());
    reply.code(readiness.ready ? 200 : 503);
    return keys.isAuthorized(request) ? readiness : { ready: readiness.ready };
  });
  server.register(async (scope) => {
    keys.protect(scope);
    scope.get("/status", status);
    scope.get("/metrics", async (_request, reply) => {
      reply.type(metrics.contentType);
      return await metrics.text();
    });
  });
}

type RequestError = Error & { statusCode?: number };

function registerErrorHandlers(server: FastifyInstance, logError: ErrorLog): void {
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0];
    return sendProblem(reply, 404, `${request.method} ${path} does not exist; GET / lists the endpoints.`);
  });
  server.setErrorHandler((error: RequestError, _request, reply) => {
    const expected = error instanceof Problem ? error : readProblem(error);
    if (expected) {
      const { statusCode, message, errors, retryAfterSeconds } = expected;
      if (retryAfterSeconds !== undefined) reply.header("retry-after", retryAfterSeconds);
      return sendProblem(reply, statusCode, message, errors);
    }
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, error.message);
    logError(error, "HTTP request failed");
    return sendProblem(reply, status, "Internal error; see the log of the service.");
  });
}

function statusOf(snapshot: ServiceSnapshot): ServiceStatus {
  const now = Date.now();
  const uptime_seconds = Math.max(0, Math.round((now - Date.parse(snapshot.started_at)) / 1000));
  return { ...snapshot, uptime_seconds, health: assessHealth(snapshot, now) };
}
