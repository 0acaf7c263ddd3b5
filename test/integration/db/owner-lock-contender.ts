/**
 * A process that tries to lock the data folder of its argument, reports whether it did, and keeps the lock until
 * killed.
 */
import { DataDirInUseError, lockDataDir } from "../../../src/db/owner-lock.ts";

const [, , dataDir = ""] = process.argv;
try {
  await lockDataDir(dataDir, { address: "http://127.0.0.1:1234", onLost() {} });
  process.send?.(true);
} catch (error) {
  if (!(error instanceof DataDirInUseError)) throw error;
  process.send?.(false);
}
// Listening on the channel to the parent keeps the process running until the parent ends.
process.on("message", () => {});
