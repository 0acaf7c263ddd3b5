import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ConfigError, DatabaseError, errorCode } from "../process/errors.ts";

/**
 * What can be wrong with the data folder, each as one sentence: what it is, and what to do. All of it is for the operator to mend, so the exit
 * code is 2.
 */

/** Folder of the embedded database in the data folder. */
export const databaseFolder = "pglite";
/** Version of Postgres that PGlite 0.5 is, and whose folders it can open. */
export const postgresMajor = "18";
/** pg_control has this size in every version of Postgres. */
const controlBytes = 8_192;
/** How PGlite 0.5 reports that Postgres ended while it started, without a code. Any other error, such as too little memory, is no fault of the folder. */
const endedByPostgres = /PGlite failed to initialize|Aborted\(\)/;
/** The embedded database cannot start with less: it writes a segment of its log. */
const minFreeBytes = 32 * 2 ** 20;

/**
 * Creates the data folder, which only the owner of the process can read (it holds tokens), and writes to it. The modes of an existing folder
 * stay as they are.
 *
 * @throws {ConfigError} when that is not possible.
 */
export async function prepareDataFolder(dataDir: string): Promise<void> {
  const probe = join(dataDir, `.write-test-${randomUUID()}`);
  try {
    await createFolder(resolve(dataDir));
    await writeFile(probe, "\0".repeat(4_096), { flag: "wx" });
  } catch (error) {
    throw (await folderFault(dataDir, errorCode(error) ?? "")) ?? error;
  } finally {
    // Of a file that could be created but not be written, too.
    await rm(probe, { force: true }).catch(() => {});
  }
}

/** With the folders above it, level by level: the `recursive` of Node 24 never ends where a folder exists that can have none (/proc). */
async function createFolder(folder: string): Promise<void> {
  const create = () => mkdir(folder, { mode: 0o700 });
  try {
    await create();
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST" && (await stat(folder)).isDirectory()) return;
    if (code !== "ENOENT" || dirname(folder) === folder) throw error;
    await createFolder(dirname(folder));
    await create().catch((again: unknown) => {
      if (errorCode(again) !== "ENOENT") throw again;
      throw new ConfigError(`No folder can be created in ${dirname(folder)}: set DATA_DIR to another folder.`);
    });
  }
}

/**
 * Whether the data folder contains an embedded database.
 *
 * @throws {ConfigError} when that cannot be known, or the folder is a file.
 */
export async function hasDatabase(dataDir: string): Promise<boolean> {
  // One of them alone is a damaged database, which opening it reports.
  for (const file of ["PG_VERSION", "global/pg_control"]) {
    try {
      await access(join(dataDir, databaseFolder, file));
      return true;
    } catch (error) {
      const code = errorCode(error) ?? "";
      if (code !== "ENOENT") throw (await folderFault(dataDir, code)) ?? error;
    }
  }
  return false;
}

/**
 * Checks an existing database before it is opened. For the owner of the data folder alone: a database that another process creates at this
 * moment looks damaged.
 *
 * @throws {ConfigError} when it is of another version of Postgres, damaged, or belongs to another user.
 */
export async function checkDatabase(dataDir: string): Promise<void> {
  const folder = join(dataDir, databaseFolder);
  const control = await stat(join(folder, "global/pg_control")).catch(() => null);
  const version = await readFile(join(folder, "PG_VERSION"), "utf8").catch((error: unknown) => errorCode(error));
  if (version === "ENOENT" && control === null) return;
  for (const path of [folder, join(folder, "PG_VERSION"), join(folder, "base"), join(folder, "pg_wal")]) {
    const code = await access(path, constants.R_OK | constants.W_OK).then(() => null, errorCode);
    const fault = code === null ? null : await folderFault(path, code);
    if (fault) throw fault;
    if (code) throw damaged(dataDir, `${path} is missing`);
  }
  const major = version?.trim();
  if (major !== postgresMajor) {
    throw new ConfigError(
      `The embedded database in ${folder} is of Postgres ${major}; this version of the program reads Postgres ${postgresMajor}. ` +
        `Run the version that made it, or ${loadAnew(dataDir)}`,
    );
  }
  if (control?.size !== controlBytes) throw damaged(dataDir, "global/pg_control is missing or truncated");
}

/** Turns the error of a database that could not be opened into the sentence for the operator, where the folder is the reason. */
export async function explainOpening(dataDir: string, error: unknown): Promise<unknown> {
  if (!(error instanceof DatabaseError) || !endedByPostgres.test(error.message)) return error;
  const { bavail, bsize } = await statfs(dataDir);
  if (bavail * bsize < minFreeBytes) return folderFault(dataDir, "ENOSPC");
  return damaged(dataDir, error.message, error);
}

/** How to begin with an empty database. Ends the sentence that begins before it. */
export function loadAnew(dataDir: string): string {
  const path = resolve(dataDir, databaseFolder).replaceAll("'", "'\\''");
  return (
    `load the catalog anew: remove the folder (rm -rf '${path}') and start again; ` +
    "the history of changes and imported libraries in it are lost."
  );
}

function damaged(dataDir: string, how: string, cause?: Error): ConfigError {
  const folder = join(dataDir, databaseFolder);
  const text = `The embedded database in ${folder} is damaged (${how}). Put a backup in its place, or ${loadAnew(dataDir)}`;
  return new ConfigError(text, { cause });
}

/** The sentence for a system error code about a folder or file; null for a code that does not speak of them. */
async function folderFault(path: string, code: string): Promise<ConfigError | null> {
  const setting = "or set DATA_DIR to another folder.";
  switch (code) {
    case "EEXIST":
    case "ENOTDIR":
      return new ConfigError(`The data folder ${path} is a file or lies below one: remove that file, ${setting}`);
    case "EACCES":
    case "EPERM":
      return new ConfigError(`${await ownership(path)} ${setting}`);
    case "EROFS":
      return new ConfigError(`The data folder ${path} is on a read-only file system: mount it writable, ${setting}`);
    case "ENOSPC":
    case "EDQUOT":
      return new ConfigError(`The disk of the data folder ${path} is full: free some space, ${setting}`);
    default:
      return null;
  }
}

/** Who may write where the folder is, or where it would be created. */
async function ownership(path: string): Promise<string> {
  const own = process.getuid?.() ?? null;
  const found = await stat(path).catch(() => null);
  const parent = dirname(resolve(path));
  if (found === null && parent !== path) return await ownership(parent);
  if (own === null || found === null || found.uid === own) {
    return `The data folder cannot be used: ${path} is not writable for this process: change its permissions,`;
  }
  return `The data folder cannot be used: ${path} belongs to user ${found.uid} and is not writable for user ${own}: chown -R ${own} it,`;
}
