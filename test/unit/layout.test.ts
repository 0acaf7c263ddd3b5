import { existsSync, globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const {
  dependencies: packages,
  devDependencies,
}: Record<string, Record<string, string>> = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

interface Import {
  from: string;
  specifier: string;
  /** Erased before it runs. */
  typeOnly: boolean;
}

interface Rule {
  /** Rooms (folders of src, or files in it) that may be imported. */
  rooms: string[];
  /** Rooms of which types may be imported, and nothing else. */
  types?: string[];
}

const worker: Rule = { rooms: ["catalog", "db", "web", "steam/port", "errors", "logger", "progress", "time"] };
const reader: Rule = { rooms: ["catalog", "db", "errors", "logger", "progress"], types: ["config"] };
const edge: Rule = { rooms: ["errors", "logger", "time"], types: ["catalog"] };

/** Who may import whom. The composition may import everything, every room may import itself. */
const rules: Record<string, Rule> = {
  errors: { rooms: [] },
  time: { rooms: [] },
  logger: { rooms: [] },
  progress: { rooms: ["logger"] },
  proxy: { rooms: [] },
  "config-values": { rooms: [] },
  config: { rooms: ["config-values", "errors"] },
  lifecycle: { rooms: ["errors", "logger"] },
  watch: { rooms: ["lifecycle", "http"] },
  catalog: { rooms: [] },
  db: { ...edge, types: ["catalog", "config"] },
  steam: edge,
  web: edge,
  sync: worker,
  collector: worker,
  library: worker,
  http: {
    rooms: ["catalog", "errors", "logger", "db", "time", "steam/port"],
    types: ["steam", "sync", "collector", "library"],
  },
  source: reader,
  report: { rooms: ["progress"], types: ["catalog", "db", "source"] },
  doctor: {
    rooms: [
      ...reader.rooms,
      "source",
      "report",
      "steam/port",
      "sync/appids",
      "sync/change-monitor",
      "library/s3-store",
    ],
    types: ["config", "steam"],
  },
};

/** Files that wire the rooms together: the entry, the command line, the commands, the workers, and the Lambda handlers. */
const composition = /^src\/((main|cli|command-[a-z]+|worker(-[a-z]+)?)|library\/lambda\/[a-z-]+)\.ts$/;

/** Packages with one importer, because it contains what they do wrong. */
const soleImporters: Record<string, string> = { "steam-user": "src/steam/session.ts" };

function importsOf(path: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const statements = code.matchAll(/^\s*(?:import|export)\s(type\s)?([^"';]*?)\sfrom\s+["']([^"']+)["']/gm);
  const bare = code.matchAll(/^\s*import\s+["']([^"']+)["']/gm);
  const calls = code.matchAll(/\bimport\(\s*["']([^"']+)["']/g);
  const workers = code.matchAll(/new URL\(\s*["'](\.[^"']+\.ts)["'],\s*import\.meta\.url/g);
  return [
    ...[...statements].map(([, type, names = "", specifier = ""]) => ({
      from: path,
      specifier,
      typeOnly: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}$/.test(names.trim()),
    })),
    ...[...bare, ...calls, ...workers].map(([, specifier = ""]) => ({ from: path, specifier, typeOnly: false })),
  ];
}

/** `src/steam/port.ts` is in the room `steam`, `src/process/config.ts` is the room `config`. */
function roomOf(path: string): string {
  return (path.split("/")[1] ?? "").replace(/\.ts$/, "");
}

function faultOf({ from, specifier, typeOnly }: Import): string | null {
  if (!specifier.startsWith(".")) return packageFaultOf({ from, specifier, typeOnly });
  const target = join(dirname(from), specifier);
  if (!target.endsWith(".ts")) return `${from} imports ${specifier}: relative imports end in .ts`;
  const [room, targetRoom] = [roomOf(from), roomOf(target)];
  if (room === targetRoom || composition.test(from)) return null;
  const rule = rules[room];
  if (!rule) return `${from}: the room ${room} has no rule in this test`;
  const targetFile = target.replace(/^src\/|\.ts$/g, "");
  if (rule.rooms.some((allowed) => allowed === targetRoom || allowed === targetFile)) return null;
  const typesAllowed = rule.types?.includes(targetRoom);
  if (typesAllowed && typeOnly) return null;
  return `${from} imports ${target}: ${room} may import ${typesAllowed ? `only types of ${targetRoom}` : [...rule.rooms, ...(rule.types ?? [])].join(", ") || "nothing"}`;
}

function packageFaultOf({ from, specifier, typeOnly }: Import): string | null {
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (name.startsWith("node:")) return null;
  if (builtinModules.includes(name)) return `${from} imports ${name}: write node:${name}`;
  if (typeOnly && `@types/${name}` in (devDependencies ?? {})) return null;
  if (!(name in (packages ?? {}))) return `${from} imports ${name}, which is not among the production dependencies`;
  const importer = soleImporters[name];
  return importer && importer !== from ? `${from} imports ${name}: only ${importer} may` : null;
}

function faultsOf(files: Record<string, string>): string[] {
  return Object.entries(files).flatMap(([path, text]) => [
    ...importsOf(path, text).flatMap((found) => faultOf(found) ?? []),
    ...(/^\s*export\s+default\b|^\s*export\s*\{[^}]*\bas\s+default\b/m.test(text)
      ? [`${path} has a default export`]
      : []),
  ]);
}

describe("imports", () => {
  it("follow the rooms' rules", () => {
    const paths = globSync("src/**/*.ts", { cwd: root });
    const files = Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
    expect(paths.length).toBeGreaterThan(10);
    expect(faultsOf(files)).toEqual([]);
    const missing = Object.entries(files)
      .flatMap(([path, text]) => importsOf(path, text))
      .filter(({ from, specifier }) => specifier.startsWith(".") && !existsSync(join(root, dirname(from), specifier)));
    expect(missing).toEqual([]);
  });

  it.each([
    ["src/catalog/extract.ts", `import type { Logger } from "../logger.ts";`, "catalog may import nothing"],
    ["src/sync/bulk-sync.ts", `import {\n  run,\n} from "../collector/run.ts";`, "sync may import catalog, db, web"],
    [
      "src/collector/steamspy-pages.ts",
      `import { formatBar } from "../sync/progress.ts";`,
      "collector may import catalog, db, web",
    ],
    [
      "src/terminal/progress-bar.ts",
      `import type { EndpointStatus } from "./web/client.ts";`,
      "progress may import logger",
    ],
    ["src/collector/run.ts", `import { runWorker } from "../worker-collector.ts";`, "collector may import"],
    ["src/worker-pics/run.ts", `import "../errors.ts";`, "the room worker-pics has no rule"],
    ["src/library/steps.ts", `export * from "../sync/appids.ts";`, "library may import"],
    ["src/sync/sweep.ts", `import { createSession } from "../steam/session.ts";`, "sync may import"],
    ["src/db/store.ts", `import { extract, type AppRecord } from "../catalog/extract.ts";`, "only types of catalog"],
    ["src/http/server.ts", `const sync = await import("../sync/bulk-sync.ts");`, "only types of sync"],
    ["src/sync/start.ts", `new Worker(new URL("../http/server.ts", import.meta.url));`, "sync may import"],
    ["src/steam/pics.ts", `import SteamUser from "steam-user";`, "only src/steam/session.ts may"],
    ["src/db/store.ts", `import { z } from "./call";`, "end in .ts"],
    ["src/db/store.ts", `import "vitest";`, "not among the production dependencies"],
    ["src/db/store.ts", `import { join } from "path";`, "write node:path"],
    ["src/terminal/app.ts", `import { createCatalogReader } from "../db/catalog-reader.ts";`, "only types of db"],
    ["src/doctor/steam.ts", `import { createBulkSync } from "../sync/bulk-sync.ts";`, "doctor may import"],
    ["src/attic/old.ts", `import "../errors.ts";`, "the room attic has no rule"],
    ["src/db/store.ts", "export default 1;", "has a default export"],
  ])("would find in %s: %s", (path, text, fault) => {
    expect(faultsOf({ [path]: text })).toEqual([expect.stringContaining(fault)]);
  });

  it.each([
    ["src/db/store.ts", `import { type AppRecord, type Deck } from "../catalog/app-record.ts";`],
    ["src/http/server.ts", `import type { BulkProgress } from "../sync/progress.ts";`],
    [
      "src/sync/sweep.ts",
      `// import { run } from "../collector/run.ts";\nimport type { Pics } from "../steam/port.ts";`,
    ],
    [
      "src/collector/progress.ts",
      `import { formatLine } from "../progress.ts";\nimport { text } from "../catalog/values.ts";`,
    ],
    ["src/doctor/steam.ts", `import { idsPerRequest } from "../sync/appids.ts";`],
    ["src/commands/read.ts", `import { openSource } from "./source/catalog-source.ts";`],
    ["src/commands/pics.ts", `import { createSteamSession } from "./steam/session.ts";\nimport "./sync/bulk-sync.ts";`],
    ["src/main.ts", `import { buildServer } from "./http/server.ts";\nimport { join } from "node:path";`],
  ])("would let pass in %s: %s", (path, text) => {
    expect(faultsOf({ [path]: text })).toEqual([]);
  });
});
