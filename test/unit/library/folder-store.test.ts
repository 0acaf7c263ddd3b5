import { execFileSync } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { ImportRejectedError } from "../../../src/library/errors.ts";
import { createFolderStore } from "../../../src/library/folder-store.ts";
import type { ObjectStore } from "../../../src/library/object-store.ts";

let outside: string;
let root: string;
let store: ObjectStore;
beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), "spsync-folder-"));
  onTestFinished(() => rm(outside, { recursive: true, force: true }));
  root = join(outside, "a folder #1 é%");
  store = createFolderStore(root);
});

const type = "text/csv; charset=utf-8";
const key = "imports/u1/run-7-raw.csv";
const files = async () => (await readdir(outside, { recursive: true, withFileTypes: true })).filter((e) => e.isFile());

describe("the folder store", () => {
  it("reads back what it wrote, at a location with its key", async () => {
    const body = 'name\n"é🎮\r\n夜",\r=1\u0000';
    const location = await store.put(key, body, type);
    expect(location).toBe(pathToFileURL(join(root, key)).href);
    expect(store.keyOf(location)).toBe(key);
    expect(await store.get(location)).toBe(body);
    expect(await createFolderStore(root).get(location)).toBe(body);
  });

  it("replaces an object atomically", async () => {
    const location = await store.put(key, "a much longer body", type);
    expect(await store.put(key, "short", type)).toBe(location);
    expect(await store.get(location)).toBe("short");
    expect((await files()).map(({ name }) => name)).toEqual(["run-7-raw.csv"]);
  });

  it("keeps one complete body after concurrent writes, and no temporary file", async () => {
    const bodies = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000));
    const [location = ""] = await Promise.all(bodies.map((body) => store.put(key, body, type)));
    expect(bodies).toContain(await store.get(location));
    expect(await files()).toHaveLength(1);
  });

  it("throws ImportRejectedError for a missing object", async () => {
    const location = pathToFileURL(join(root, key)).href;
    await expect(store.get(location)).rejects.toThrow(new ImportRejectedError(`The file ${location} does not exist.`));
  });
});

describe("a failed write to the folder store", () => {
  it("leaves no file when the path is a folder", async () => {
    await mkdir(join(root, key), { recursive: true });
    await expect(store.put(key, "body", type)).rejects.toMatchObject({
      code: expect.stringMatching(/EISDIR|ENOTEMPTY|EEXIST/),
    });
    expect(await files()).toEqual([]);
  });

  it("leaves no file when a parent is a file", async () => {
    await mkdir(root);
    await writeFile(join(root, "imports"), "in the way");
    await expect(store.put(key, "body", type)).rejects.toThrow(`${join(root, "imports")} is not a folder`);
    expect((await files()).map(({ name }) => name)).toEqual(["imports"]);
  });

  it("keeps the previous object", async () => {
    const location = await store.put(key, "before", type);
    const broken = { toString: () => expect.fail("it was written") } as unknown as string;
    await expect(store.put(key, broken, type)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
    expect(await store.get(location)).toBe("before");
    expect(await files()).toHaveLength(1);
  });
});

describe("the folder store keeps imports private", () => {
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

  it("with files of mode 0600 in folders of mode 0700, also when the folders existed with other modes", async () => {
    await store.put(key, "body", type);
    const made = [root, join(root, "imports"), join(root, "imports/u1"), join(root, key)];
    expect(await Promise.all(made.map(modeOf))).toEqual(["700", "700", "700", "600"]);

    const older = join(outside, "older");
    await mkdir(join(older, "imports/u1"), { recursive: true, mode: 0o755 });
    await writeFile(join(older, key), "readable by all", { mode: 0o644 });
    await createFolderStore(older).put(key, "body", type);
    const kept = [join(older, "imports"), join(older, "imports/u1"), join(older, key)];
    expect(await Promise.all(kept.map(modeOf))).toEqual(["700", "700", "600"]);
    // The data folder itself is the operator's.
    expect(await modeOf(older)).toBe("755");
  });

  it("in a data folder that is a symbolic link", async () => {
    const target = join(outside, "volume");
    await mkdir(target);
    await symlink(target, root);
    expect(await store.get(await store.put(key, "body", type))).toBe("body");
    expect(await readFile(join(target, key), "utf8")).toBe("body");
  });

  it.each(["imports", "imports/u1"])("and does not write or read through a symbolic link at %s", async (linked) => {
    const target = join(outside, "elsewhere");
    await mkdir(join(target, "u1"), { recursive: true });
    for (const path of ["run-7-raw.csv", "u1/run-7-raw.csv"]) await writeFile(join(target, path), "secret");
    await mkdir(join(root, linked, ".."), { recursive: true });
    await symlink(target, join(root, linked));
    const fault = `${join(root, linked)} is a symbolic link`;
    await expect(store.put(key, "body", type)).rejects.toThrow(fault);
    await expect(store.get(pathToFileURL(join(root, key)).href)).rejects.toThrow(fault);
    expect((await files()).map(({ name }) => name)).toEqual(["run-7-raw.csv", "run-7-raw.csv"]);
    expect(await readFile(join(target, "u1/run-7-raw.csv"), "utf8")).toBe("secret");
  });

  it("and does not follow a symbolic link at an object: a read fails, a write replaces it", async () => {
    const secret = join(outside, "secret.txt");
    await writeFile(secret, "secret");
    await mkdir(join(root, "imports/u1"), { recursive: true });
    for (const target of [secret, join(outside, "nothing"), root]) {
      await rm(join(root, key), { force: true });
      await symlink(target, join(root, key));
      const get = store.get(pathToFileURL(join(root, key)).href);
      await expect(get).rejects.toThrow(ImportRejectedError);
      await expect(get).rejects.toThrow("is a symbolic link");
      expect(await store.get(await store.put(key, "body", type))).toBe("body");
      expect((await lstat(join(root, key))).isSymbolicLink()).toBe(false);
    }
    expect(await readFile(secret, "utf8")).toBe("secret");
  });

  it("and rejects an object that is a folder or a pipe", async () => {
    const location = pathToFileURL(join(root, key)).href;
    await mkdir(join(root, key), { recursive: true });
    await expect(store.get(location)).rejects.toThrow("is not a regular file");
    await rm(join(root, key), { recursive: true });
    execFileSync("mkfifo", [join(root, key)]);
    await expect(store.get(location)).rejects.toThrow("is not a regular file");
  });
});

describe("the folder store for a location outside its folder", () => {
  const locations: [string, (root: string) => string][] = [
    ["above, by ..", (root) => `${pathToFileURL(root).href}/../secret.txt`],
    ["above, by an escaped ..", (root) => `${pathToFileURL(root).href}/imports/%2e%2e/%2E%2E/secret.txt`],
    ["above, by an escaped slash", (root) => `${pathToFileURL(root).href}/..%2fsecret.txt`],
    ["above, by a backslash", (root) => `${pathToFileURL(root).href}\\..\\secret.txt`],
    ["the folder itself", (root) => pathToFileURL(root).href],
    ["a folder with the same prefix", (root) => `${pathToFileURL(root).href}2/secret.txt`],
    ["elsewhere", () => "file:///etc/passwd"],
    ["of another host", (root) => `file://other.example${pathToFileURL(root).pathname}/${key}`],
    ["in S3", () => `s3://bucket/${key}`],
    ["on the web", () => `https://a.example/${key}`],
    ["a bare path", (root) => join(root, key)],
    ["a key", () => key],
    ["empty", () => ""],
  ];
  it.each(locations)("throws ImportRejectedError: %s", async (_, locationIn) => {
    await store.put(key, "body", type);
    await writeFile(join(outside, "secret.txt"), "secret");
    const location = locationIn(root);
    expect(() => store.keyOf(location)).toThrow(ImportRejectedError);
    await expect(store.get(location)).rejects.toThrow("is not in the folder of the import files");
  });

  it.each(["../secret.txt", "imports/../../secret.txt", "/etc/passwd-raw.csv", "", ".", ".."])(
    "does not write the key %j",
    async (outsideKey) => {
      await expect(store.put(outsideKey, "body", type)).rejects.toThrow(
        "points outside the folder of the import files",
      );
      expect(await files()).toEqual([]);
    },
  );
});
