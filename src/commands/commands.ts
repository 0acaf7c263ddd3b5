import { createCollectorStore } from "../collector/store.ts";
import type { Config } from "../process/config.ts";
import { ConfigError } from "../process/errors.ts";
import { type App, openApp } from "./app.ts";
import type { CollectCommand, LibraryImportCommand, Work } from "./args.ts";
import { type CollectorWorker, createCollectorWorker } from "./collect.ts";
import type { Context } from "./context.ts";
import { startDeliverer } from "./deliver.ts";
import { checkReportFile, importRequest } from "./library-request.ts";
import { startPicsWorker } from "./pics.ts";
import { runReextract } from "./reextract.ts";
import { isWorker } from "./start-line.ts";

/** What each command does, over an open {@link App}. */

interface Command<Options> {
  /** Runs until a signal; any other command ends by itself. */
  isService(config: Config): boolean;
  /** Works beside a service that owns the embedded database. */
  runsBesideOwner?: boolean;
  /** @throws {ConfigError} for a setting that it cannot do without, before anything is opened. */
  check?(config: Config, options: Options): void | Promise<void>;
  /** Loads modules that only this command needs, see `load` of openApp. */
  load?(): Promise<unknown>;
  run(app: App, options: Options): Promise<void>;
}

/** `export` is none of them: it only reads, so it opens no {@link App}, which migrates. */
type Commands = { [Kind in Exclude<Work["kind"], "export">]: Command<Extract<Work, { kind: Kind }>> };

/** steam-user takes longer to load than everything else together. */
const loadSteam = () => import("./steam.ts");
/** With the AWS SDK. */
const loadLibraryImport = () => import("./library-import.ts");
/** With the library that writes Parquet. */
const loadExchange = () => import("./exchange.ts");
const always = () => true;
const never = () => false;

const commands: Commands = {
  sync: { isService: always, load: loadSteam, run: sync },
  bulk_sync: {
    isService: never,
    load: loadSteam,
    run: async (app, options) => (await startPicsWorker(app)).bulkSync(options),
  },
  change_monitor: {
    isService: always,
    load: loadSteam,
    run: async (app) => (await startPicsWorker(app)).followChanges(),
  },
  collect: {
    isService: ({ collector }) => collector.intervalMs > 0,
    run: collect,
  },
  library_import: {
    isService: never,
    runsBesideOwner: true,
    check: checkLibraryImport,
    load: loadLibraryImport,
    run: async (app, options) => (await loadLibraryImport()).runLibraryImport(app, importRequest(options, app.config)),
  },
  migrate: {
    isService: never,
    async run({ logger, db, appliedMigrations: applied }) {
      const done = applied.length === 0 ? "the database is up to date" : "migrations applied";
      logger.info({ driver: db.driver, applied }, done);
    },
  },
  reextract: { isService: never, run: runReextract },
  import: {
    isService: never,
    load: loadExchange,
    run: async (app, { folder }) => (await loadExchange()).runImport(app, folder),
  },
};

/** Whether the command runs until a signal, as configured. */
export function isService({ kind }: Work, config: Config): boolean {
  return kind !== "export" && commands[kind].isService(config);
}

/** Runs a command to its end. Throws what no retry cures. */
export async function runCommand(work: Work, context: Context): Promise<void> {
  if (work.kind === "export") return await (await loadExchange()).runExport(context, work);
  const command = commands[work.kind] as Command<Work>;
  await command.check?.(context.config, work);
  const app = await openApp(context, {
    mode: work.kind,
    load: command.load,
    isService: command.isService(context.config),
    isWorker: isWorker(work.kind),
    runsBesideOwner: command.runsBesideOwner ?? false,
  });
  if (command.isService(context.config)) startDeliverer(app);
  await command.run(app, work);
}

/** Loads the catalog once, then follows Steam, and collects beside it where COLLECT_INTERVAL says how often. */
async function sync(app: App): Promise<void> {
  const { intervalMs } = app.config.collector;
  const pics = await startPicsWorker(app);
  if (!(await isLoaded(app))) await pics.loadCatalog();
  const collector = intervalMs > 0 ? startCollector(app) : null;
  await Promise.all([pics.followChanges(), collector?.every(intervalMs, { ...defaultCollect, showProgress: false })]);
}

const defaultCollect = { fullRefresh: false, updateMetadata: false, batchSize: null, maxDetails: null };

async function isLoaded({ store, logger }: App): Promise<boolean> {
  const { bulk_completed_at } = await store.state();
  if (bulk_completed_at === null) return false;
  logger.info({ bulk_completed_at }, "the catalog has been loaded; `bulk-sync` makes another pass");
  return true;
}

async function collect(app: App, command: CollectCommand): Promise<void> {
  const { intervalMs } = app.config.collector;
  const collector = startCollector(app);
  const options = { ...command, showProgress: true };
  if (intervalMs > 0) await collector.every(intervalMs, options);
  else await collector.once(options);
}

function startCollector(app: App): CollectorWorker {
  const { db, retry, workerId, web, config, sources } = app;
  const collector = createCollectorWorker(app, {
    store: createCollectorStore(db, retry, workerId),
    lease: app.leaderLease("collector", config.bulk.leaseMs),
    web,
  });
  sources.collector = collector.status;
  sources.loops.set("collector", collector.loops);
  return collector;
}

/** @throws {ConfigError} that names every missing key, the profile that cannot be read, or the file that cannot be written. */
async function checkLibraryImport(config: Config, options: LibraryImportCommand): Promise<void> {
  const { report } = importRequest(options, config);
  const missing = [
    config.steamApiKey === null && "STEAM_API_KEY (https://steamcommunity.com/dev/apikey)",
    config.library.igdbClientId === null &&
      "IGDB_CLIENT_ID and IGDB_CLIENT_SECRET (https://dev.twitch.tv/console/apps)",
  ].filter((name) => name !== false);
  if (missing.length > 0) throw new ConfigError(`library-import needs ${missing.join(", and ")}.`);
  await checkReportFile(report);
}
