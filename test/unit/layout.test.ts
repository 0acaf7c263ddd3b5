import { globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { layoutTable, modules, soleImporters } from "../support/layout.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

interface Import {
  from: string;
  specifier: string;
  /** Erased before it runs. */
  typeOnly: boolean;
}

function importsOf(from: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const statements = code.matchAll(/^\s*(?:import|export)\s(type\s)?([^"';]*?)\sfrom\s+["']([^"']+)["']/gm);
  const others = code.matchAll(
    /^\s*import\s+["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']|new URL\(\s*["'](\.[^"']+\.ts)["']/gm,
  );
  return [
    ...[...statements].map(([, type, names = "", specifier = ""]) => ({
      from,
      specifier,
      typeOnly: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}$/.test(names.trim()),
    })),
    ...[...others].map(([, bare, call, url]) => ({ from, specifier: bare ?? call ?? url ?? "", typeOnly: false })),
  ];
}

/** `src/steam/port.ts` is part of `steam`; `src/main.ts` is `main`. */
const moduleOf = (path: string) => (path.split("/")[1] ?? "").replace(/\.ts$/, "");

function relativeFault({ from, specifier, typeOnly }: Import): string | null {
  const target = join(dirname(from), specifier);
  const [own, other] = [moduleOf(from), moduleOf(target)];
  if (own === other) return null;
  const rule = modules[own];
  if (!rule) return `${from}: ${own} is not in test/support/layout.ts`;
  const file = target.replace(/^src\/|\.ts$/g, "");
  if (rule.imports.some((allowed) => allowed === "everything" || allowed === other || allowed === file)) return null;
  if (typeOnly && rule.types?.includes(other)) return null;
  return `${from} may not import ${target}`;
}

function packageFault({ from, specifier, typeOnly }: Import): string | null {
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  if (name.startsWith("node:")) return null;
  if (builtinModules.includes(name)) return `${from} imports ${name}: write node:${name}`;
  if (typeOnly && `@types/${name}` in devDependencies) return null;
  // The handlers are bundled, so what only they need is no production dependency.
  const isBundled = from.startsWith("src/lambda/") && name in devDependencies;
  if (!(name in dependencies) && !isBundled) return `${from} imports ${name}, which is not a production dependency`;
  const importer = soleImporters[name];
  return importer && importer !== from ? `${from} imports ${name}: only ${importer} may` : null;
}

function faultsOf(path: string, text: string): string[] {
  return importsOf(path, text).flatMap(
    (found) => (found.specifier.startsWith(".") ? relativeFault(found) : packageFault(found)) ?? [],
  );
}

describe("the layout of src", () => {
  it("imports only what test/support/layout.ts allows", () => {
    const paths = globSync("src/**/*.ts", { cwd: root });
    expect(paths.length).toBeGreaterThan(100);
    expect(paths.flatMap((path) => faultsOf(path, readFileSync(join(root, path), "utf8")))).toEqual([]);
  });

  it.each([
    ["src/catalog/extract.ts", `import type { Logger } from "../process/logger.ts";`],
    ["src/sync/bulk-sync.ts", `import {\n  run,\n} from "../collector/collector.ts";`],
    ["src/sync/sweep.ts", `const { createSession } = await import("../steam/session.ts");`],
    ["src/db/store.ts", `import { extract, type AppRecord } from "../catalog/extract.ts";`],
    ["src/db/pglite.ts", `new Worker(new URL("../http/server.ts", import.meta.url));`],
    ["src/steam/pics.ts", `import SteamUser from "steam-user";`],
    ["src/db/store.ts", `import "vitest";`],
    ["src/attic/old.ts", `import "../process/errors.ts";`],
  ])("finds a forbidden import in %s: %s", (path, text) => {
    expect(faultsOf(path, text)).toHaveLength(1);
  });

  it("imports downwards: a module stands below everything that it imports", () => {
    const order = Object.keys(modules);
    const upward = Object.entries(modules).flatMap(([name, { imports, types = [] }]) =>
      [...imports, ...types]
        .map((each) => each.split("/")[0] ?? "")
        .filter((each) => order.indexOf(each) >= order.indexOf(name)),
    );
    expect(upward).toEqual([]);
  });

  it("stands as a table in docs/architecture.md, which `npm run docs` writes", () => {
    expect(readFileSync(join(root, "docs/architecture.md"), "utf8")).toContain(layoutTable());
  });
});
