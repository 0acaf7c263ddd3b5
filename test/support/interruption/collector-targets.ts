import { setTimeout as delay } from "node:timers/promises";
import { openPglite } from "../../../src/db/pglite.ts";
import type { ClusterAddress } from "../cluster.ts";
import { openTestDatabase } from "../databases.ts";
import { silent } from "../templates.ts";
import { type InterruptedDriver, openTarget, type Target } from "./targets.ts";

/** A database that collectors use one after the other. */
export interface CollectorTarget extends Target {
  /** Runs a script while no process uses the database. */
  edit(script: string): Promise<void>;
  /** Makes the lease of a killed process lapse. */
  lapse(): Promise<void>;
  /** Null for the embedded database, which ends with its process. */
  halts: Halts | null;
}

/** Points at which a transaction can be halted halfway. */
export type Place =
  /** A part of a list is staged, the cursor not yet moved. */
  | "reading"
  /** New apps are inserted, no other is touched yet. */
  | "applying"
  /** The crawl has moved its cursor, its games are not yet written. */
  | "pages"
  /** All of a batch of details is written. */
  | "details";

export interface Halts {
  /** Halts the `count`-th transaction from now on that reaches this place. */
  arm(place: Place, count: number): Promise<void>;
  /** Waits until it has halted. */
  halted(signal: AbortSignal): Promise<void>;
  /** Commits it or rolls it back. Does nothing if it never halted. */
  release(end: "commit" | "rollback"): Promise<void>;
}

const pollMs = 3;

const haltsSql = `
  create schema test;
  create sequence test.seen;
  create table test.armed (place text, at bigint);
  create function test.halt() returns trigger language plpgsql as $$
  declare
    at_count constant bigint := (select at from test.armed where place = tg_argv[0]);
  begin
    if at_count is not null and nextval('test.seen') = at_count then
      perform pg_advisory_xact_lock(1);
    end if;
    return null;
  end $$;
  create trigger halt after insert on app_list_entries for each statement execute function test.halt('reading');
  create trigger halt after insert on apps for each statement execute function test.halt('applying');
  create trigger halt after update of pass_page on collector_state for each statement execute function test.halt('pages');
  create trigger halt after insert on sync_status for each statement execute function test.halt('details');`;

const leasesLapse = "update leader_leases set lease_until = now()";

export async function openCollectorTarget(
  driver: InterruptedDriver,
  cluster: ClusterAddress,
): Promise<CollectorTarget> {
  return driver === "postgres" ? openPostgresTarget(cluster) : openPgliteTarget(cluster);
}

async function openPostgresTarget(cluster: ClusterAddress): Promise<CollectorTarget> {
  const database = await openTestDatabase("postgres", { cluster, prepare: haltsSql });
  const sessions =
    "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'steam-pics-sync'";
  const halted =
    "select pid from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())";
  async function allGone(): Promise<void> {
    // The server runs a statement to its end although its client is dead.
    while ((await database.sql(sessions))[0]?.count !== 0) await delay(pollMs);
  }
  return {
    env: database.env,
    async inspect(read) {
      await allGone();
      return read((query) => database.sql(query));
    },
    async edit(script) {
      await allGone();
      await database.sql(script);
    },
    async lapse() {
      await allGone();
      await database.sql(leasesLapse);
    },
    halts: {
      async arm(place, count) {
        await database.sql("select pg_advisory_lock(1)");
        await database.sql("alter sequence test.seen restart");
        await database.sql("insert into test.armed values ($1, $2)", [place, count]);
      },
      async halted(signal) {
        while ((await database.sql(halted)).length === 0) await delay(pollMs, undefined, { signal });
      },
      async release(end) {
        if (end === "rollback") await database.sql(`select pg_terminate_backend(pid) from (${halted}) halted`);
        await database.sql("delete from test.armed");
        await database.sql("select pg_advisory_unlock(1)");
      },
    },
    close: () => database.close(),
  };
}

async function openPgliteTarget(cluster: ClusterAddress): Promise<CollectorTarget> {
  const target = await openTarget("pglite", cluster);
  async function edit(script: string): Promise<void> {
    const database = await openPglite({ dataDir: target.env.DATA_DIR ?? "", logger: silent });
    await database.transaction(script).finally(() => database.close());
  }
  // The next process finds the folder as the killed one left it, and waits for the lease.
  return { ...target, edit, lapse: async () => {}, halts: null };
}
