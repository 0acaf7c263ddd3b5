import { describeEvent, storePage } from "../catalog/event-text.ts";
import type { EventView } from "../catalog/event-views.ts";
import type { Message } from "./message.ts";

/** Messages for a webhook of a Discord channel: https://docs.discord.com/developers/resources/webhook#execute-webhook */

/** Embeds that one message may have. */
export const maxEmbeds = 10;
/** Discord's limits are 256 and 4,096 characters, and 6,000 of all embeds of a message together. */
const maxTitle = 200;
const maxDescription = 380;

export function discordMessage(events: readonly EventView[]): Message {
  return discord({ embeds: events.map(embedOf) });
}

export function discordTestMessage(): Message {
  return discord({ content: "A test of steam-pics-sync: events will come here." });
}

function discord(message: object): Message {
  // Names come from Steam's partners: none of them mentions anybody.
  const body = JSON.stringify({ ...message, allowed_mentions: { parse: [] } });
  return { headers: { "content-type": "application/json" }, body };
}

function embedOf(event: EventView) {
  const { appid, name, image, detected_at } = event;
  return {
    title: markdownSafe(name ?? `App ${appid}`, maxTitle),
    description: markdownSafe(describeEvent(event), maxDescription),
    url: storePage(appid),
    timestamp: detected_at,
    ...(image !== null && { thumbnail: { url: image } }),
  };
}

/** Escaped, so that a name is shown as it is; cut before that, and never in the middle of an escape. */
function markdownSafe(text: string, most: number): string {
  const escaped = [...text].map((letter) => letter.replace(/[\\`*_~|<>[\]()#]/, "\\$&"));
  let length = 0;
  const shown = escaped.filter((letter) => {
    length += letter.length;
    return length < most;
  });
  return shown.length === escaped.length ? shown.join("") : `${shown.join("")}…`;
}
