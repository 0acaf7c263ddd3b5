import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError, errorCode } from "../process/errors.ts";
import { columnTypes } from "./cells.ts";

/** `manifest.json`: what an export holds. It is written last, so that a folder with one is complete. */
export const manifestFile = "manifest.json";
export const fileFormats = ["parquet", "ndjson", "csv"] as const;
export type FileFormat = (typeof fileFormats)[number];

const time = z.string();
const count = z.number().int().nonnegative();

const column = z.object({ name: z.string(), type: z.enum(columnTypes), description: z.string() });
const table = z.object({
  name: z.string().regex(/^[a-z_]+$/),
  description: z.string(),
  /** In the folder of the manifest. */
  file: z.string().regex(/^[a-z_]+\.[a-z]+$/),
  rows: count,
  bytes: count,
  sha256: z.string(),
  /** Rows are sorted by it, and it identifies a row. */
  key: z.array(z.string()),
  /** `all` rows; all rows of the apps that were written since (those in apps); or the `rows` that were written since. */
  contents: z.enum(["all", "apps", "rows"]),
  columns: z.array(column),
});
export type ManifestTable = z.infer<typeof table>;

const state = z.object({
  bulk_started_at: time.nullable(),
  bulk_completed_at: time.nullable(),
  last_verified_at: time.nullable(),
  last_reconciled_at: time.nullable(),
  installed_at: time,
  changes_deleted_up_to: count,
});
/** Columns of `pics_sync_state` that a seeded database gets, besides the change number. */
export type ExportedState = z.infer<typeof state>;

/** A moment in the history of one database, by the numbers of its transactions. */
const position = z.object({
  /** Identifies the server's data, and the database in it: transactions of another one have other numbers. */
  database: z.string(),
  /** All transactions before this one had ended: rows with this number or a higher one may be missing. */
  transaction: z.string().regex(/^\d+$/),
});
export type Position = z.infer<typeof position>;

export const manifestSchema = z.object({
  format: z.literal("steam-pics-sync export"),
  format_version: z.literal(1),
  program_version: z.string(),
  /** Version of the newest migration of the program that made it. */
  schema_version: z.string().regex(/^\d{14}$/),
  made_at: time,
  file_format: z.enum(fileFormats),
  /** Everything that Steam announced up to it is in the export, stored or as pending in sync_status; null before the first bulk sync. */
  change_number: z.number().int().nullable(),
  /** The newest version of the extractor that stored an app; null when none is stored. */
  extractor_version: z.number().int().nullable(),
  state,
  position,
  /** The export that this one continues; null for one of everything. */
  since: z.object({ made_at: time, change_number: z.number().int().nullable() }).nullable(),
  tables: z.array(table),
});
export type Manifest = z.infer<typeof manifestSchema>;

/**
 * @param path of the manifest, or of its folder.
 * @throws {ConfigError} when it is missing, unreadable, or of another version of the format.
 */
export async function readManifest(path: string): Promise<Manifest> {
  const file = path.endsWith(".json") ? path : join(path, manifestFile);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      throw new ConfigError(`There is no ${file}: the folder has no export, or one that was interrupted.`);
    }
    throw new ConfigError(`${file} cannot be read (${errorCode(error) ?? "it is no JSON"}).`, { cause: error });
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const found = z.object({ format_version: z.number() }).safeParse(value);
  if (found.success && found.data.format_version !== 1) {
    throw new ConfigError(
      `${file} has version ${found.data.format_version} of the format; this program reads version 1.`,
    );
  }
  throw new ConfigError(`${file} is not the manifest of an export:\n${z.prettifyError(parsed.error)}`);
}

/** Writes the manifest under another name first, so that it is never seen unfinished. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const unfinished = join(folder, `${manifestFile}.unfinished`);
  const file = await open(unfinished, "w");
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, join(folder, manifestFile));
}
