import { SettingRejectedError } from "../library/errors.ts";
import { createFolderStore } from "../library/folder-store.ts";
import { createIgdb } from "../library/igdb.ts";
import { createLibraryImport, type LibraryImport } from "../library/pipeline.ts";
import type { LibraryProgress } from "../library/progress.ts";
import { createS3Store } from "../library/s3-store.ts";
import type { LibraryStore } from "../library/store.ts";
import { ConfigError } from "../process/errors.ts";
import type { LoopSnapshot } from "../status/snapshot.ts";
import { formatLibraryLine } from "../terminal/bars.ts";
import { reportLibrarySummary } from "../terminal/library-summary.ts";
import { createProgress } from "../terminal/progress-bar.ts";
import type { WebClient } from "../web/client.ts";
import type { Context } from "./context.ts";

/** The import of one library as a command runs it: its three stages in this process. */
export interface LibraryWorker {
  run(options: { userId: string; steamId64: string }, parts: LibraryParts): Promise<void>;
  /** Null before it begins. */
  status(): LibraryProgress | null;
  loops(): LoopSnapshot[];
}

export interface LibraryParts {
  store: LibraryStore;
  web: WebClient;
}

const stopLimitMs = 7_000;
const linesEveryMs = 5_000;
/** Several time-outs and pauses between attempts may pass before anything moves. */
const progressLimitMs = 900_000;

/** @throws {ConfigError} when a key is missing that a stage cannot do without. */
export function createLibraryWorker({ config, output, logger, lifecycle }: Context): LibraryWorker {
  const { steamApiKey: apiKey } = config;
  const { igdbClientId: clientId, igdbClientSecret: clientSecret, s3Bucket } = config.library;
  const missing = [apiKey === null && "STEAM_API_KEY", clientId === null && "IGDB_CLIENT_ID and IGDB_CLIENT_SECRET"];
  const named = missing.filter((name) => name !== false);
  if (named.length > 0)
    throw new ConfigError(`library-import needs ${named.join(", and ")}; .env.example says where to get them.`);
  let current: LibraryImport | null = null;

  return {
    async run({ userId, steamId64 }, { store, web }) {
      const { signal } = lifecycle;
      const library = createLibraryImport({
        userId,
        steamId64,
        web,
        store,
        apiKey,
        objects: s3Bucket === null ? createFolderStore(config.dataDir) : createS3Store(s3Bucket),
        igdb: createIgdb({ web, store, clientId, clientSecret, signal }),
        signal,
      });
      current = library;
      const progress = createProgress({
        line: (width) => formatLibraryLine(library.status(), width),
        fields: () => ({ library: library.status() }),
        message: "library import in progress",
        linesEveryMs,
        output,
        logger,
      });
      lifecycle.onShutdown("progress", () => progress.stop());
      progress.start();
      const running = library.run();
      // A batch that is being written is let finish.
      lifecycle.onShutdown("library import", () => running.catch(() => {}), stopLimitMs);
      try {
        reportLibrarySummary(await running, output, logger);
      } catch (error) {
        throw error instanceof SettingRejectedError ? new ConfigError(error.message) : error;
      } finally {
        progress.stop();
      }
    },
    status: () => current?.status() ?? null,
    loops: () =>
      current === null
        ? []
        : [
            {
              name: "library_import",
              state: current.status().phase === "done" ? "done" : "running",
              last_progress_at: current.lastProgressAt(),
              limit_ms: progressLimitMs,
              needs: ["database"],
            },
          ],
  };
}
