import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

/** A file that is written from its beginning to its end, and its checksum. */
export interface FileSink {
  write(bytes: Uint8Array): Promise<void>;
  /** Flushes the file to the disk. */
  finish(): Promise<{ bytes: number; sha256: string }>;
  /** Closes the file as it is. Idempotent. */
  close(): Promise<void>;
}

/** @throws system errors; `EEXIST` when there is such a file. */
export async function createFileSink(path: string): Promise<FileSink> {
  const file = await open(path, "wx");
  const hash = createHash("sha256");
  let bytes = 0;
  let isOpen = true;
  async function close() {
    if (!isOpen) return;
    isOpen = false;
    await file.close();
  }
  return {
    async write(chunk) {
      hash.update(chunk);
      bytes += chunk.length;
      await file.writeFile(chunk);
    },
    async finish() {
      await file.sync();
      await close();
      return { bytes, sha256: hash.digest("hex") };
    },
    close,
  };
}

/** Checksum of a file, in hex. Throws system errors. */
export async function sha256Of(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, { ...(signal && { signal }) });
  return hash.digest("hex");
}
