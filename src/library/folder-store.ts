import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ImportRejectedError } from "./errors.ts";
import type { ObjectStore } from "./object-store.ts";

/**
 * Object store on the file system: each object is a file under `folder`. Writes are atomic (temporary file, fsync,
 * rename), so that a crash leaves no partial file under an object's key.
 */
export function createFolderStore(folder: string): ObjectStore {
  const root = resolve(folder);

  function pathOf(key: string): string {
    const path = resolve(root, key);
    if (!path.startsWith(root + sep))
      throw new ImportRejectedError(`The key ${JSON.stringify(key)} points outside the folder of the import files.`);
    return path;
  }

  function keyOf(location: string): string {
    try {
      const path = resolve(fileURLToPath(location));
      if (path.startsWith(root + sep)) return relative(root, path).replaceAll(sep, "/");
    } catch {
      // Not a file: URL, or one with a host name.
    }
    throw new ImportRejectedError(
      `${location} is not in the folder of the import files, ${pathToFileURL(root).href}/.`,
    );
  }

  return {
    keyOf,
    async put(key, body) {
      const path = pathOf(key);
      const partial = `${path}.${randomUUID()}.part`;
      await mkdir(dirname(path), { recursive: true });
      try {
        const file = await open(partial, "wx");
        try {
          await file.writeFile(body, "utf8");
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(partial, path);
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
      return pathToFileURL(path).href;
    },
    async get(location) {
      try {
        return await readFile(pathOf(keyOf(location)), "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") {
          throw new ImportRejectedError(`The file ${location} does not exist.`);
        }
        throw error;
      }
    },
  };
}
