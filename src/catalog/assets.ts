import type { Assets } from "./app-record.ts";

/**
 * The addresses of an app's art, in the shape of the paths.
 *
 * The bases are those that public clients use (`https://shared.akamai.steamstatic.com/store_item_assets/…` for the art of
 * store and library, `https://cdn.akamai.steamstatic.com/steamcommunity/public/images/apps/…` for icons); they come from
 * reading, and were not verified against Steam's servers. Segments of a path are percent-encoded.
 */
export function assetUrls(appid: number, assets: Assets): Assets;
export function assetUrls(appid: number, assets: Assets | null): Assets | null;
export function assetUrls(appid: number, assets: Assets | null): Assets | null {
  return assets && mapValues(assets, (paths, kind) => mapValues(paths, (path) => assetUrl(appid, kind, path)));
}

/** The address of an app's header, the wide image of its store page, from its path. */
export const headerUrl = (appid: number, path: string): string => assetUrl(appid, "header", path);

/** The host of the art of store and library; icons have another. */
export const artOrigin = "https://shared.akamai.steamstatic.com";
const storeBase = `${artOrigin}/store_item_assets/steam/apps`;
const iconBase = "https://cdn.akamai.steamstatic.com/steamcommunity/public/images/apps";

function assetUrl(appid: number, kind: string, path: string): string {
  const segments = path.split("/").map(encodeURIComponent);
  return `${kind === "icons" ? iconBase : storeBase}/${appid}/${segments.join("/")}`;
}

function mapValues<T, U>(record: Record<string, T>, map: (value: T, key: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}
