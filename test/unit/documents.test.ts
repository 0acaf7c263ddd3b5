import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseCommand } from "../../src/commands/args.ts";
import { checkedBlocks, commandsOf, readBlocks } from "../support/documents/blocks.ts";
import { differences, matches } from "../support/documents/compare.ts";

/** What documents claim, as far as the repository alone can tell. test/integration/documents.test.ts runs their queries. */

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const documents = globSync("{*.md,docs/**/*.md}", { cwd: root }).sort();
const settings = new Set([...read(".env.example").matchAll(/^# ([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name));
const { version, devDependencies } = JSON.parse(read("package.json"));

/** The names by which GitHub links to the headings of a document. */
function anchorsOf(markdown: string): Set<string> {
  const headings = markdown.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

describe("every document", () => {
  it("links to files and headings that exist", () => {
    const broken = documents.flatMap((path) => {
      const text = read(path).replaceAll(/^ *```[\s\S]*?^ *```/gm, "");
      const links = [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g)];
      return links.flatMap(([, inText, inTag]) => {
        const link = inText ?? inTag ?? "";
        if (/^[a-z]+:/.test(link)) return [];
        const [file = "", anchor] = link.split("#");
        const target = file === "" ? path : normalize(join(dirname(path), file));
        const exists = existsSync(join(root, target));
        const isFound = exists && (anchor === undefined || anchorsOf(read(target)).has(anchor));
        return isFound ? [] : [`${path}: ${link}`];
      });
    });
    expect(broken).toEqual([]);
  });

  it("names commands that the program accepts", () => {
    const faults = documents.flatMap((path) =>
      [...read(path).matchAll(/(?:npm start(?: --silent)? -- |npx steam-pics-sync )([^`#\n|]+)/g)].flatMap(
        ([command, args = ""]) => {
          const words = args.trim().replace(/ (;|&&|>).*$/, "");
          const argv = [...words.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? "");
          if (/^(COMMAND|NAME)/.test(words) || argv.some((word) => /^(ID|PROFILE|…)$/.test(word))) return [];
          try {
            parseCommand(argv);
            return [];
          } catch (error) {
            return [`${path}: ${command.trim()}: ${error}`];
          }
        },
      ),
    );
    expect(faults).toEqual([]);
  });
});

it("README and the pages for operators name settings that .env.example explains", () => {
  const ofPlatforms = ["RAILWAY_RUN_UID"];
  const unknown = ["README.md", "docs/operations.md", "docs/troubleshooting.md", "docs/collector.md"].flatMap((path) =>
    [...read(path).matchAll(/`([A-Z][A-Z0-9]+_[A-Z0-9_]+)(?:=[^`]*)?`/g)].flatMap(([, name = ""]) =>
      settings.has(name) || ofPlatforms.includes(name) ? [] : [`${path}: ${name}`],
    ),
  );
  expect(unknown).toEqual([]);
});

describe("README.md", () => {
  const readme = read("README.md");

  it("is short, and says of each block how it is checked", () => {
    expect(readme.split("\n").length).toBeLessThan(260);
    const checks = ["run", "api", "query", "answer", "by-hand"];
    const unchecked = readBlocks(readme).filter(({ check }) => !checks.includes(check ?? ""));
    expect(unchecked).toEqual([]);
  });

  it("sets up with two commands, which npm knows", () => {
    const [first] = checkedBlocks(readme, "run");
    expect(commandsOf(first?.text ?? "")).toEqual(["npm ci && npm run demo", "npm ci && npm test"]);
  });
});

describe("docs/troubleshooting.md", () => {
  /** The texts of the source, with `…` for what is computed. */
  const source = [...globSync("{src/**/*.ts,supabase/routines/*.sql,.ci/*,bin/*}", { cwd: root })]
    .map((path) => read(path).replaceAll(/["'`]\s*\+\s*["'`]/g, ""))
    .join("\n");
  /** Of the operating system, the database or npm. */
  const ofOthers = ["password authentication failed", "ECONNREFUSED", "npm warn EBADENGINE"];

  it("quotes messages that the source has", () => {
    const rows = [...read("docs/troubleshooting.md").matchAll(/^\|(?: \d{3})? `([^`]{12,})`\s*\|/gm)];
    const messages = rows.map(([, message = ""]) => message).filter((message) => !ofOthers.includes(message));
    expect(messages.length).toBeGreaterThan(45);
    // The parts follow one another in the source, with what is computed between them.
    const missing = messages.filter((message) => {
      const parts = message.split("…").map((part) => part.trim());
      const words = parts
        .filter((part) => part.length > 3)
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      return !new RegExp(words.join("[^]{0,200}?")).test(source);
    });
    expect(missing).toEqual([]);
  });
});

describe("the version", () => {
  it("is that of the newest entry in CHANGELOG.md and of the examples", () => {
    const [, newest] = /^## (\d\S+) - \d{4}-\d{2}-\d{2}$/m.exec(read("CHANGELOG.md")) ?? [];
    expect(newest).toBe(version);
    expect(JSON.parse(read("package-lock.json")).version).toBe(version);
    const shown = read("docs/exports.md").match(/"program_version": "([^"]+)"/);
    expect(shown?.[1]).toBe(version);
  });
});

describe("compose.yaml and the CI workflow", () => {
  const compose = parse(read("compose.yaml"));

  it("mounts files that exist, on images of a fixed version", () => {
    const services: { image?: string; volumes?: string[] }[] = Object.values(compose.services);
    const mounts = services.flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(":")[0] ?? ""));
    const [files, names] = [
      mounts.filter((path) => path.startsWith("./")),
      mounts.filter((path) => !path.startsWith(".")),
    ];
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) expect(read(file), file).not.toBe("");
    expect(new Set(names)).toEqual(new Set(Object.keys(compose.volumes)));
    expect(services.flatMap(({ image }) => image ?? []).filter((image) => !/:v?\d/.test(image))).toEqual([]);
  });

  it("sets variables of this service, and scrapes it by its name", () => {
    const unknown = Object.keys(compose.services.sync.environment).filter((name) => !settings.has(name));
    expect(unknown).toEqual([]);
    const prometheus = parse(read("monitoring/prometheus.yml"));
    expect(prometheus.scrape_configs[0].static_configs[0].targets).toEqual(["sync:8080"]);
    const [source] = parse(read("monitoring/grafana-data-source.yml")).datasources;
    expect(source.url).toBe("http://prometheus:9090");
  });

  it("gives Grafana a dashboard whose data source needs no import", () => {
    const grafana = JSON.parse(read("docs/grafana.json"));
    expect(grafana.__inputs).toBeUndefined();
    const names = grafana.templating.list.map(({ name, type }: Record<string, string>) => `${type} ${name}`);
    expect(names).toContain("datasource DS_PROMETHEUS");
  });

  it("checks with the pinned Node, everything once a week", () => {
    const { on, jobs } = parse(read(".github/workflows/ci.yml"));
    expect(jobs.check.container).toBe(`node:${devDependencies.node}`);
    expect(jobs.check.steps.at(-1)).toEqual({ run: ".ci/run" });
    expect(on.schedule).toHaveLength(1);
    expect(jobs.check.env.FULL).toContain("schedule");
  });
});

describe("the comparison of documents with answers", () => {
  it("finds what differs, and lets … stand for anything", () => {
    const value = { a: 1, list: [1, 2], text: "2026-11-29T09:00:00Z", more: { b: null } };
    for (const shown of [
      '{ "a": 1, … }',
      '{ "list": [1, …], "a": …, … }',
      '{ "text": "2026-…", "more": { "b": null }, "a": 1, "list": [1, 2] }',
    ]) {
      expect(differences(shown, value)).toEqual([]);
    }
    expect(differences('{ "a": 2, "c": 1, … }', value)).toEqual(["$.a is 1", "$.c is undefined"]);
    expect(differences('{ "a": 1 }', { a: 1, b: 2 })).toEqual(["$.b is not shown"]);
    expect(differences("[1]", [1, 2])).toEqual(["$ has 2 entries: [1,2]"]);
    expect(matches("a … c\n…\nend", "a b c\n1\n2\nend")).toBe(true);
    expect(matches("a … c", "a b d")).toBe(false);
  });

  it("reads blocks, also inside of lists, and commands without comments", () => {
    const markdown = "1. x\n\n   ```sh run\n   a \\\n     b  # why\n   ```\n\n```json answer\n{}\n```\n";
    expect(readBlocks(markdown)).toEqual([
      { language: "sh", check: "run", text: "a \\\n  b  # why", line: 3 },
      { language: "json", check: "answer", text: "{}", line: 8 },
    ]);
    expect(checkedBlocks(markdown, "run")[0]?.answer).toBe("{}");
    expect(commandsOf("a \\\n  b  # why\n# no\n\ncurl 'x#y'")).toEqual(["a b", "curl 'x#y'"]);
  });
});
