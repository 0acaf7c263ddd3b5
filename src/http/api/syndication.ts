import { Feed } from "feed";
import { describeEvent, storePage } from "../../catalog/event-text.ts";
import type { EventView } from "../../catalog/event-views.ts";

/** Events as a document for feed readers: Atom (RFC 4287) or JSON Feed 1.1. */

export interface Syndication {
  /** Where the document is served, with its filters. */
  address: string;
  title: string;
  events: readonly EventView[];
}

export const formats = {
  atom: { path: "/events.atom", contentType: "application/atom+xml; charset=utf-8", name: "Atom" },
  json: { path: "/events.json", contentType: "application/feed+json; charset=utf-8", name: "JSON Feed" },
} as const;
export type SyndicationFormat = keyof typeof formats;

export function syndicate(format: SyndicationFormat, { address, title, events }: Syndication): string {
  const feed = new Feed({
    id: address,
    title,
    link: address,
    generator: "steam-pics-sync",
    author: { name: "steam-pics-sync" },
    // An empty feed has no time of its own; the epoch keeps the document, and so its ETag, the same.
    updated: new Date(events[0]?.detected_at ?? 0),
    feedLinks: { [format]: address },
  });
  for (const event of events) feed.addItem(itemOf(event));
  return format === "atom" ? feed.atom1() : feed.json1();
}

function itemOf(event: EventView) {
  const { id, appid, name, image, detected_at } = event;
  const sentence = `${name ?? `App ${appid}`} ${describeEvent(event)}`;
  const date = new Date(detected_at);
  return {
    id: `urn:steam-pics-sync:event:${id}`,
    title: withoutControls(sentence),
    link: storePage(appid),
    date,
    published: date,
    description: withoutControls(sentence),
    content: `${image === null ? "" : `<p><img src="${escaped(image)}" alt=""></p>`}<p>${escaped(withoutControls(sentence))}</p>`,
    ...(image !== null && { image }),
    category: [{ name: event.event, term: event.event }],
  };
}

/** XML has no way to write most control characters. */
const withoutControls = (text: string) => text.replaceAll(/\p{Cc}/gu, " ");
const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
