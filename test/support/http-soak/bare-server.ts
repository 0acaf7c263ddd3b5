/**
 * The HTTP server alone, without a database or Steam, as a process whose limits a test sets: it prints its address, then its log.
 *
 *     prlimit --nofile=100 node test/support/http-soak/bare-server.ts
 */
import { buildServer } from "../../../src/http/server.ts";
import { loadConfig } from "../../../src/process/config.ts";
import { createLogger, createOutput } from "../../../src/process/logger.ts";
import { createMetrics } from "../../../src/status/metrics.ts";
import { idleSnapshot } from "../idle-snapshot.ts";

const config = loadConfig(process.env);
const server = buildServer({
  snapshot: () => idleSnapshot,
  reader: () => null,
  metrics: createMetrics(),
  settings: { ...config.http, keep: config.keep, history: config.history, historyDays: config.historyDays },
  logger: createLogger({ level: "info", output: createOutput() }),
});
process.stdout.write(`${await server.listen({ port: 0, host: "127.0.0.1" })}\n`);
// Without it the process keeps to half of the file descriptors: this is how a process fares whose other half is used up as well.
if (process.env.IGNORE_FILE_LIMIT === "on") server.server.maxConnections = config.http.maxConnections;
