import { SettingRejectedError } from "../library/errors.ts";
import { createFolderStore } from "../library/folder-store.ts";
import { createIgdb } from "../library/igdb.ts";
import { createLibraryImport } from "../library/pipeline.ts";
import { type ReportedGame, writeReport } from "../library/report.ts";
import { createS3Store } from "../library/s3-store.ts";
import { createLibraryStore } from "../library/store.ts";
import { ConfigError } from "../process/errors.ts";
import { createOutput } from "../process/logger.ts";
import { formatLibraryLine } from "../terminal/bars.ts";
import { reportLibrarySummary } from "../terminal/library-summary.ts";
import { createProgress } from "../terminal/progress-bar.ts";
import type { App } from "./app.ts";
import { type ImportRequest, writeReportFile } from "./library-request.ts";
import { createSteamLookup } from "./steam-lookup.ts";

const stopLimitMs = 7_000;
const logEveryMs = 5_000;
/** Several time-outs and retries may pass before anything moves. */
const progressLimitMs = 900_000;

/** The import of one library: its three stages in this process, the summary, and the report on every game. */
export async function runLibraryImport(app: App, { userId, steamId, report }: ImportRequest): Promise<void> {
  const { config, output, logger, lifecycle, db, retry, web, sources } = app;
  const { signal } = lifecycle;
  const { igdbClientId: clientId, igdbClientSecret: clientSecret, s3Bucket, tables } = config.library;
  const store = createLibraryStore(db, retry);
  let games: readonly ReportedGame[] = [];
  const library = createLibraryImport({
    userId,
    steamId,
    onGames: (all) => {
      games = all;
    },
    web,
    store,
    tables,
    apiKey: config.steamApiKey,
    objects: s3Bucket === null ? createFolderStore(config.dataDir) : createS3Store(s3Bucket),
    igdb: createIgdb({ web, store, clientId, clientSecret, signal }),
    askSteam: createSteamLookup(app),
    logger,
    signal,
  });
  sources.library = () => library.status();
  sources.loops.set("library", () => [
    {
      name: "library_import",
      state: library.status().phase === "done" ? "done" : "running",
      last_progress_at: library.lastProgressAt(),
      limit_ms: progressLimitMs,
      needs: ["database"],
    },
  ]);
  const progress = createProgress({
    line: (width) => formatLibraryLine(library.status(), width),
    fields: () => ({ library: library.status() }),
    message: "library import in progress",
    linesEveryMs: logEveryMs,
    output,
    logger,
  });
  lifecycle.onShutdown("progress", () => progress.stop());
  progress.start();
  const running = library.run();
  // A batch that is being written may finish.
  lifecycle.onShutdown("library import", () => running.catch(() => {}), stopLimitMs);
  try {
    reportLibrarySummary(await running, output, logger);
    if (report !== null) await putReport(report, writeReport(games));
  } catch (error) {
    throw error instanceof SettingRejectedError ? new ConfigError(error.message) : error;
  } finally {
    progress.stop();
  }
}

async function putReport(path: string, text: string): Promise<void> {
  if (path !== "-") return await writeReportFile(path, text);
  const stdout = createOutput(process.stdout);
  stdout.write(text);
  await stdout.flushed();
}
