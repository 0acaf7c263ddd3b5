/** Webhooks as people see them, in logs and on a terminal. */

/** As much of an id as people need. */
export const shortId = (id: string): string => id.slice(0, 8);

export const isDiscordHost = (hostname: string): boolean => /(^|\.)discord(app)?\.com$/.test(hostname);

/** The address without its query, and without the token of Discord's. */
export function shownUrl(text: string): string {
  const { origin, hostname, pathname, search } = new URL(text);
  const path = isDiscordHost(hostname) ? pathname.replace(/[^/]+$/, "…") : pathname;
  return `${origin}${path}${search === "" ? "" : "?…"}`;
}
