import { randomUUID } from "node:crypto";
import { createCatalogReader } from "../db/catalog-reader.ts";
import { filtersOf, readEvents } from "../http/api/events.ts";
import { eventsOfAll } from "../http/api/parameters.ts";
import { parseParameters } from "../http/api/validation.ts";
import { Problem } from "../http/problem.ts";
import type { Config } from "../process/config.ts";
import { ConfigError, NotFoundError } from "../process/errors.ts";
import { createLifecycle, exitCodeOf, exitCodes } from "../process/lifecycle.ts";
import type { Output } from "../process/logger.ts";
import { type Terminal, terminalOf } from "../terminal/layout.ts";
import { formatAddedWebhook, formatTestAnswer, formatWebhooks } from "../terminal/webhooks.ts";
import { webhookUrlFault } from "../webhooks/check-url.ts";
import { discordTestMessage } from "../webhooks/discord.ts";
import { newSecret, testMessage } from "../webhooks/message.ts";
import { outcomeOf } from "../webhooks/outcome.ts";
import { createPoster } from "../webhooks/post.ts";
import { shortId, shownUrl } from "../webhooks/shown.ts";
import { createWebhookStore, type EventFilters, type Webhook, type WebhookStore } from "../webhooks/store.ts";
import { type App, openApp } from "./app.ts";
import type { WebhookAdd, WebhookCommand } from "./args.ts";
import { createQuietLogger, printError } from "./read.ts";

/** The commands of webhooks: add, list, test, retry and remove. */

interface Result {
  text: string;
  /** Exit code. */
  code: number;
}

/** Runs the command, and ends the process. Standard output gets the result and nothing else. */
export async function runWebhookCommand(command: WebhookCommand, config: Config, output: Output): Promise<void> {
  const logger = createQuietLogger(config);
  const lifecycle = createLifecycle({ kind: "one-off", logger });
  try {
    if (command.action === "add" && !config.history) throw new ConfigError(noHistory);
    const app = await openApp(
      { config, output, logger, lifecycle },
      { mode: "webhook", isService: false, isWorker: false, runsBesideOwner: true },
    );
    const { text, code } = await resultOf(command, app, terminalOf(output.stream));
    output.write(text);
    await output.flushed();
    await lifecycle.exitWith(code);
  } catch (error) {
    if (!lifecycle.signal.aborted) printError(error, config, logger);
    await lifecycle.exitWith(exitCodeOf(error), "a fault");
  }
}

const noHistory =
  "HISTORY=off records no changes, so there are no events that a webhook could be told of: remove that setting first.";

async function resultOf(command: WebhookCommand, app: App, terminal: Terminal): Promise<Result> {
  const store = createWebhookStore(app.db, app.retry);
  const done = (text: string): Result => ({ text, code: exitCodes.done });
  switch (command.action) {
    case "add":
      return done(await add(command, app, store));
    case "list": {
      const webhooks = await store.list();
      const text = command.json
        ? `${JSON.stringify(
            webhooks.map((each) => ({ ...each, url: shownUrl(each.url) })),
            null,
            2,
          )}\n`
        : formatWebhooks(webhooks, terminal, Date.now());
      return done(text);
    }
    case "test":
      return await test(await one(store, command.id), app.config);
    case "retry": {
      const { id } = await one(store, command.id);
      await store.revive(id);
      return done(
        `Webhook ${shortId(id)} is live; events come from where it stopped, within seconds of a running service.\n`,
      );
    }
    case "remove": {
      const { id } = await one(store, command.id);
      await store.remove(id);
      return done(`Webhook ${shortId(id)} removed.\n`);
    }
  }
}

async function add({ url, format, after, parameters }: WebhookAdd, app: App, store: WebhookStore): Promise<string> {
  const { allowPrivate } = app.config.webhooks;
  const fault = await webhookUrlFault(url, { format, allowPrivate });
  if (fault !== null) throw new ConfigError(fault);
  const filters = await checkedFilters(parameters, app);
  const secret = newSecret();
  const added = await store.add({ id: randomUUID(), url, secret, format, filters, after });
  if ("deleted_up_to" in added) {
    throw new ConfigError(
      `Events up to ${added.deleted_up_to} are deleted (HISTORY_DAYS): --after ${added.deleted_up_to} begins with what is kept.`,
    );
  }
  return formatAddedWebhook(added, format === "standard" ? secret : null);
}

/** Checks the filters as the API does, with its messages. */
async function checkedFilters(parameters: WebhookAdd["parameters"], { db }: App): Promise<EventFilters> {
  try {
    const filters = filtersOf(parseParameters(eventsOfAll, parameters));
    await readEvents(createCatalogReader(db), { ...filters, max: 1 });
    // As they are stored: without what is absent.
    return JSON.parse(JSON.stringify(filters)) as EventFilters;
  } catch (error) {
    throw error instanceof Problem ? new ConfigError(error.message) : error;
  }
}

/** Sends a test message now, whatever state the webhook is in. */
async function test(webhook: Webhook, config: Config): Promise<Result> {
  const poster = createPoster({ allowPrivate: config.webhooks.allowPrivate });
  const { headers, body } = webhook.format === "discord" ? discordTestMessage() : testMessage(webhook, new Date());
  const startedAt = performance.now();
  const answer = await poster.post({ url: webhook.url, headers, body });
  poster.close();
  const code = outcomeOf(answer) === "delivered" ? exitCodes.done : exitCodes.fault;
  return { text: formatTestAnswer(answer, performance.now() - startedAt), code };
}

/** The webhook whose id begins so. */
async function one(store: WebhookStore, prefix: string): Promise<Webhook> {
  const [found, ...others] = await store.find(prefix.toLowerCase());
  if (found === undefined)
    throw new NotFoundError(`No webhook has an id that begins with ${prefix}; \`webhook list\` shows them.`);
  if (others.length > 0) {
    throw new NotFoundError(`${others.length + 1} webhooks have an id that begins with ${prefix}: write more of it.`);
  }
  return found;
}
