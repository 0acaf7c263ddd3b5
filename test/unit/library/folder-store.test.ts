import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
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
    await expect(store.put(key, "body", type)).rejects.toMatchObject({ code: expect.stringMatching(/ENOTDIR|EEXIST/) });
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
