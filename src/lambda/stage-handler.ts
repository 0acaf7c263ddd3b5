import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import { Tracer } from "@aws-lambda-powertools/tracer";
import { captureLambdaHandler } from "@aws-lambda-powertools/tracer/middleware";
import middy from "@middy/core";
import type { Context } from "aws-lambda";
import type { z } from "zod";
import { answer, type Failure } from "../library/events.ts";
import { openRuntime, type Runtime } from "./runtime.ts";

/** Time before Lambda's own end in which a stage still says why it stopped. */
const spareMs = 5_000;

/** One per execution environment: warm invocations find it open. */
let opening: Promise<Runtime> | null = null;

/**
 * A stage as a Lambda handler: `handler(event, context)`. Faults that a retry may cure are thrown; the others are answered with `success: false`
 * and an `error` for people.
 */
export function stageHandler<Event, Response extends { success: true }>(
  stage: string,
  shape: z.ZodType<Event>,
  run: (event: Event, runtime: Runtime, signal: AbortSignal) => Promise<Response>,
) {
  const serviceName = "steam-library-import";
  const logger = new Logger({ serviceName, persistentLogAttributes: { stage } });
  const tracer = new Tracer({ serviceName });
  // The dimension is given here: as an option of `logMetrics` each warm invocation would add it again, with a warning.
  const metrics = new Metrics({ namespace: "SteamLibraryImport", serviceName, defaultDimensions: { stage } });

  async function handle(event: unknown, context: Context): Promise<Response | Failure> {
    try {
      const runtime = await openOnce();
      const limit = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - spareMs));
      const response = await answer(shape, event, (valid) => run(valid, runtime, limit));
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

async function openOnce(): Promise<Runtime> {
  opening ??= openRuntime();
  try {
    return await opening;
  } catch (error) {
    opening = null; // The next invocation tries again.
    throw error;
  }
}
