import { globSync, readFileSync } from "node:fs";
import { join, matchesGlob } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

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

  it("uses the Node of the tests", () => {
    const [, image] = /^FROM node:(\d+)-slim$/m.exec(read("Dockerfile")) ?? [];
    expect(process.versions.node.split(".")[0]).toBe(image);
  });
});
