import { hostFault, ruleOf } from "./post.ts";
import { isDiscordHost } from "./shown.ts";
import type { WebhookFormat } from "./store.ts";

const discordPath = /^\/api\/(v\d+\/)?webhooks\/\d+\/[\w-]+$/;

/** Why the address cannot be that of a webhook, as a sentence; null when it can. A name that does not resolve (yet) can. */
export async function webhookUrlFault(
  text: string,
  { format, allowPrivate }: { format: WebhookFormat; allowPrivate: boolean },
): Promise<string | null> {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return "The address must be a URL that begins with https://.";
  if (url.username !== "" || url.password !== "") return "The address must not hold a user or password.";
  if (url.protocol === "http:" && !allowPrivate) {
    return "The address must begin with https://; http is for private networks, which WEBHOOK_ALLOW_PRIVATE=on allows.";
  }
  const isDiscord = isDiscordHost(url.hostname);
  if (isDiscord && format === "standard") return "This is an address of Discord: add --format discord.";
  if (isDiscord && !discordPath.test(url.pathname)) {
    return "This is no webhook of Discord: its address is https://discord.com/api/webhooks/ID/TOKEN (channel settings, Integrations).";
  }
  const fault = await hostFault(url, { rule: ruleOf(url, allowPrivate), isProxied: true });
  return fault === null ? null : `${fault}.`;
}
