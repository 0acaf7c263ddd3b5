import { createReextract } from "../sync/reextract.ts";
import { formatReextractLine } from "../terminal/bars.ts";
import { createProgress } from "../terminal/progress-bar.ts";
import { reportReextractSummary } from "../terminal/reextract-summary.ts";
import type { App } from "./app.ts";
import { poolSettings, startKeyCensus, writeDeps } from "./write-deps.ts";

const stopLimitMs = 7_000;
const logEveryMs = 5_000;

/** `reextract`: reads the kept app info again, to its end. */
export async function runReextract(app: App): Promise<void> {
  const { config, output, logger, lifecycle } = app;
  const census = startKeyCensus(app);
  const reextract = createReextract({
    ...writeDeps(app, { acceptUnknown: false }),
    census,
    ...poolSettings(config, config.bulk.batchSize),
    // Nothing is retried: a text that cannot be read stays so until a later version reads it.
    appBackoff: config.monitor.appBackoff,
  });
  const progress = createProgress({
    line: (width) => formatReextractLine(reextract.status(), width),
    fields: () => ({ reextract: reextract.status() }),
    message: "reading kept app info again",
    linesEveryMs: logEveryMs,
    output,
    logger,
  });
  lifecycle.onShutdown("progress", () => progress.stop());
  lifecycle.onShutdown("reextract", () => reextract.stop(), stopLimitMs);
  progress.start();
  try {
    const summary = await reextract.run();
    progress.stop();
    await census.stop();
    reportReextractSummary(summary, output, logger);
  } finally {
    progress.stop();
    await census.stop();
  }
}
