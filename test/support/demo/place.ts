import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockDataDir } from "../../../src/db/owner-lock.ts";
import { freePort } from "../free-port.ts";

/**
 * An empty folder for the demo's database: always the same one, so that its commands stay short and one demo's data
 * replace the last one's; another one while that is in use, or belongs to another user.
 */
export async function emptyDataDir(folder = join(tmpdir(), "steam-pics-demo")): Promise<string> {
  try {
    if ((await stat(folder).catch(() => null)) !== null) {
      await (await lockDataDir(folder, { address: null, onLost: () => {} })).release();
      await rm(folder, { recursive: true });
    }
    await mkdir(folder, { mode: 0o700 });
    return folder;
  } catch {
    return await mkdtemp(`${folder}-`);
  }
}

/** The port that is wanted, or any other while that is taken. */
export async function portFor(wanted: number): Promise<number> {
  const isFree = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(wanted, () => server.close(() => resolve(true)));
  });
  return isFree ? wanted : await freePort();
}
