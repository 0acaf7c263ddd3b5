import { artOrigin } from "../../catalog/assets.ts";
import { contentSecurityPolicy } from "../content-security-policy.ts";
import type { HttpSettings } from "../deps.ts";

/** What the service's settings change for the pages: the content policy, and what they can show. */

/** The policy of all pages: no text becomes markup (trusted types), and images come from elsewhere only where art is switched on. */
export function pagePolicy({ art }: Pick<HttpSettings, "art">): string {
  return contentSecurityPolicy({
    "require-trusted-types-for": "'script'",
    ...(art && { "img-src": `'self' ${artOrigin}` }),
  });
}

/** Declared for the type checker by page/settings.d.ts. */
export interface PageSettings {
  /** The API, which the pages of apps and lists read, is served. */
  api: boolean;
  art: boolean;
  depots: boolean;
  /** Events are recorded. */
  history: boolean;
  /** Days after which events are deleted; null: never. */
  historyDays: number | null;
}

/** The module `/dashboard/settings.js`: what the pages must know before the event stream speaks. */
export function settingsModule({ api, art, keep, history, historyDays }: HttpSettings): string {
  const settings: PageSettings = { api, art, depots: keep.depots, history, historyDays };
  return `export const settings = ${JSON.stringify(settings)};\n`;
}
