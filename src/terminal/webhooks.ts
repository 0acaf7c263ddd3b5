import { STATUS_CODES } from "node:http";
import type { Answer } from "../webhooks/post.ts";
import { shortId, shownUrl } from "../webhooks/shown.ts";
import type { EventFilters, WebhookRow } from "../webhooks/store.ts";
import { formatCount, formatDuration } from "./format.ts";
import { clean, facts, formatAge, formatMoment, paint, type Terminal } from "./layout.ts";

/** What `webhook add` prints. `secret` is null where the receiver checks no signature. */
export function formatAddedWebhook(webhook: WebhookRow, secret: string | null): string {
  const id = shortId(webhook.id);
  const lines = [`Webhook ${id} added: ${describeFilters(webhook.filters)}, to ${shownUrl(webhook.url)}`];
  if (secret !== null)
    lines.push("", "Its secret, with which the receiver checks the signature, is shown only now:", `  ${secret}`);
  lines.push("", `A running service begins within seconds. \`npm start -- webhook test ${id}\` sends a test message.`);
  return `${lines.join("\n")}\n`;
}

export function formatWebhooks(webhooks: readonly WebhookRow[], terminal: Terminal, now: number): string {
  if (webhooks.length === 0) return "There are no webhooks; `webhook add URL` makes one.\n";
  const blocks = webhooks.map((webhook) => {
    const { state, last_error, failing_since, next_attempt_at, last_success_at, delivered, lag_seconds } = webhook;
    const colour = state === "live" ? "green" : state === "failing" ? "yellow" : "red";
    const moment = (time: string | null) => (time === null ? null : formatMoment(time, now));
    const error =
      last_error === null
        ? null
        : `${clean(last_error)}${webhook.attempts > 1 ? ` (${formatCount(webhook.attempts)} ×)` : ""}`;
    return [
      `${paint(terminal, "bold", shortId(webhook.id))}  ${paint(terminal, colour, state)}  ${clean(shownUrl(webhook.url))}`,
      ...facts(
        [
          ["Events", describeFilters(webhook.filters)],
          ["Format", webhook.format === "standard" ? null : webhook.format],
          ["Delivered", formatCount(delivered)],
          ["Last delivery", moment(last_success_at)],
          ["Behind", lag_seconds === 0 ? null : formatAge(lag_seconds)],
          ["Failing since", moment(failing_since)],
          ["Last error", error],
          ["Next attempt", state === "failing" ? moment(next_attempt_at) : null],
          ["To revive it", state === "dead" || state === "disabled" ? `webhook retry ${shortId(webhook.id)}` : null],
        ],
        terminal,
      ),
    ].join("\n");
  });
  return `${blocks.join("\n\n")}\n`;
}

/** What `webhook test` prints: the answer as it came. */
export function formatTestAnswer(answer: Answer, ms: number): string {
  if (answer.kind !== "answered") return `No delivery: ${clean(answer.reason)}\n`;
  const { status, location, body } = answer;
  const lines = [`${status} ${STATUS_CODES[status] ?? ""} after ${formatDuration(ms / 1_000)}`];
  if (location !== null) lines.push(`Location: ${clean(location)} (redirects are not followed)`);
  lines.push(
    ...body
      .split("\n")
      .map(clean)
      .filter((line) => line !== ""),
  );
  return `${lines.join("\n")}\n`;
}

/** `build, released of 730, developer Valve`. */
function describeFilters({ events, branch, appids, types, relations = [], min_reviews }: EventFilters): string {
  const conditions = [
    ...(branch === undefined ? [] : [`branch ${branch}`]),
    ...(appids === undefined ? [] : [`app ${appids.join(", ")}`]),
    ...(types === undefined ? [] : [`type ${types.join(", ")}`]),
    ...relations.map(([relation, value]) => `${relation} ${value}`),
    ...(min_reviews === undefined ? [] : [`at least ${formatCount(min_reviews)} reviews`]),
  ];
  const kinds = events === undefined ? "all events" : events.join(", ");
  return clean(conditions.length === 0 ? kinds : `${kinds} of ${conditions.join("; ")}`);
}
