import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import staticFiles from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { contentSecurityPolicy } from "../content-security-policy.ts";
import { endpointsOf, type ServerDeps } from "../deps.ts";
import { limitRate } from "../rate-limit.ts";
import { createDashboardEvents } from "./events.ts";
import { startThroughputSampler } from "./throughput.ts";

const page = fileURLToPath(new URL("./page", import.meta.url));
const charts = dirname(createRequire(import.meta.url).resolve("uplot/dist/uPlot.min.css"));

/** No text becomes markup (trusted types). */
const pagePolicy = contentSecurityPolicy({ "require-trusted-types-for": "'script'" });

/** Serves the page at `/`, its files as they are in the repository (no build step), and its event stream. */
export async function registerDashboard(scope: FastifyInstance, deps: ServerDeps): Promise<void> {
  const { settings, snapshot, streams, keys } = deps;
  const throughput = startThroughputSampler(() => snapshot().apps_stored);
  scope.addHook("onClose", async () => throughput.stop());
  const events = createDashboardEvents({ ...deps, throughput });
  limitRate(scope);
  keys.protect(scope);

  await scope.register(staticFiles, {
    root: page,
    prefix: "/dashboard/",
    index: false,
    cacheControl: false,
    setHeaders: (reply) => reply.header("cache-control", "no-cache"),
  });
  await scope.register(staticFiles, {
    root: charts,
    prefix: "/dashboard/uplot/",
    decorateReply: false,
    index: false,
    allowedPath: (path) => path.startsWith("/uPlot"),
    cacheControl: false,
    setHeaders: (reply) => reply.header("cache-control", "no-cache"),
  });

  scope.get("/", async ({ headers }, reply) => {
    reply.header("vary", "accept");
    if (!headers.accept?.includes("text/html")) return { service: "steam-pics-sync", endpoints: endpointsOf(settings) };
    reply.header("content-security-policy", pagePolicy);
    return reply.sendFile("index.html");
  });
  scope.get("/dashboard/stream", { config: { isStream: true }, exposeHeadRoute: false }, async (_request, reply) => {
    await streams.send(reply, events.follow);
  });
}
