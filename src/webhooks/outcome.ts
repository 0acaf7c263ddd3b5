import { STATUS_CODES } from "node:http";
import type { Answer } from "./post.ts";

/** What an answer means for the delivery. Label of the metric `webhook_deliveries_total`. */
export const deliveryOutcomes = [
  "delivered",
  "redirected",
  "gone",
  "rejected",
  "limited",
  "server_error",
  "timeout",
  "unreachable",
  "refused",
] as const;
export type DeliveryOutcome = (typeof deliveryOutcomes)[number];

/** Only a 2xx is a delivery. */
export function outcomeOf(answer: Answer): DeliveryOutcome {
  if (answer.kind !== "answered") return answer.kind;
  const { status } = answer;
  if (status >= 200 && status < 300) return "delivered";
  if (status === 410) return "gone";
  if (status === 429) return "limited";
  if (status >= 300 && status < 400) return "redirected";
  return status < 500 ? "rejected" : "server_error";
}

/** The answer in words, without its body. */
export function describeAnswer(answer: Answer): string {
  if (answer.kind !== "answered") return answer.reason;
  const { status, location } = answer;
  const text = `answered ${`${status} ${STATUS_CODES[status] ?? ""}`.trim()}`;
  if (outcomeOf(answer) !== "redirected") return text;
  const to = location === null ? null : URL.parse(location);
  return `${text}, a redirect, which is not followed${to === null ? "" : `: it names ${to.host}`}`;
}
