import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { chmod, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { errorCode } from "../process/errors.ts";
import { ImportRejectedError } from "./errors.ts";
import type { ObjectStore } from "./object-store.ts";

/** What a user plays is private: only the owner of the process reads and writes it, whatever the umask. */
const fileMode = 0o600;
const folderMode = 0o700;
/** Fails for a symbolic link, and does not wait for the writer of a pipe. Windows has neither flag. */
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Object store on the file system: each object is a file under `folder`. Writes are atomic (temporary file, fsync,
 * rename), so that a crash leaves no partial file under an object's key. Files and folders are private (0600, 0700).
 * Symbolic links below `folder` are not followed, so that a link cannot direct a write or a read outside; `folder`
 * itself may be one.
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

  /** The folders from below the root down to the one of `path`. */
  function foldersOf(path: string): string[] {
    const names = relative(root, dirname(path)).split(sep);
    return names.flatMap((name, at) => (name === "" ? [] : [join(root, ...names.slice(0, at + 1))]));
  }

  return {
    keyOf,
    async put(key, body) {
      const path = pathOf(key);
      const partial = `${path}.${randomUUID()}.part`;
      await mkdir(root, { recursive: true, mode: folderMode });
      for (const each of foldersOf(path)) await makePrivateFolder(each);
      try {
        const file = await open(partial, "wx", fileMode);
        try {
          await file.writeFile(body, "utf8");
          await file.sync();
        } finally {
          await file.close();
        }
        // Replaces a link at `path` instead of following it.
        await rename(partial, path);
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
      return pathToFileURL(path).href;
    },
    async get(location) {
      const path = pathOf(keyOf(location));
      try {
        for (const each of foldersOf(path)) await checkFolder(each);
        return await readRegularFile(path);
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
        throw new ImportRejectedError(`The file ${location} does not exist.`);
      }
    },
  };
}

/** Creates a folder if it does not exist; an existing one becomes private too. */
async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { mode: folderMode }).catch((error: unknown) => {
    if (errorCode(error) !== "EEXIST") throw error;
  });
  const mode = await checkFolder(path);
  if ((mode & 0o777) === folderMode) return;
  await chmod(path, folderMode).catch((error: unknown) => {
    // Of another owner, or on a file system without modes. The files in it are private nevertheless.
    if (!["EPERM", "ENOTSUP"].includes(errorCode(error) ?? "")) throw error;
  });
}

/** Returns the mode of a folder. @throws {ImportRejectedError} when it is a link or no folder. */
async function checkFolder(path: string): Promise<number> {
  const found = await lstat(path);
  if (found.isDirectory()) return found.mode;
  const what = found.isSymbolicLink() ? "a symbolic link, which is not followed" : "not a folder";
  throw new ImportRejectedError(`${path} is ${what}; import files need a folder there.`);
}

async function readRegularFile(path: string): Promise<string> {
  const file = await open(path, readFlags).catch((error: unknown) => {
    if (errorCode(error) !== "ELOOP") throw error;
    throw new ImportRejectedError(`${path} is a symbolic link, which is not followed.`);
  });
  try {
    if (!(await file.stat()).isFile()) throw new ImportRejectedError(`${path} is not a regular file.`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
