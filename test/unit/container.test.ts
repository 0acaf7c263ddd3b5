import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join, matchesGlob } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { licenceList, productionLicences } from "../support/licences.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** What `.dockerignore` lets through: the last pattern that names a path or one of its parents decides. */
function contextFiles(): string[] {
  const patterns = read(".dockerignore")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const all = globSync("**/*", { cwd: root, withFileTypes: true, exclude: ["node_modules", ".git", "data"] })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));
  return all.filter((path) => {
    const parts = path.split("/");
    const withParents = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
    const deciding = patterns.findLast((pattern) =>
      withParents.some((candidate) => matchesGlob(candidate, pattern.replace(/^!/, ""))),
    );
    return deciding === undefined || deciding.startsWith("!");
  });
}

/** The sources of the Dockerfile's COPY instructions. */
function copiedSources(): string[] {
  const instructions = read("Dockerfile").matchAll(/^COPY\s+(.+)$/gm);
  return [...instructions].flatMap(([, operands = ""]) => operands.trim().split(/\s+/).slice(0, -1));
}

describe("the container image", () => {
  const context = contextFiles();

  it("copies exactly the files that the service needs", () => {
    const needed = [
      "LICENSE",
      "package.json",
      "package-lock.json",
      ...globSync("src/**/*.*", { cwd: root }),
      ...globSync("supabase/migrations/*.sql", { cwd: root }),
    ];
    expect(context.toSorted()).toEqual(needed.toSorted());
  });

  it("copies everything that .dockerignore lets in", () => {
    const sources = copiedSources();
    const uncopied = context.filter(
      (path) => !sources.some((source) => path === source || path.startsWith(`${source}/`)),
    );
    expect(uncopied).toEqual([]);
    const empty = sources.filter((source) => !context.some((path) => path === source || path.startsWith(`${source}/`)));
    expect(empty).toEqual([]);
  });

  it("runs without root, npm or a shell, and declares no volume", () => {
    const dockerfile = read("Dockerfile");
    const command = /^CMD (.+)$/m.exec(dockerfile)?.[1] ?? "";
    const { scripts } = JSON.parse(read("package.json"));
    expect(JSON.parse(command)).toEqual(scripts.start.split(" "));
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile.indexOf("chown node:node /data")).toBeLessThan(dockerfile.indexOf("USER node"));
    expect(dockerfile).not.toMatch(/^VOLUME/m);
    expect(dockerfile).not.toMatch(/^ENTRYPOINT/m);
  });

  it("is built on the exact Node of the tests, the pinned devDependency", () => {
    const [, image] = /^FROM node:(\S+)-slim$/m.exec(read("Dockerfile")) ?? [];
    expect(image).toBe(process.versions.node);
    expect(JSON.parse(read("package.json")).devDependencies.node).toBe(image);
  });

  it("lets its user write to /data alone: everything else is copied and installed as root", () => {
    const dockerfile = read("Dockerfile");
    expect(dockerfile.match(/chown .+/g)).toEqual(["chown node:node /data"]);
    expect(dockerfile).not.toMatch(/chmod|--chown|--chmod/);
    // Nothing follows that could run or write as root again.
    expect(dockerfile.match(/^USER .+$/gm)).toEqual(["USER node"]);
    expect(dockerfile.slice(dockerfile.indexOf("USER node"))).not.toMatch(/^(RUN|COPY|ADD)/m);
  });
});

describe("the Node version", () => {
  const { engines } = JSON.parse(read("package.json"));
  const check = (version: string) =>
    spawnSync(process.execPath, [
      "--eval",
      `Object.defineProperty(process.versions, "node", { value: "${version}" }); require(${JSON.stringify(join(root, ".ci/check-node.cjs"))})`,
    ]);

  it("is checked in one sentence before the start", () => {
    expect(engines.node).toMatch(/^>=\d+(\.\d+)*$/);
    for (const version of ["9.99.9", "18.20.8"]) {
      const { status, stderr } = check(version);
      expect([version, status]).toEqual([version, 2]);
      expect(stderr.toString()).toBe(
        `This service needs Node ${engines.node.slice(2)} or newer; this is ${version}. Run npm ci without --omit=dev, which installs the right one.\n`,
      );
    }
    expect(check(process.versions.node)).toMatchObject({ status: 0, stderr: Buffer.alloc(0) });
  });
});

describe("the licences of the production dependencies", () => {
  // Permissive ones. Another one is a decision, and belongs here only after it.
  const permissive = [
    "0BSD",
    "Apache-2.0",
    "BlueOak-1.0.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-Wu",
    "Unlicense",
  ];

  it("are permissive, each named", () => {
    const used = [...productionLicences().keys()].flatMap((expression) => expression.split(" AND "));
    expect(used.length).toBeGreaterThan(4);
    expect(used.filter((license) => !permissive.includes(license))).toEqual([]);
  });

  it("are listed in docs/licences.md (npm run docs)", () => {
    expect(read("docs/licences.md")).toContain(licenceList());
  });
});
