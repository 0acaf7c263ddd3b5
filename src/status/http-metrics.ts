import type { FastifyInstance } from "fastify";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Metrics of the HTTP server. */
export interface HttpMetrics {
  /** Counts and times the requests of this server; reads its open connections and event streams on each scrape. */
  observeHttp(server: FastifyInstance, openStreams: () => number): void;
  connectionDropped(reason: string): void;
  wrongApiKey(): void;
}

export function createHttpMetrics(registry: Registry): HttpMetrics {
  const registers = [registry];
  let observed: { server: FastifyInstance; openStreams: () => number } | null = null;
  const seconds = new Histogram({
    name: "http_request_seconds",
    help: "Duration of HTTP requests, by route and status; event streams excluded",
    labelNames: ["route", "status"],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });
  const dropped = new Counter({
    name: "http_connections_dropped_total",
    help: "Connections that the server refused or cut off, by reason",
    labelNames: ["reason"],
    registers,
  });
  const wrongKeys = new Counter({
    name: "http_wrong_keys_total",
    help: "HTTP requests with an API key that is wrong",
    registers,
  });
  new Gauge({
    name: "http_connections",
    help: "Open HTTP connections",
    registers,
    async collect() {
      this.set(observed ? await countConnections(observed.server) : 0);
    },
  });
  new Gauge({
    name: "http_streams",
    help: "Open event streams",
    registers,
    collect() {
      this.set(observed?.openStreams() ?? 0);
    },
  });

  return {
    connectionDropped: (reason) => dropped.inc({ reason }),
    wrongApiKey: () => wrongKeys.inc(),
    observeHttp(server, openStreams) {
      observed = { server, openStreams };
      server.addHook("onResponse", async ({ routeOptions }, reply) => {
        if (routeOptions.config.isStream) return;
        // The route's pattern, not the URL: label values must be few.
        seconds.observe({ route: routeOptions.url ?? "none", status: reply.statusCode }, reply.elapsedTime / 1_000);
      });
    },
  };
}

function countConnections({ server }: FastifyInstance): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count ?? 0)));
}
