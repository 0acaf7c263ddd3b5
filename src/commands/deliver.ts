import { createDeliverer } from "../webhooks/deliverer.ts";
import { createPoster } from "../webhooks/post.ts";
import { createWebhookStore } from "../webhooks/store.ts";
import type { App } from "./app.ts";

const stopLimitMs = 7_000;

/** Delivers events to webhooks beside the work of a service. */
export function startDeliverer(app: App): void {
  const { config, db, retry, reader, logger, lifecycle, metrics } = app;
  const poster = createPoster({ allowPrivate: config.webhooks.allowPrivate });
  const deliverer = createDeliverer({
    store: createWebhookStore(db, retry),
    reader,
    retry,
    poster,
    lease: app.leaderLease("webhooks", config.bulk.leaseMs),
    logger,
    onOutcome: metrics.webhookAnswered,
  });
  let hasWarned = config.history;
  app.onBacklog(({ webhooks: { total, dead, disabled } }) => {
    const live = total - dead - disabled;
    if (live > 0 && !hasWarned)
      logger.warn({ webhooks: live }, "HISTORY=off: what this worker stores makes no events for webhooks");
    hasWarned ||= live > 0;
    deliverer.wanted(live > 0);
  });
  lifecycle.onShutdown("webhooks", () => deliverer.stop().finally(() => poster.close()), stopLimitMs);
  void deliverer.run();
}
