import { at, blockAt, type Pairs } from "./pairs.ts";
import { objectOf, text } from "./values.ts";

const iconFiles = [
  ["icon", ".jpg"],
  ["logo", ".jpg"],
  ["logo_small", ".jpg"],
  ["clienticon", ".ico"],
  ["clienticns", ".icns"],
  ["clienttga", ".tga"],
  ["linuxclienticon", ".zip"],
] as const;

/** The column `assets`: paths by kind and language, and the files of icons. */
export function readAssets(app: Pairs): Record<string, Record<string, string>> | null {
  const kinds: [string, Record<string, string> | null][] = [
    ["header", pathsAt(app, "header_image")],
    ["header_2x", pathsAt(app, "header_image", "image2x")],
    ["small_capsule", pathsAt(app, "small_capsule")],
    ["small_capsule_2x", pathsAt(app, "small_capsule", "image2x")],
  ];
  for (const [kind] of blockAt(app, "common", "library_assets_full") ?? []) {
    if (!/^[a-z0-9_]+$/.test(kind)) continue;
    const image = pathsAt(app, "library_assets_full", kind, "image");
    kinds.push([kind, image ?? pathsAt(app, "library_assets_full", kind, "images")]);
    kinds.push([`${kind}_2x`, pathsAt(app, "library_assets_full", kind, "image2x")]);
  }
  kinds.push([
    "icons",
    objectOf(
      iconFiles.map(([name, extension]) => {
        const hash = text(at(app, "common", name)) ?? "";
        return [name, /^[0-9a-f]{40}(?:_thumb)?$/.test(hash) ? hash + extension : null];
      }),
    ),
  ]);
  return objectOf(kinds);
}

function pathsAt(app: Pairs, ...path: string[]): Record<string, string> | null {
  const named = (blockAt(app, "common", ...path) ?? []).filter(([language]) => /^[a-z_]+$/.test(language));
  return objectOf(named.map(([language, value]) => [language, safePath(text(value) ?? "")]));
}

/** Relative, without empty segments, dots as segments, colons, backslashes and control characters. */
function safePath(path: string): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  const isOdd = /[\u0000-\u001f\u007f-\u009f:\\]/.test(path);
  return isOdd || path.split("/").some((segment) => ["", ".", ".."].includes(segment)) ? null : path;
}
