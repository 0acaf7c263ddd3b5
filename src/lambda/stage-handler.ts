import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import { Tracer } from "@aws-lambda-powertools/tracer";
import { captureLambdaHandler } from "@aws-lambda-powertools/tracer/middleware";
import middy from "@middy/core";
import type { Context } from "aws-lambda";
import type { z } from "zod";
import { type Failure, handleEvent } from "../library/events.ts";
import { type Runtime, withRuntime } from "./runtime.ts";

/** A stage is aborted this long before Lambda's timeout, so that its error is still logged and counted. */
const shutdownReserveMs = 5_000;

/**
 * Wraps a stage as a Lambda handler, `handler(event, context)`, with logs, metrics and traces. Transient failures are
 * thrown, so that Step Functions retries them; permanent ones become the response `{ success: false, error }`, with a
 * message for the user.
 */
export function stageHandler<Event, Response extends { success: true }>(
  stage: string,
  shape: z.ZodType<Event>,
  run: (event: Event, runtime: Runtime, signal: AbortSignal) => Promise<Response>,
) {
  const serviceName = "steam-library-import";
  const logger = new Logger({ serviceName, persistentLogAttributes: { stage } });
  const tracer = new Tracer({ serviceName });
  // Not as an option of `logMetrics`: each warm invocation would add the dimension again and log a warning.
  const metrics = new Metrics({ namespace: "SteamLibraryImport", serviceName, defaultDimensions: { stage } });

  async function handle(event: unknown, context: Context): Promise<Response | Failure> {
    try {
      const limit = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - shutdownReserveMs));
      const response = await handleEvent(shape, event, (valid) => withRuntime((runtime) => run(valid, runtime, limit)));
      if (response.success) logger.info(`${stage} finished`, { response });
      else logger.warn(`${stage} refused: ${response.error}`);
      metrics.addMetric(response.success ? "Finished" : "Refused", MetricUnit.Count, 1);
      return response;
    } catch (error) {
      metrics.addMetric("Failed", MetricUnit.Count, 1);
      throw error;
    }
  }

  return middy(handle)
    .use(captureLambdaHandler(tracer, { captureResponse: false }))
    .use(injectLambdaContext(logger))
    .use(logMetrics(metrics, { captureColdStartMetric: true }));
}
