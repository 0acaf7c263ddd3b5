import { STATUS_CODES } from "node:http";
import { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, fastify, LogController } from "fastify";
import type { Logger } from "../logger.ts";
import { assessHealth, assessReady } from "./health.ts";
import type { ServiceSnapshot } from "./snapshots.ts";

export interface ServerOptions {
  /** Called for every request, so it must be cheap: it returns what is in memory. */
  snapshot: () => ServiceSnapshot;
  logger: Logger;
}

const endpoints = {
  "/health": "whether the process works: 200 with status starting, ok or degraded; 503 with status unhealthy",
  "/ready": "200 once this worker does its job, else 503",
  "/status": "what the worker, its connection to Steam and its database are doing",
};

const headers = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

/**
 * Builds the read-only HTTP side; the caller listens and closes. No request reaches a worker, the database or Steam.
 * Faults are `application/problem+json` (RFC 9457).
 */
export function buildServer({ snapshot, logger }: ServerOptions): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = logger;
  const server = fastify({
    loggerInstance,
    // Probes arrive every few seconds, so single requests are not logged.
    logController: new LogController({ disableRequestLogging: true }),
    // A path that cannot be decoded reaches no hook and no error handler.
    frameworkErrors: (error, _request, reply) => sendProblem(reply.headers(headers), 400, error.message),
  });

  server.addHook("onSend", async (_request, reply) => {
    reply.headers(headers);
  });

  server.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 404, `There is no ${request.method} ${request.url.split("?")[0]}; GET / lists what there is.`),
  );
  server.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, error.message);
    logger.error({ err: error }, "an HTTP request failed");
    return sendProblem(reply, status, "The service could not answer; its log says why.");
  });

  server.get("/", () => ({ service: "steam-pics-sync", endpoints }));

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

  server.get("/status", () => {
    const current = snapshot();
    return { ...current, uptime_seconds: uptimeSeconds(current), health: assessHealth(current, Date.now()) };
  });

  return server;
}

function uptimeSeconds({ started_at }: ServiceSnapshot): number {
  return Math.max(0, Math.round((Date.now() - Date.parse(started_at)) / 1000));
}

function sendProblem(reply: FastifyReply, status: number, detail: string) {
  return reply
    .code(status)
    .type("application/problem+json")
    .send(JSON.stringify({ type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail }));
}
