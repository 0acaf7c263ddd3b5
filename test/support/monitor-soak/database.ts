import pg from "pg";
import { type Cluster, superuser, urlOf } from "../cluster.ts";
import type { TestDatabase } from "../databases.ts";
import type { Sql } from "../independent-reading/compare.ts";

/** Runs queries of the soak test itself. Rejects while the server is away. */
export type InDatabase = <T>(work: (sql: Sql) => Promise<T>) => Promise<T>;

/** Each call opens a connection of its own, since the server is restarted. */
export function connectTo(cluster: Cluster, { url }: TestDatabase): InDatabase {
  const name = new URL(url ?? "").pathname.slice(1);
  return async (work) => {
    const client = new pg.Client({ connectionString: urlOf(cluster.address, superuser, name) });
    client.on("error", () => {}); // The interrupted query rejects as well.
    try {
      await client.connect();
      return await work(async (query, params) => (await client.query(query, params)).rows as Record<string, unknown>[]);
    } finally {
      await client.end();
    }
  };
}

export interface Standing {
  cursor: number;
  pending: number;
  /** Pending apps that failed, or whose worker was killed. */
  failing: number;
}

export async function standing(sql: Sql): Promise<Standing> {
  const [row] = await sql(`
    select (select last_change_number from pics_sync_state) as cursor, count(*) as pending, count(*) filter (where attempts > 0) as failing
    from sync_status where pics_pending_change is not null`);
  return { cursor: Number(row?.cursor), pending: Number(row?.pending), failing: Number(row?.failing) };
}

/** An hour passes for the rule that counts how many apps were said to be unknown within one. */
export async function passHour(sql: Sql): Promise<void> {
  await sql("update sync_status set unknown_at = unknown_at - interval '1 hour' where unknown_at is not null");
}

/**
 * A day passes for apps of which Steam withheld a part although their token is not denied, and for the last sweep: the
 * next poll starts one, and it marks these apps.
 */
export async function passDay(sql: Sql): Promise<void> {
  await sql(`
    with day as (select interval '25 hours' as length), state as (
      -- Apps that were synced before the installation would count as not stored.
      update pics_sync_state set installed_at = installed_at - length, last_reconciled_at = last_reconciled_at - length,
        last_verified_at = last_verified_at - length
      from day
    )
    update sync_status set last_pics_sync = last_pics_sync - length
    from day
    where missing_token and appid not in (select appid from pics_access_tokens where denied_at is not null)`);
}

/** Apps with backoff are due now; they would wait for 30 s and more. Those that wait for a second "unknown" do wait. */
export async function endBackoff(sql: Sql): Promise<void> {
  await sql("update sync_status set next_attempt_at = now() where next_attempt_at > now() and unknown_since is null");
}
