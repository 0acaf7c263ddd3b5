/** A process that tries to take the data folder named on its command line, says whether it did, and keeps it until killed. */
import { DataDirInUseError, lockDataDir } from "../../../src/db/owner-lock.ts";

const [, , dataDir = ""] = process.argv;
try {
  await lockDataDir(dataDir, { address: "http://127.0.0.1:1234", onLost() {} });
  process.send?.(true);
} catch (error) {
  if (!(error instanceof DataDirInUseError)) throw error;
  process.send?.(false);
}
// The channel to the parent keeps the process alive, and ends it with the parent.
process.on("message", () => {});
