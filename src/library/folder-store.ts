import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ImportRejectedError } from "./errors.ts";
import type { ObjectStore } from "./object-store.ts";

/** Objects as files under a folder. A file appears whole or not at all, also when the process dies in between. */
export function createFolderStore(folder: string): ObjectStore {
  const root = resolve(folder);

  function pathOf(key: string): string {
    const path = resolve(root, key);
    if (!path.startsWith(root + sep))
      throw new ImportRejectedError(`The key ${JSON.stringify(key)} leaves the folder of the import files.`);
    return path;
  }

  function keyOf(location: string): string {
    try {
      const path = resolve(fileURLToPath(location));
      if (path.startsWith(root + sep)) return relative(root, path).replaceAll(sep, "/");
    } catch {
      // No file: URL, or one of another host.
    }
    throw new ImportRejectedError(
      `${location} is not in the folder of the import files, ${pathToFileURL(root).href}/.`,
    );
  }

  return {
    keyOf,
    async put(key, body) {
      const path = pathOf(key);
      const unfinished = `${path}.${randomUUID()}.part`;
      await mkdir(dirname(path), { recursive: true });
      try {
        const file = await open(unfinished, "wx");
        try {
          await file.writeFile(body, "utf8");
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(unfinished, path);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
      return pathToFileURL(path).href;
    },
    async get(location) {
      try {
        return await readFile(pathOf(keyOf(location)), "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") {
          throw new ImportRejectedError(`There is no file ${location}.`);
        }
        throw error;
      }
    },
  };
}
