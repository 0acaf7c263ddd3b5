import type { Assets } from "./app-record.ts";
import type { KeyValues } from "./key-values.ts";
import { block, languageKey, text, texts, type Value } from "./values.ts";

/** File extension of each icon of `common`, whose value is the file's SHA-1 (`logo_small`: mostly `<sha>_thumb`). */
const iconExtensions = {
  icon: "jpg",
  logo: "jpg",
  logo_small: "jpg",
  clienticon: "ico",
  clienticns: "icns",
  clienttga: "tga",
  linuxclienticon: "zip",
};

/**
 * The art that `common` names, as paths; null when it names none.
 *
 * Sources: `header_image` and `small_capsule` {language path, image2x {language path}}, `library_assets_full` {kind {image
 * {language path}, image2x {…}}} for whatever kinds it has, and the icons. `image2x`, of twice the size, becomes a kind
 * of its own (`header_2x`); one app of 1,690 has `images` for `image`. The older `library_assets` names no paths.
 */
export function assets(common: KeyValues): Assets | null {
  const named: Art[] = [
    ["icons", icons(common)],
    ...storeArt("header", block(common.get("header_image"))),
    ...storeArt("small_capsule", block(common.get("small_capsule"))),
    ...block(common.get("library_assets_full"))
      .entries()
      .flatMap(([kind, art]) => libraryArt(kind, block(art))),
  ];
  const found = new Map<string, Record<string, string>>();
  for (const [kind, art] of named) if (art !== null && !found.has(kind)) found.set(kind, art);
  return found.size === 0 ? null : Object.fromEntries(found);
}

type Art = [kind: string, paths: Record<string, string> | null];

function storeArt(kind: string, art: KeyValues): Art[] {
  return [
    [kind, paths(art)],
    [`${kind}_2x`, paths(art.get("image2x"))],
  ];
}

function libraryArt(kind: string, art: KeyValues): Art[] {
  if (!/^[a-z0-9_]+$/.test(kind)) return [];
  return [
    [kind, paths(art.get("image")) ?? paths(art.get("images"))],
    [`${kind}_2x`, paths(art.get("image2x"))],
  ];
}

/** `{ "english" "header.jpg" … }`. */
function paths(byLanguage: Value): Record<string, string> | null {
  return texts(byLanguage, languageKey, relativePath);
}

/**
 * A path below the app's folder: clients build addresses of it. Null for `..`, a scheme, an absolute path, a backslash or a
 * control character.
 */
function relativePath(value: Value): string | null {
  const path = text(value);
  if (path === null || /[\p{Cc}\\:]/u.test(path)) return null;
  return path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..") ? path : null;
}

function icons(common: KeyValues): Record<string, string> | null {
  const found = Object.entries(iconExtensions).flatMap(([name, extension]) => {
    const hash = text(common.get(name));
    return hash !== null && /^[0-9a-f]{40}(_thumb)?$/.test(hash) ? [[name, `${hash}.${extension}`]] : [];
  });
  return found.length === 0 ? null : Object.fromEntries(found);
}
