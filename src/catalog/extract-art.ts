import type { Assets } from "./app-record.ts";
import type { KeyValues } from "./key-values.ts";
import { block, languageKey, text, texts, type Value } from "./values.ts";

/** File extension of each icon of `common`, whose value is the file's SHA-1 (`logo_small`: mostly `<sha>_thumb`). */
const iconExtensions = [
  ["icon", "jpg"],
  ["logo", "jpg"],
  ["logo_small", "jpg"],
  ["clienticon", "ico"],
  ["clienticns", "icns"],
  ["clienttga", "tga"],
  ["linuxclienticon", "zip"],
] as const;

/**
 * The art that `common` names, as paths; null when it names none.
 *
 * Sources: `header_image` and `small_capsule` {language path, image2x {language path}}, `library_assets_full` {kind {image
 * {language path}, image2x {…}}} for whatever kinds it has, and the icons. `image2x`, of twice the size, becomes a kind
 * of its own (`header_2x`); one app of 1,690 has `images` for `image`. The older `library_assets` names no paths.
 */
export function assets(common: KeyValues): Assets | null {
  const found = new Map<string, Record<string, string>>();
  const add = (kind: string, art: Record<string, string> | null) => {
    if (art !== null && !found.has(kind)) found.set(kind, art);
  };
  add("icons", icons(common));
  for (const [kind, key] of storeArt) {
    const art = block(common.get(key));
    add(kind, paths(art));
    add(`${kind}_2x`, paths(art.get("image2x")));
  }
  block(common.get("library_assets_full")).each((_, value, kind) => {
    if (!/^[a-z0-9_]+$/.test(kind)) return;
    const art = block(value);
    add(kind, paths(art.get("image")) ?? paths(art.get("images")));
    add(`${kind}_2x`, paths(art.get("image2x")));
  });
  return found.size === 0 ? null : Object.fromEntries(found);
}

/** Kinds of art with the keys of `common` that name them. */
const storeArt = [
  ["header", "header_image"],
  ["small_capsule", "small_capsule"],
] as const;

/** `{ "english" "header.jpg" … }`. */
function paths(byLanguage: Value): Record<string, string> | null {
  return texts(byLanguage, languageKey, relativePath);
}

/**
 * A path below the app's folder: clients build addresses of it. Null for a segment `..`, `.` or an empty one, a scheme, an absolute path, a
 * backslash or a control character.
 */
function relativePath(value: Value): string | null {
  const path = text(value);
  if (path === null || /[\p{Cc}\\:]/u.test(path)) return null;
  const hasOddSegment = /(^|\/)\.{0,2}(\/|$)/.test(path);
  return hasOddSegment ? null : path;
}

function icons(common: KeyValues): Record<string, string> | null {
  const found: [string, string][] = [];
  for (const [name, extension] of iconExtensions) {
    const hash = text(common.get(name));
    if (hash !== null && /^[0-9a-f]{40}(_thumb)?$/.test(hash)) found.push([name, `${hash}.${extension}`]);
  }
  return found.length === 0 ? null : Object.fromEntries(found);
}
