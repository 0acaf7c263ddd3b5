import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import staticFiles from "@fastify/static";
import type { FastifyInstance, FastifyReply } from "fastify";
import * as codeNames from "../../catalog/code-names.ts";
import { endpointsOf, type ServerDeps } from "../deps.ts";
import { limitRate } from "../rate-limit.ts";
import { createDashboardEvents } from "./events.ts";
import { pagePolicy, settingsModule } from "./page-settings.ts";
import { startThroughputSampler } from "./throughput.ts";

const page = fileURLToPath(new URL("./page", import.meta.url));
const manifest: { version: string; repository?: string | { url: string }; homepage?: string } = JSON.parse(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
);

/** Paths of the pages beside `/`. The page's own router (page/app.js) decides what each shows. */
const pagePaths = ["/apps", "/app/:appid"];

/** Serves the page at `/`, its files as they are in the repository (no build step), and its event stream. */
export async function registerDashboard(scope: FastifyInstance, deps: ServerDeps): Promise<void> {
  const { settings, snapshot, streams, keys } = deps;
  const throughput = startThroughputSampler(() => snapshot().apps_stored);
  scope.addHook("onClose", async () => throughput.stop());
  const service = {
    version: manifest.version,
    repository: repositoryPage(),
    api: settings.api,
    history: settings.history,
  };
  const events = createDashboardEvents({ ...deps, throughput, service });
  limitRate(scope);
  keys.protect(scope);

  await scope.register(staticFiles, {
    root: page,
    prefix: "/dashboard/",
    index: false,
    cacheControl: false,
    setHeaders: (reply) => reply.header("cache-control", "no-cache"),
  });
  const modules = { "code-names": codeNamesModule, settings: settingsModule(settings) };
  for (const [name, module] of Object.entries(modules)) {
    scope.get(`/dashboard/${name}.js`, async (_request, reply) => {
      reply.header("cache-control", "no-cache").type("text/javascript; charset=utf-8");
      return module;
    });
  }

  const policy = pagePolicy(settings);
  const sendPage = (reply: FastifyReply) =>
    reply.header("content-security-policy", policy).header("cache-control", "no-cache").sendFile("index.html");
  scope.get("/", async ({ headers }, reply) => {
    reply.header("vary", "accept");
    if (!headers.accept?.includes("text/html")) return { service: "steam-pics-sync", endpoints: endpointsOf(settings) };
    return sendPage(reply);
  });
  for (const path of pagePaths) scope.get(path, async (_request, reply) => sendPage(reply));
  scope.get("/dashboard/stream", { config: { isStream: true }, exposeHeadRoute: false }, async (_request, reply) => {
    await streams.send(reply, events.follow);
  });
}

/** src/catalog/code-names.ts as a module for the browser, so that Steam's codes have one home. */
const codeNamesModule = Object.entries(codeNames)
  .filter(([, words]) => typeof words === "object")
  .map(([name, words]) => [name, words instanceof Map ? [...words] : Object.entries(words)])
  .map(([name, words]) => `export const ${name} = new Map(${JSON.stringify(words)});\n`)
  .join("");

/** Address of the repository's page, from package.json; null where it names none. */
function repositoryPage(): string | null {
  const { repository, homepage } = manifest;
  const url = typeof repository === "object" ? repository.url : repository;
  return url?.replace(/^git\+/, "").replace(/\.git$/, "") ?? homepage ?? null;
}
