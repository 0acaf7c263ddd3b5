import { readFileSync } from "node:fs";

/** The licences of what `npm ci --omit=dev` installs, from the lock file: the list of docs/licences.md. `npm run docs` writes it. */

interface LockedPackage {
  license?: string;
  dev?: boolean;
}

/** Packages whose package.json names no licence, with that of the file LICENSE in them. */
const unnamed: Readonly<Record<string, string>> = { "node-bignumber": "MIT-Wu" };

/** Package names by SPDX expression, both sorted; of several versions of one package, each licence. */
export function productionLicences(): Map<string, string[]> {
  const lock = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"));
  const packages = Object.entries(lock.packages as Record<string, LockedPackage>);
  const names = new Map<string, Set<string>>();
  for (const [path, { license, dev }] of packages) {
    if (path === "" || dev) continue;
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    const expression = license ?? unnamed[name] ?? "unknown";
    names.set(expression, (names.get(expression) ?? new Set()).add(name));
  }
  const sorted = [...names].map(([license, of]) => [license, [...of].sort()] as const);
  return new Map(sorted.sort(([, a], [, b]) => b.length - a.length || a.join().localeCompare(b.join())));
}

/** A Markdown list, wrapped at 120 characters. */
export function licenceList(): string {
  const items = [...productionLicences()].map(([license, names]) => {
    const words = [
      `- **${license}**`,
      `(${names.length}):`,
      ...names.map((name, at) => name + (at < names.length - 1 ? "," : "")),
    ];
    return wrapped(words, maxLineLength, "  ");
  });
  return items.join("\n");
}

const maxLineLength = 120;

function wrapped(words: readonly string[], width: number, indent: string): string {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line !== undefined && `${line} ${word}`.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(lines.length === 0 ? word : indent + word);
  }
  return lines.join("\n");
}
