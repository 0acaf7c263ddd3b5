import { createCollectorStore } from "../collector/store.ts";
import type { Config } from "../process/config.ts";
import { ConfigError } from "../process/errors.ts";
import { type App, openApp } from "./app.ts";
import type { CollectCommand, Work } from "./args.ts";
import { type CollectorWorker, createCollectorWorker } from "./collect.ts";
import type { Context } from "./context.ts";
import { startPicsWorker } from "./pics.ts";
import { runReextract } from "./reextract.ts";

/** What each command does, over an open {@link App}. */

interface Command<Options> {
  /** Runs until a signal; any other command ends by itself. */
  isService(config: Config): boolean;
  /** Serves HTTP and reports to the other workers. */
  isWorker: boolean;
  /** @throws {ConfigError} for a setting that it cannot do without, before anything is opened. */
  check?(config: Config): void;
  /** Loads modules that only this command needs. Before anything is opened, since loading blocks the event loop for seconds. */
  load?(): Promise<unknown>;
  run(app: App, options: Options): Promise<void>;
}

type Commands = { [Kind in Work["kind"]]: Command<Extract<Work, { kind: Kind }>> };

/** steam-user takes longer to load than everything else together. */
const loadSteam = () => import("./steam.ts");
/** With the AWS SDK. */
const loadLibraryImport = () => import("./library-import.ts");
const always = () => true;
const never = () => false;

const commands: Commands = {
  sync: { isService: always, isWorker: true, load: loadSteam, run: sync },
  bulk_sync: {
    isService: never,
    isWorker: true,
    load: loadSteam,
    run: async (app, options) => (await startPicsWorker(app)).bulkSync(options),
  },
  change_monitor: {
    isService: always,
    isWorker: true,
    load: loadSteam,
    run: async (app) => (await startPicsWorker(app)).followChanges(),
  },
  collect: {
    isService: ({ collector }) => collector.intervalMs > 0,
    isWorker: true,
    run: collect,
  },
  library_import: {
    isService: never,
    isWorker: true,
    check: checkLibrarySettings,
    load: loadLibraryImport,
    run: async (app, options) => (await loadLibraryImport()).runLibraryImport(app, options),
  },
  migrate: {
    isService: never,
    isWorker: false,
    async run({ logger, db, appliedMigrations: applied }) {
      const done = applied.length === 0 ? "the database is up to date" : "migrations applied";
      logger.info({ driver: db.driver, applied }, done);
    },
  },
  reextract: { isService: never, isWorker: false, run: runReextract },
};

/** Whether the command runs until a signal, as configured. */
export function isService({ kind }: Work, config: Config): boolean {
  return commands[kind].isService(config);
}

/** Runs a command to its end. Throws what no retry cures. */
export async function runCommand(work: Work, context: Context): Promise<void> {
  const command = commands[work.kind] as Command<Work>;
  command.check?.(context.config);
  await command.load?.();
  const app = await openApp(context, {
    mode: work.kind,
    isService: command.isService(context.config),
    isWorker: command.isWorker,
  });
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

/** @throws {ConfigError} that names every missing key. */
function checkLibrarySettings({ steamApiKey, library }: Config): void {
  const missing = [
    steamApiKey === null && "STEAM_API_KEY",
    library.igdbClientId === null && "IGDB_CLIENT_ID and IGDB_CLIENT_SECRET",
  ].filter((name) => name !== false);
  if (missing.length === 0) return;
  throw new ConfigError(`library-import needs ${missing.join(", and ")}; .env.example says where to get them.`);
}
