import type { CatalogSource, StatusDocument } from "../catalog-source/port.ts";
import type { Database, SqlDatabase } from "../db/database.ts";
import { missingMigrations } from "../db/migrate.ts";
import { describeOpenTables, findOpenTables, type OpenTable } from "../db/open-tables.ts";
import { DataDirInUseError } from "../db/owner-lock.ts";
import { schemaRemedy } from "../db/sqlstate.ts";
import type { CatalogOverview } from "../db/sync-calls.ts";
import type { Config } from "../process/config.ts";
import { ConfigError, DatabaseError, NotFoundError } from "../process/errors.ts";
import { formatCount } from "../terminal/format.ts";
import { clean, formatAge } from "../terminal/layout.ts";
import { adviceOf, blocked, type Check, causes, type Finding, failed, ok, skipped, warning } from "./check.ts";

/** A longer lag is a warning. */
const maxLagSeconds = 900;

/**
 * Checks of the database: connection, migrations, row-level security, catalog, unread keys. `open` is called once; the last check closes what it opened, since the embedded
 * database has a single owner and other processes may be waiting for it.
 */
export function databaseChecks(config: Config | null, open: () => Promise<CatalogSource>): Check[] {
  let source: CatalogSource | null = null;
  let status: StatusDocument | null = null;
  let hasSchema = false;
  let unopened = blocked(causes.database);

  return [
    {
      name: "connection",
      async run() {
        if (config === null) {
          unopened = blocked(causes.configuration);
          return unopened;
        }
        try {
          source = await open();
          return ok(await connectionSummary(source));
        } catch (error) {
          source = null;
          if (error instanceof NotFoundError) {
            unopened = blocked(causes.noCatalog);
            return skipped(error.message);
          }
          return openingFailure(error);
        }
      },
    },
    {
      name: "migrations",
      async run() {
        if (source === null) return unopened;
        const { db } = source;
        hasSchema = true;
        if (db === null) return skipped("The process that owns the database applied them when it started.");
        const missing = await missingMigrations(db);
        if (missing.length === 0) return ok("none missing");
        hasSchema = false;
        return failed(`${missing.join(", ")} missing`, "other", `${capital(schemaRemedy(db.driver))}.`);
      },
    },
    {
      name: "row security",
      async run() {
        if (source === null) return unopened;
        if (source.db === null) return skipped("The embedded database has no other users.");
        if (!hasSchema) return blocked(causes.schema);
        return rowSecurity(await findOpenTables(source.db));
      },
    },
    {
      name: "catalog",
      async run() {
        if (source === null) return unopened;
        if (!hasSchema) return blocked(causes.schema);
        status = await source.status();
        return catalog(status);
      },
    },
    {
      name: "search",
      async run() {
        if (source === null) return unopened;
        if (!hasSchema) return blocked(causes.schema);
        const { db } = source;
        if (db === null) return skipped("The process that owns the database answers searches.");
        return search((await db.rpc("catalog_search_index")) as { trigrams: boolean });
      },
    },
    {
      name: "unread keys",
      async run() {
        if (source === null) return unopened;
        try {
          if (!hasSchema) return blocked(causes.schema);
          return status?.catalog ? unreadKeys(status.catalog) : skipped("The catalog was not read.");
        } finally {
          await source.close();
        }
      },
    },
  ];
}

const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** Statements to paste into Supabase's SQL editor; the older application may need other policies. */
function rowSecurity(tables: readonly OpenTable[]): Finding {
  if (tables.length === 0) return ok("no table is open beyond the contract");
  const statements = tables.flatMap((table) => table.statements).join("\n");
  return failed(describeOpenTables(tables), "other", `Run:\n${statements}`);
}

/** The server's name and response time. */
async function connectionSummary(source: CatalogSource): Promise<string> {
  const { db } = source;
  const [name, ms] = db === null ? await ownerAnswer(source) : await serverAnswer(db);
  return `${name} answered in ${ms.toFixed(1)} ms`;
}

async function ownerAnswer(source: CatalogSource): Promise<[string, number]> {
  return [source.name, await measureMs(() => source.status())];
}

async function serverAnswer(db: Database | SqlDatabase): Promise<[string, number]> {
  if (!("query" in db)) return ["PostgREST", await measureMs(() => missingMigrations(db))];
  const [row] = await db.query<{ version: string }>("select current_setting('server_version') as version");
  const ms = await measureMs(() => db.query("select 1"));
  const name = `Postgres ${row?.version}`;
  return [db.driver === "pglite" ? `PGlite (${name})` : name, ms];
}

async function measureMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function search({ trigrams }: { trigrams: boolean }): Finding {
  if (trigrams) return ok("by trigrams (pg_trgm), close misses included");
  return warning(
    "The extension pg_trgm is missing: a search finds names by the beginnings of their words, and no close misses",
    "Have it installed (create extension pg_trgm) and the indexes made as the migration of the catalog's tables does.",
  );
}

function openingFailure(error: unknown): Finding {
  if (error instanceof ConfigError) return failed(...adviceOf(error.message, "configuration"));
  if (error instanceof DataDirInUseError) return failed(...adviceOf(error.message, "other"));
  if (!(error instanceof DatabaseError)) throw error;
  const { fault, code, remedy } = error;
  const what =
    remedy === null ? `${error.message} (${code})` : `${error.message.replace(` (${remedy})`, "")} (${code})`;
  const isSetting = fault === "denied" || fault === "misconfigured";
  const isAway = fault === "unreachable" || fault === "timeout";
  const blame = isSetting ? "configuration" : isAway ? "unreachable" : "other";
  return failed(what, blame, remedy === null ? remedies[blame] : `${capital(remedy)}.`);
}

const remedies = {
  configuration: "Correct the settings of the database (DATABASE_URL, or SUPABASE_URL and SUPABASE_SERVICE_KEY).",
  unreachable: "Start the database, or correct its address (DATABASE_URL, or SUPABASE_URL).",
  other: "Look at the log of the database; `LOG_LEVEL=debug npm start` shows where the error comes from.",
} as const;

function catalog({ catalog, failing_apps, workers }: StatusDocument): Finding {
  if (catalog === null) return skipped("Not counted by the owner yet.");
  const { apps, bulk_completed_at, pending, failing, lag_seconds } = catalog;
  const lag = lag_seconds ?? 0;
  const facts = [
    `${formatCount(apps)} apps`,
    bulk_completed_at === null ? "the first bulk sync is not complete" : `loaded ${bulk_completed_at.slice(0, 10)}`,
    `${formatCount(pending)} pending${pending > 0 ? `, the oldest for ${formatAge(lag)}` : ""}`,
    `${formatCount(failing)} failing`,
    `${formatCount(workers.length)} ${workers.length === 1 ? "worker" : "workers"}`,
  ];
  const [worst] = failing_apps;
  if (worst) facts.push(`last error of app ${worst.appid}: ${clean(worst.error ?? "")}`);
  return failing > 0 || lag > maxLagSeconds ? warning(facts.join("; ")) : ok(facts.join("; "));
}

/** A key that Steam sends and the extractor does not read; a new one may be a field that is missing here. */
function unreadKeys({ unread_keys }: CatalogOverview): Finding {
  const { count, new_count, new: latest } = unread_keys;
  const total = `${formatCount(count)} keys of Steam's app info are not read`;
  if (new_count === 0) return ok(`${total}; none is new within 7 days`);
  const listed = latest.map(
    ({ path, payloads, first_appid }) => `${clean(path)} (${formatCount(payloads)} ×, first on app ${first_appid})`,
  );
  const more = new_count > latest.length ? [`${formatCount(new_count - latest.length)} more`] : [];
  return warning(`${total}; new within 7 days: ${[...listed, ...more].join(", ")}`);
}
