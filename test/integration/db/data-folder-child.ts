/** Prepares the data folder that is named on the command line, as a process of its own: of another user, or with mounts of its own. */
import { prepareDataFolder } from "../../../src/db/data-folder.ts";

try {
  await prepareDataFolder(process.argv[2] ?? "");
  process.stdout.write("prepared");
} catch (error) {
  process.stdout.write(String(error));
}
