import { compareWithDatabase, type Sql } from "../independent-reading/compare.ts";
import type { Catalog } from "../steam/catalog.ts";
import { expectedOf } from "../sync.ts";
import type { Traffic } from "./traffic.ts";

/**
 * Triggers installed before the first worker. They record when an app under a valid lease is claimed by another one,
 * when an app is stored without a valid lease, and when a mark is cleared although something newer had been announced, and
 * which apps were believed to be gone.
 * (`now()` is when the call's transaction began, which is no later than the moment that the function decides at.)
 * Writes begin with a pause of up to 0.2 s, so that more happens between a fetch and its write.
 */
export const audit = `
  create table audit (appid integer, what text, before jsonb, after jsonb, at timestamptz default clock_timestamp());
  create function audit_sync_status() returns trigger language plpgsql as $$
  begin
    insert into public.audit (appid, what, before, after)
    select new.appid, wrong, to_jsonb(old), to_jsonb(new)
    from (values
      ('taken although another lease was valid',
        old.lease_id is not null and old.lease_until > clock_timestamp() and new.lease_id <> old.lease_id),
      ('stored without a valid lease',
        new.pics_change_number is distinct from old.pics_change_number and (old.lease_id is null or old.lease_until <= now())),
      ('cleared although something newer was announced',
        new.pics_pending_change is null and old.pics_pending_change > case
          when (select is_known from public.apps where apps.appid = new.appid) then coalesce(new.pics_change_number, 0)
          else old.lease_change -- Steam does not know it: nothing is stored
        end)
    ) as rules(wrong, is_broken)
    where is_broken;
    return null;
  end $$;
  create trigger audit after update on sync_status for each row execute function audit_sync_status();

  create table believed_gone (appid integer, at timestamptz default clock_timestamp());
  create function audit_apps() returns trigger language plpgsql as $$
  begin
    insert into public.believed_gone (appid) values (new.appid);
    return null;
  end $$;
  create trigger audit after update on apps for each row when (old.is_known and not new.is_known) execute function audit_apps();

  create function dawdle() returns trigger language plpgsql as $$
  begin
    perform pg_sleep(0.2 * random());
    return new;
  end $$;
  create trigger dawdle before insert on pics_replies for each row execute function dawdle();
`;

/** Checks the invariants once everything announced has been stored. Returns the violations, in words. */
export async function judge(
  sql: Sql,
  catalog: Catalog,
  { removed, everRemoved }: Pick<Traffic, "removed" | "everRemoved">,
): Promise<string[]> {
  const gone = await sql("select appid, at from believed_gone order by at");
  return [
    ...(await wrongApps(sql, catalog, removed)),
    ...lines(
      "believed to be gone, and never were",
      gone.filter(({ appid }) => !everRemoved.has(Number(appid))),
    ),
    ...(await rowsOf(sql, "history: the same change twice", doubled)),
    ...(await rowsOf(sql, "history: what one row says is new, the next one does not call old", brokenChains)),
    ...(await rowsOf(sql, "history: the last value is not the stored one", wrongEnds)),
    ...(await rowsOf(sql, "history: older after newer", outOfOrder)),
    ...(await rowsOf(sql, "marks and leases", "select * from audit")),
    ...(await rowsOf(sql, "a gap was never repaired", "select * from pics_gaps where repaired_at is null")),
    ...(await rowsOf(sql, "leases left behind", "select * from sync_status where lease_until > now()")),
  ];
}

/**
 * Every app matches an independent reading of Steam's text, with the right change number; removed apps are inactive.
 */
async function wrongApps(sql: Sql, catalog: Catalog, removed: ReadonlyMap<number, unknown>): Promise<string[]> {
  const { differences } = await compareWithDatabase(sql, expectedOf(catalog));
  const isGone = (appid: number, field: string) => field === "apps" && removed.has(appid);
  const wrong = differences.filter(({ appid, field }) => !isGone(appid, field));
  const alive = await sql("select appid from apps where is_known or is_active");
  const ghosts = alive.filter(({ appid }) => removed.has(Number(appid)));
  return [...lines("apps", wrong), ...lines("active although Steam has it no longer", ghosts)];
}

const doubled = `
  select appid, field, change_number, old, new, count(*) from app_changes
  group by 1, 2, 3, 4, 5 having count(*) > 1`;

const brokenChains = `
  select * from (
    select appid, field, id, new, lead(id) over chain as next_id, lead(old) over chain as next_old
    from app_changes window chain as (partition by appid, field order by id)
  ) links
  where next_id is not null and new is distinct from next_old`;

const wrongEnds = `
  select ends.*, stored.image -> ends.field as stored from (
    select distinct on (appid, field) appid, field, new from app_changes where field <> 'added' order by appid, field, id desc
  ) ends
  left join pics_app_images(array(select appid from apps)) stored on stored.appid = ends.appid
  where ends.new is distinct from nullif(stored.image -> ends.field, 'null')`;

const outOfOrder = `
  select * from (
    select appid, field, id, change_number, lead(change_number) over (partition by appid, field order by id) as next from app_changes
  ) links
  where next < change_number`;

async function rowsOf(sql: Sql, what: string, query: string): Promise<string[]> {
  return lines(what, await sql(query));
}

function lines(what: string, rows: readonly unknown[]): string[] {
  if (rows.length === 0) return [];
  return [`${what}: ${rows.length}, such as ${JSON.stringify(rows.slice(0, 3))}`];
}
