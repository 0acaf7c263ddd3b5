-- Generated from supabase/routines by `npm run migration`. Do not edit: edit the routines.

create or replace function public.schema_version() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select '20261128000005' $$;

-- PICS: the state machine of an app, the leader lease, polling, workers and history. Every function takes one jsonb request and returns
-- one jsonb value: a hosted project cuts row sets at 1,000, and three transports (PostgREST, Postgres, PGlite) then share one call.
--
-- The path of an app:  pics_mark or pics_poll (Steam has change n: the app is pending)
--                      -> pics_claim (a worker takes it under a lease)
--                      -> pics_apply (its rows are written and the mark is cleared, in one transaction).
-- All times are the database's; lengths of leases and delays are arguments.
--
-- Functions run with `search_path = pg_catalog, pg_temp` and qualify every name of `public`. A role that may create in `public` could
-- otherwise shadow a built-in: a `public.hashtextextended(text, integer)` of an unprivileged role ran with the rights of the service and
-- read an access token. `pg_temp` comes last, because a path without it searches it first for tables and types.

------------------------------------------------------------------------------------------------------------- marking

-- Whether apps of a type are stored. request {"types": [type, …] or null or absent for all}
create or replace function public.pics_is_wanted(type text, request jsonb) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_typeof(request -> 'types'), 'null') = 'null' or request -> 'types' ? type;
$$;

-- Marks apps that were left out for their type and that are wanted now.
--   request  {"types": as for pics_apply, "max": apps}; reply {"marked": apps, "has_more"}
create or replace function public.pics_mark_skipped(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  max_apps constant integer := (request ->> 'max')::integer;
  marked integer;
begin
  with wanted as (
    select appid from public.sync_status
    where skipped_type is not null and pics_pending_change is null and public.pics_is_wanted(skipped_type, request)
    order by appid limit max_apps for update skip locked
  )
  update public.sync_status s set pics_pending_change = s.pics_change_number, pending_since = now()
  from wanted where s.appid = wanted.appid;
  get diagnostics marked = row_count;
  return jsonb_build_object('marked', marked, 'has_more', marked = max_apps);
end
$$;

-- Type of an app that is not stored because APP_TYPES leaves it out; else null. request {"appid"}
create or replace function public.pics_skipped_type(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select to_jsonb(skipped_type) from public.sync_status where appid = (request ->> 'appid')::integer;
$$;

-- Marks apps as pending where Steam's change number differs from the stored one.
--   request  {"apps": [[appid, change_number, needs_token], …], "unknown": [appid, …], "full": false, "types": as for pics_apply}
--   reply    {"known": apps named, "marked": apps now pending, "now": the database's time}
-- `full` marks every named app. An unknown app is marked when it is stored and believed known: fetching it decides. Rows that
-- another application synced before this one was installed count as not stored. An app of which Steam withheld a part is asked for
-- again a day after its token was denied. An app whose type was left out is current, unless its type is wanted now. Marks only grow, so a
-- repeat is harmless.
create or replace function public.pics_mark(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- A first load begins on empty tables; a plan that a session makes for those must not be kept while they grow.
set plan_cache_mode = force_custom_plan
as $$
declare
  is_full constant boolean := coalesce((request ->> 'full')::boolean, false);
  marked integer;
begin
  with announced as (
    select (e ->> 0)::integer as appid, (e ->> 1)::bigint as change, coalesce((e ->> 2)::boolean, false) as needs_token, true as is_known
    from jsonb_array_elements(request -> 'apps') as e
    union all
    select id::integer, null, false, false
    from jsonb_array_elements_text(request -> 'unknown') as id
  ), differing as (
    select announced.appid, coalesce(announced.change, s.pics_change_number, 0) as change, announced.needs_token, s.last_pics_sync
    from announced
    left join public.sync_status s on s.appid = announced.appid
    left join public.apps a on a.appid = announced.appid
    left join public.pics_access_tokens t on t.appid = announced.appid and s.missing_token
    where case when announced.is_known then
      is_full or s.pics_change_number is null or s.pics_change_number < announced.change
        or case when s.skipped_type is null then a.is_known is not true else public.pics_is_wanted(s.skipped_type, request) end
        or coalesce(s.last_pics_sync, '-infinity') < (select installed_at from public.pics_sync_state)
        or s.missing_token and s.skipped_type is null and coalesce(t.denied_at, s.last_pics_sync) < now() - interval '1 day'
    else
      a.is_known and s.pics_pending_change is null
    end
  )
  -- A changed last_pics_sync shows that the app was stored between the comparison and this write: then only a newer number marks it.
  insert into public.sync_status as s (appid, pics_pending_change, pending_since, needs_token, last_pics_sync)
  select appid, max(change), now(), bool_or(needs_token), max(last_pics_sync) from differing group by appid order by appid
  on conflict (appid) do update set
    pics_pending_change = greatest(s.pics_pending_change, excluded.pics_pending_change),
    pending_since = coalesce(s.pending_since, excluded.pending_since),
    needs_token = s.needs_token or excluded.needs_token,
    -- An app whose worker died keeps its attempts, so that one that kills every worker ends up alone (see pics_claim).
    attempts = case when s.lease_id is null then 0 else s.attempts end,
    next_attempt_at = case when s.lease_id is null then null else s.next_attempt_at end
  where (s.pics_pending_change is null or s.pics_pending_change < excluded.pics_pending_change)
    and (s.last_pics_sync is not distinct from excluded.last_pics_sync or s.pics_change_number < excluded.pics_pending_change);
  get diagnostics marked = row_count;

  -- Steam names the app again: an earlier "unknown" is not confirmed.
  update public.sync_status s set unknown_since = null
  from jsonb_array_elements(request -> 'apps') as pair
  where s.unknown_since is not null and s.appid = (pair ->> 0)::integer;

  return jsonb_build_object(
    'known', coalesce(jsonb_array_length(request -> 'apps'), 0),
    'marked', marked,
    'now', clock_timestamp()
  );
end
$$;

-- Begins a bulk pass, and makes its failing and unconfirmed apps due at once. Attempts of an app whose worker died are kept, unless the
-- app is named: otherwise one that kills every worker would be claimed with the others after each restart.
--   request  {"change_number": Steam's current one, "appids": [the only ones] or null for a pass over everything}
--   reply    {"last_change_number", "pending": apps with work, "highest_appid": of all stored, "started_at"}
-- The change number is stored only if none is, so that a monitor started later misses nothing.
create or replace function public.pics_begin_bulk(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  is_whole constant boolean := coalesce(jsonb_typeof(request -> 'appids') <> 'array', true);
  only_these constant integer[] := case when not is_whole then array(select jsonb_array_elements_text(request -> 'appids')) end;
  state public.pics_sync_state;
begin
  update public.pics_sync_state set
    last_change_number = coalesce(last_change_number, (request ->> 'change_number')::bigint),
    bulk_started_at = case when is_whole then now() else bulk_started_at end,
    updated_at = now()
  where id = 1
  returning * into state;

  update public.sync_status set attempts = 0, next_attempt_at = null
  where pics_pending_change is not null and (attempts > 0 or next_attempt_at is not null)
    and (is_whole and lease_id is null or appid in (select unnest(only_these)));

  return jsonb_build_object(
    'last_change_number', state.last_change_number,
    'pending', (
      select count(*) from public.sync_status
      where pics_pending_change is not null and (is_whole or appid in (select unnest(only_these)))
    ),
    'highest_appid', (select coalesce(max(appid), 0) from public.apps),
    'started_at', now()
  );
end
$$;

-- Ends a pass over everything.
--   request  {"started_at": from pics_begin_bulk}
--   reply    {"bulk_completed_at", "is_first": whether no pass had ended before}
create or replace function public.pics_finish_bulk(request jsonb) returns jsonb
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  update public.pics_sync_state as s set
    bulk_completed_at = now(),
    last_verified_at = greatest(s.last_verified_at, (request ->> 'started_at')::timestamptz),
    updated_at = now()
  from (select id, bulk_completed_at from public.pics_sync_state where id = 1 for update) as before
  where s.id = before.id
  returning jsonb_build_object('bulk_completed_at', s.bulk_completed_at, 'is_first', before.bulk_completed_at is null);
$$;

-- Ids of stored apps, by keyset pagination. request {"after": appid, "max": n}; reply [appid, …] ascending
create or replace function public.pics_stored_appids(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(appid order by appid), '[]')
  from (
    select appid from public.apps where appid > (request ->> 'after')::integer order by appid limit (request ->> 'max')::integer
  ) page;
$$;

-- Which of some apps are stored and known to Steam. request {"appids": [appid, …]}; reply [appid, …] ascending
create or replace function public.pics_known_among(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(appid order by appid), '[]')
  from public.apps
  where is_known and appid in (select id::integer from jsonb_array_elements_text(request -> 'appids') as id);
$$;

-- Appids most due for `pics` or `steamspy`: never synced first, then pending longest, then synced longest ago.
create or replace function public.get_apps_for_sync(source text, max_apps integer) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if source not in ('pics', 'steamspy') then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('unknown source %L', source), hint = 'Sources are pics and steamspy.';
  end if;
  return (
    select coalesce(jsonb_agg(appid order by place), '[]')
    from (
      select appid, row_number() over (
        order by synced_at is not null, pending_since nulls last, synced_at, appid
      ) as place
      from (
        select coalesce(a.appid, s.appid) as appid,
          case source when 'pics' then s.last_pics_sync else s.last_steamspy_sync end as synced_at,
          case source when 'pics' then s.pending_since end as pending_since
        from public.apps a full join public.sync_status s on s.appid = a.appid
      ) candidates
      order by place
      limit max_apps
    ) due
  );
end
$$;

------------------------------------------------------------------------------------------------------------- claiming

-- Appids that a claim holds or held: those of its row in pics_claims whose row of sync_status still has its lease. An index on
-- sync_status.lease_id would keep every claim from being a HOT update, and its entries would have to be written and vacuumed.
create or replace function public.pics_claimed(this_lease uuid) returns integer[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select s.appid::integer from public.sync_status s
    where s.lease_id = this_lease and s.appid = any ((select c.appids from public.pics_claims c where c.lease_id = this_lease)::integer[])
    order by s.appid
  );
$$;

-- Keeps which apps a claim took, and deletes what lapsed claims left: at most ten rows, since each call adds one.
create or replace function public.pics_keep_claim(this_lease uuid, taken integer[], until timestamptz) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  delete from public.pics_claims where lease_id in (
    select lease_id from public.pics_claims where lease_until < clock_timestamp() - interval '1 minute' limit 10 for update skip locked
  );
  insert into public.pics_claims as c (lease_id, appids, lease_until) values (this_lease, taken, until)
  on conflict (lease_id) do update set appids = excluded.appids, lease_until = excluded.lease_until;
$$;

-- Claims pending apps under a lease.
--   request  {"lease_id": uuid, "max": apps, "lease_seconds": n, "appids": [only these] or absent,
--             "max_attempts": skip apps that failed this often, or absent}
--   reply    {"apps": [{"appid", "change_number", "attempts": before this one, "access_token", "needs_token", "token_denied"}, …],
--             "waiting": apps that will be due later (leased by others or in backoff), without those that Steam has answered and is asked
--             about again (unconfirmed, withheld), "due_in_seconds": the soonest of all, or null}
-- The longest pending come first. Apps that failed before come when no others are left, in batches that shrink with every failure:
-- an app that makes every request fail is alone in the end. An attempt is counted when the app is claimed, so that this also holds for
-- an app that kills its worker; a worker's first death is forgiven, since it may have any reason. The same lease_id again returns the
-- same apps.
create or replace function public.pics_claim(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- As for pics_mark: no plan that was made while the tables were empty.
set plan_cache_mode = force_custom_plan
as $$
declare
  this_lease constant uuid := (request ->> 'lease_id')::uuid;
  lease_length constant interval := make_interval(secs => (request ->> 'lease_seconds')::double precision);
  max_apps constant integer := (request ->> 'max')::integer;
  max_attempts constant integer := coalesce((request ->> 'max_attempts')::integer, 2147483647);
  only_these integer[];
  now_at constant timestamptz := clock_timestamp();
  worker_died constant text := 'the worker that fetched it died, or lost its lease, before it was done';
  retried integer;
  held integer[];
  claimed jsonb;
  waiting integer;
  due_in double precision;
begin
  if jsonb_typeof(request -> 'appids') = 'array' then
    only_these := array(select jsonb_array_elements_text(request -> 'appids')::integer);
  end if;

  -- Replay: a repeat that comes while the first call still runs waits for it and finds its claim.
  perform pg_advisory_xact_lock(hashtextextended(this_lease::text, 0));

  held := public.pics_claimed(this_lease);
  if not exists (select from public.sync_status where appid = any (held) and lease_until > now_at) then
    -- Apps that have not failed since they were marked.
    with free as (
      select appid from public.sync_status
      where pics_pending_change is not null and (lease_until is null or lease_until <= now_at)
        and (attempts <= 1 and next_attempt_at is null or attempts = 0 and next_attempt_at <= now_at)
        and (only_these is null or appid in (select unnest(only_these)))
      order by pending_since
      limit max_apps
      for update skip locked
    ), taken as (
      update public.sync_status s
      set lease_id = this_lease, lease_until = now_at + lease_length, lease_change = s.pics_pending_change, attempts = s.attempts + 1,
        last_error = case when s.lease_id is null then s.last_error else worker_died end
      from free where s.appid = free.appid
      returning s.appid
    )
    select array_agg(appid) into held from taken;

    -- Else retries: apps with as many failures as the one whose backoff ended first.
    if held is null then
      select attempts into retried from public.sync_status
      where pics_pending_change is not null and attempts between 1 and max_attempts - 1 and coalesce(next_attempt_at, now_at) <= now_at
        and (lease_until is null or lease_until <= now_at) and (only_these is null or appid in (select unnest(only_these)))
      order by next_attempt_at nulls first
      limit 1;

      with free as (
        select appid from public.sync_status
        where pics_pending_change is not null and attempts = retried and coalesce(next_attempt_at, now_at) <= now_at
          and (lease_until is null or lease_until <= now_at) and (only_these is null or appid in (select unnest(only_these)))
        order by next_attempt_at nulls first, appid
        limit greatest(1, max_apps / (4 ^ least(retried, 10))::integer)
        for update skip locked
      ), taken as (
        -- The next claim, should this worker die too, waits for the lease, and from the third death on twice as long each time.
        update public.sync_status s
        set lease_id = this_lease, lease_until = now_at + lease_length, lease_change = s.pics_pending_change, attempts = s.attempts + 1,
          next_attempt_at = now_at + lease_length * 2 ^ least(s.attempts - 2, 6),
          last_error = case when s.lease_id is null then s.last_error else worker_died end
        from free where s.appid = free.appid
        returning s.appid
      )
      select array_agg(appid) into held from taken;
    end if;

    if held is not null then
      perform public.pics_keep_claim(this_lease, held, now_at + lease_length);
    end if;
  end if;

  select jsonb_agg(jsonb_build_object(
      'appid', s.appid,
      'change_number', s.lease_change,
      'attempts', s.attempts - 1,
      'access_token', t.access_token,
      'needs_token', s.needs_token or s.missing_token,
      'token_denied', coalesce(t.denied_at > now_at - interval '1 day', false)
    ) order by s.appid)
  into claimed
  from public.sync_status s
  left join public.pics_access_tokens t on t.appid = s.appid
  where s.appid = any (held) and s.lease_id = this_lease and s.lease_until > now_at;

  if claimed is null then
    select count(*) filter (where s.attempts > 0 or coalesce(s.next_attempt_at, now_at) <= now_at),
      extract(epoch from min(greatest(s.next_attempt_at, s.lease_until, now_at)) - now_at)
    into waiting, due_in
    from public.sync_status s
    where s.pics_pending_change is not null and s.attempts < max_attempts
      and (only_these is null or s.appid in (select unnest(only_these)));
  end if;

  return jsonb_build_object(
    'apps', coalesce(claimed, '[]'),
    'waiting', coalesce(waiting, 0),
    'due_in_seconds', due_in
  );
end
$$;

-- Renews a valid lease. request {"lease_id", "lease_seconds"}; reply {"renewed": apps still held}
create or replace function public.pics_renew(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- As for pics_mark: no plan that was made while the tables were empty.
set plan_cache_mode = force_custom_plan
as $$
declare
  this_lease constant uuid := (request ->> 'lease_id')::uuid;
  held constant integer[] := public.pics_claimed(this_lease);
  until constant timestamptz := clock_timestamp() + make_interval(secs => (request ->> 'lease_seconds')::double precision);
  renewed integer;
begin
  update public.sync_status set lease_until = until
  where appid = any (held) and lease_id = this_lease and lease_until > clock_timestamp();
  get diagnostics renewed = row_count;
  update public.pics_claims set lease_until = until where lease_id = this_lease and renewed > 0;
  return jsonb_build_object('renewed', renewed);
end
$$;

-- Releases a lease, so that other workers need not wait for it to lapse; no attempt is counted.
-- request {"lease_id", "is_counted": whether the claim counted an attempt, as pics_claim does (default)}; reply {"released": apps}
create or replace function public.pics_release(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- As for pics_mark: no plan that was made while the tables were empty.
set plan_cache_mode = force_custom_plan
as $$
declare
  this_lease constant uuid := (request ->> 'lease_id')::uuid;
  is_counted constant boolean := coalesce((request ->> 'is_counted')::boolean, true);
  held constant integer[] := public.pics_claimed(this_lease);
  released integer;
begin
  update public.sync_status set
    attempts = case when is_counted then greatest(attempts - 1, 0) else attempts end,
    next_attempt_at = case when is_counted and next_attempt_at is not null then least(next_attempt_at, clock_timestamp()) else next_attempt_at end,
    lease_id = null, lease_until = null, lease_change = null
  where appid = any (held) and lease_id = this_lease;
  get diagnostics released = row_count;
  delete from public.pics_claims where lease_id = this_lease;
  return jsonb_build_object('released', released);
end
$$;

-- Claims apps whose kept text an older version of the extractor read, under a lease and in appid order. Only a text of the stored change
-- number is claimed. Marks and attempts stay as they are: Steam is not asked.
--   request  {"lease_id": uuid, "max": apps, "lease_seconds": n, "extractor_version": that reads them now, "after": appid,
--             "except": apps that are left out, which failed before}
--   reply    {"apps": [{"appid", "change_number", "partial", "data": base64 of the deflated text}, …],
--             "due_in_seconds": with no apps, until the first of those that another worker holds, or that lie before `after`, is free;
--             null when none is left}
-- The same lease_id again returns the same apps.
create or replace function public.pics_claim_kept(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- As for pics_mark: no plan that was made while the tables were empty.
set plan_cache_mode = force_custom_plan
as $$
declare
  this_lease constant uuid := (request ->> 'lease_id')::uuid;
  this_version constant integer := (request ->> 'extractor_version')::integer;
  first_after constant integer := (request ->> 'after')::integer;
  left_out constant integer[] := array(select jsonb_array_elements_text(request -> 'except')::integer);
  now_at constant timestamptz := clock_timestamp();
  lease_end constant timestamptz := now_at + make_interval(secs => (request ->> 'lease_seconds')::double precision);
  held integer[];
  claimed jsonb;
begin
  -- As in pics_claim: a repeat waits for the first call.
  perform pg_advisory_xact_lock(hashtextextended(this_lease::text, 0));

  held := public.pics_claimed(this_lease);
  if not exists (select from public.sync_status where appid = any (held) and lease_until > now_at) then
    with free as (
      select s.appid from public.sync_status s
      join public.app_info i on i.appid = s.appid and i.change_number = s.pics_change_number
      where s.appid > first_after and coalesce(s.extractor_version, 1) < this_version and s.appid <> all (left_out)
        and (s.lease_until is null or s.lease_until <= now_at)
      order by s.appid
      limit (request ->> 'max')::integer
      for update of s skip locked
    ), taken as (
      update public.sync_status s set lease_id = this_lease, lease_until = lease_end, lease_change = s.pics_change_number
      from free where s.appid = free.appid
      returning s.appid
    )
    select array_agg(appid) into held from taken;
    if held is not null then
      perform public.pics_keep_claim(this_lease, held, lease_end);
    end if;
  end if;

  select jsonb_agg(jsonb_build_object(
      'appid', s.appid, 'change_number', i.change_number, 'partial', i.partial, 'data', encode(i.data, 'base64')
    ) order by s.appid)
  into claimed
  from public.sync_status s join public.app_info i on i.appid = s.appid
  where s.appid = any (held) and s.lease_id = this_lease and s.lease_until > now_at;

  return jsonb_build_object(
    'apps', coalesce(claimed, '[]'),
    'due_in_seconds', case when claimed is null then (
      select extract(epoch from min(greatest(s.lease_until, now_at)) - now_at)
      from public.sync_status s join public.app_info i on i.appid = s.appid and i.change_number = s.pics_change_number
      where coalesce(s.extractor_version, 1) < this_version and s.appid <> all (left_out)
    ) end
  );
end
$$;

-- Apps that an older version of the extractor read. request {"extractor_version": the current one}
--   reply {"kept": with a text of the stored change number, "not_kept": without, "skipped": not stored, for their type}
create or replace function public.pics_outdated(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with outdated as (
    select coalesce(s.extractor_version, 1) as version, exists (
      select from public.app_info i where i.appid = s.appid and i.change_number = s.pics_change_number
    ) as is_kept
    from public.sync_status s
    where s.pics_change_number is not null and s.skipped_type is null
      and coalesce(s.extractor_version, 1) < (request ->> 'extractor_version')::integer
  )
  select jsonb_build_object(
    'kept', count(*) filter (where is_kept),
    'not_kept', count(*) filter (where not is_kept),
    'skipped', (select count(*) from public.sync_status where skipped_type is not null)
  )
  from outdated;
$$;

---------------------------------------------------------------------------------------------------- writing of records

-- Columns of `apps` that PICS writes, besides `appid`, `is_known`, `is_active` and `updated_at`. The one list of them: a new column is
-- its line in the migration of the tables and its name here. Not derived from the table, because an older application's `apps` has
-- columns of its own, which must never be written.
create or replace function public.pics_app_columns() returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select array[
    'name', 'type', 'is_free', 'release_state', 'steam_release_date', 'original_release_date', 'store_asset_mtime', 'platforms',
    'controller_support', 'pics_review_score', 'pics_review_percentage', 'metacritic_score', 'metacritic_url', 'parent_appid',
    'homepage_url', 'app_state', 'last_content_update', 'current_build_id', 'content_descriptors', 'languages', 'has_workshop',
    'primary_genre_id', 'pics_review_score_without_bombs', 'pics_review_percentage_without_bombs', 'name_localized', 'assets', 'ai_content',
    'vr_support', 'os_arch', 'restricted_countries', 'family_sharing_excluded', 'install_dir', 'must_own_appid', 'playtest_type'
  ];
$$;

-- Version of the extractor (`extractorVersion` in src/catalog) that introduced or corrected a field of the history image. The one list of
-- them: a new or corrected field is named here, so that pics_write_history does not report the first value of it as a change.
create or replace function public.pics_field_version(field text) returns integer
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when field in (
      'pics_review_score_without_bombs', 'pics_review_percentage_without_bombs', 'name_localized', 'assets', 'ai_content', 'vr_support',
      'os_arch', 'restricted_countries', 'family_sharing_excluded', 'install_dir', 'must_own_appid', 'playtest_type', 'steam_deck', 'branches'
    ) then 3
    when field in ('is_free', 'platforms', 'languages', 'last_content_update', 'primary_genre_id', 'dlc') then 2
    else 1
  end;
$$;

-- Labels of apps (see catalog_labels_of), from their relations.
create or replace function public.pics_labels(appids integer[]) returns table (appid integer, labels integer[])
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select app.appid, coalesce(array_agg(id + kind * 268435456 order by id + kind * 268435456) filter (where id < 268435456), '{}')
  from unnest(appids) as app(appid)
  left join (
    select r.appid, 0, r.tag_id from public.app_steam_tags r where r.appid = any (appids)
    union all select r.appid, 1, r.genre_id from public.app_genres r where r.appid = any (appids)
    union all select r.appid, 2, r.category_id from public.app_categories r where r.appid = any (appids)
    union all
    select d.appid, verdict.kind, array_position(array['unknown', 'unsupported', 'playable', 'verified'], verdict.value)
    from public.app_steam_deck d
    cross join lateral (values (3, d.category), (4, d.machine_category), (5, d.frame_category)) as verdict(kind, value)
    where d.appid = any (appids)
  ) as found(appid, kind, id) on found.appid = app.appid
  group by app.appid;
$$;

-- Sets the labels of apps.
create or replace function public.pics_relabel(appids integer[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  update public.apps a set labels = read.labels
  from public.pics_labels(appids) as read
  where a.appid = read.appid and a.labels is distinct from read.labels;
$$;

-- Upserts the rows of `apps`. A record without some of the columns is completed from the stored row; a row that would not change is not
-- written.
--   payloads  as for pics_write_apps
--   stored    the apps among them that have rows already
create or replace function public.pics_upsert_apps(payloads jsonb, stored integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  columns constant text[] := public.pics_app_columns();
  complete jsonb := payloads;
begin
  if stored <> '{}' and exists (
    select from jsonb_array_elements(payloads) as payload where (payload ->> 'appid')::integer = any (stored) and not payload ?& columns
  ) then
    complete := (
      select jsonb_agg(coalesce((select to_jsonb(a) from public.apps a where a.appid = (payload ->> 'appid')::integer), '{}') || payload)
      from jsonb_array_elements(payloads) as payload
    );
  end if;

  execute (
    select format($sql$
        insert into public.apps as a (appid, %1$s, labels)
        select p.appid, %2$s, p.labels
        from jsonb_to_recordset($1) as p(appid integer, %3$s, labels integer[])
        order by p.appid
        on conflict (appid) do update set
          (%1$s, is_known, is_active, labels, updated_at) = (
            %4$s, true, a.is_listed is not false, coalesce(excluded.labels, a.labels),
            case when (%5$s, a.is_known, a.is_active) is distinct from (%4$s, true, a.is_listed is not false) then now() else a.updated_at end
          )
        where (%5$s, a.is_known, a.is_active, a.labels)
          is distinct from (%4$s, true, a.is_listed is not false, coalesce(excluded.labels, a.labels))
      $sql$,
      string_agg(format('%I', name), ', ' order by place),
      string_agg(format('p.%I', name), ', ' order by place),
      -- Read as the type that the column has: in an older application's table a score may be numeric.
      string_agg(format('%I %s', name, format_type(a.atttypid, a.atttypmod)), ', ' order by place),
      string_agg(format('excluded.%I', name), ', ' order by place),
      string_agg(format('a.%I', name), ', ' order by place)
    )
    from unnest(columns) with ordinality as listed(name, place)
    join pg_attribute a on a.attrelid = 'public.apps'::regclass and a.attname = listed.name
  ) using complete;
end
$$;

-- Mirrors the relations of apps to ids: tags with their rank, genres with the primary one, categories, DLC. An absent list leaves what is
-- stored; ids seen for the first time get a row without a name. DLC are only removed by a complete list (`dlc_complete`), and not while
-- the DLC's own record names the app as its parent.
--   payloads  as for pics_write_apps
--   stored    the apps among them that have rows already. Where it is empty nothing is deleted, and `merge` compares with null, which
--             finds nothing without a look at the index. `merge` rather than `insert … on conflict`, whose speculative insertion of a
--             row costs more; the lock of pics_verdicts on the row of sync_status keeps two workers from the same app.
create or replace function public.pics_mirror_ids(payloads jsonb, stored integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  may_exist constant boolean := stored <> '{}';
begin
  -- Names of ids come later (pics_name_tags, pics_name_categories). In id order, so that two workers wait for each other in one direction only.
  insert into public.steam_tags (tag_id)
  select id from (select distinct id from jsonb_to_recordset(payloads) as p(tags integer[]), unnest(p.tags) as id offset 0) as used
  where not exists (select from public.steam_tags known where known.tag_id = id) order by id
  on conflict do nothing;

  insert into public.steam_genres (genre_id)
  select id from (select distinct id from jsonb_to_recordset(payloads) as p(genres integer[]), unnest(p.genres) as id offset 0) as used
  where not exists (select from public.steam_genres known where known.genre_id = id) order by id
  on conflict do nothing;

  insert into public.steam_categories (category_id)
  select id from (select distinct id from jsonb_to_recordset(payloads) as p(categories integer[]), unnest(p.categories) as id offset 0) as used
  where not exists (select from public.steam_categories known where known.category_id = id) order by id
  on conflict do nothing;

  if may_exist then
    delete from public.app_steam_tags r using jsonb_to_recordset(payloads) as p(appid integer, tags integer[])
    where p.appid = any (stored) and r.appid = p.appid and r.tag_id <> all (p.tags);

    delete from public.app_genres r using jsonb_to_recordset(payloads) as p(appid integer, genres integer[])
    where p.appid = any (stored) and r.appid = p.appid and r.genre_id <> all (p.genres);

    delete from public.app_categories r using jsonb_to_recordset(payloads) as p(appid integer, categories integer[])
    where p.appid = any (stored) and r.appid = p.appid and r.category_id <> all (p.categories);

    delete from public.app_dlc r using jsonb_to_recordset(payloads) as p(appid integer, dlc integer[], dlc_complete boolean)
    where p.dlc_complete and p.appid = any (stored) and r.appid = p.appid and r.dlc_appid <> all (p.dlc)
      and (select a.parent_appid from public.apps a where a.appid = r.dlc_appid) is distinct from p.appid;
  end if;

  merge into public.app_steam_tags r
  using (
    select p.appid, tag.id, tag.rank
    from jsonb_to_recordset(payloads) as p(appid integer, tags integer[]), unnest(p.tags) with ordinality as tag(id, rank)
  ) as p on r.appid = case when may_exist then p.appid end and r.tag_id = p.id
  when matched and r.rank <> p.rank then update set rank = p.rank
  when not matched then insert (appid, tag_id, rank) values (p.appid, p.id, p.rank);

  merge into public.app_genres r
  using (
    select p.appid, genre as id, genre is not distinct from p.primary_genre_id as is_primary
    from jsonb_to_recordset(payloads) as p(appid integer, genres integer[], primary_genre_id integer), unnest(p.genres) as genre
  ) as p on r.appid = case when may_exist then p.appid end and r.genre_id = p.id
  when matched and r.is_primary <> p.is_primary then update set is_primary = p.is_primary
  when not matched then insert (appid, genre_id, is_primary) values (p.appid, p.id, p.is_primary);

  merge into public.app_categories r
  using (
    select p.appid, category as id from jsonb_to_recordset(payloads) as p(appid integer, categories integer[]), unnest(p.categories) as category
  ) as p on r.appid = case when may_exist then p.appid end and r.category_id = p.id
  when not matched then insert (appid, category_id) values (p.appid, p.id);

  insert into public.app_dlc (appid, dlc_appid)
  select p.appid, dlc_appid
  from jsonb_to_recordset(payloads) as p(appid integer, dlc integer[]), unnest(p.dlc) as dlc_appid
  on conflict do nothing;
end
$$;

-- Mirrors one relation of apps to names (developers, publishers, franchises), creating names on first sight.
--   owners, names  the pairs that the relation holds now; of an app without any, one pair with a null name
--   stored         as for pics_mirror_ids
create or replace function public.pics_mirror_name_pairs(relation text, owners integer[], names text[], stored integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  junction constant text := 'app_' || relation;
  -- developers -> app_developers.developer_id
  id_column constant text := rtrim(relation, 's') || '_id';
begin
  -- In name order, so that two workers that meet the same new names wait for each other in one direction only.
  execute format($sql$
    insert into public.%1$I (name)
    select distinct n.name from unnest($1) as n(name)
    where n.name is not null and (select true from public.%1$I known where known.name = n.name) is null
    order by n.name
    on conflict do nothing
  $sql$, relation) using names;

  if stored <> '{}' then
    execute format($sql$
      delete from public.%2$I r
      where r.appid = any (array(select unnest($1) intersect select unnest($3))) and (r.appid, r.%3$I) not in (
        select n.appid, (select named.id from public.%1$I named where named.name = n.name)
        from unnest($1, $2) as n(appid, name) where n.name is not null
      )
    $sql$, relation, junction, id_column) using owners, names, stored;
  end if;

  execute format($sql$
    insert into public.%2$I (appid, %3$I)
    select n.appid, (select named.id from public.%1$I named where named.name = n.name)
    from unnest($1, $2) as n(appid, name) where n.name is not null
  $sql$ || case when stored <> '{}' then 'on conflict do nothing' else '' end, relation, junction, id_column) using owners, names;
end
$$;

-- Mirrors the relations of apps to names. An absent list leaves what is stored.
--   payloads  [{"appid", "developers": ["name", …], "publishers": […], "franchises": […]}, …]
--   stored    as for pics_mirror_ids
create or replace function public.pics_mirror_names(payloads jsonb, stored integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  listed record;
begin
  for listed in
    select r.relation, array_agg(p.appid) as owners, array_agg(n.name) as names
    from jsonb_to_recordset(payloads) as p(appid integer, developers text[], publishers text[], franchises text[])
    cross join lateral (
      values ('developers', p.developers), ('publishers', p.publishers), ('franchises', p.franchises)
    ) as r(relation, names)
    left join lateral unnest(r.names) as n(name) on true
    where r.names is not null
    group by r.relation order by r.relation
  loop
    perform public.pics_mirror_name_pairs(listed.relation, listed.owners, listed.names, stored);
  end loop;
end
$$;

-- Mirrors the Steam Deck rows: null deletes the row of an app, an absent key leaves it, and so does an absent key of the object leave its
-- column.
--   payloads  [{"appid", "steam_deck": {…} or null}, …]
--   stored    as for pics_mirror_ids
create or replace function public.pics_mirror_deck(payloads jsonb, stored integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if stored <> '{}' then
    delete from public.app_steam_deck r using jsonb_array_elements(payloads) as p
    where r.appid = (p ->> 'appid')::integer and p -> 'steam_deck' = 'null';
  end if;

  insert into public.app_steam_deck as d (
    appid, category, steamos_category, machine_category, frame_category, test_timestamp, tested_build_id, tests, steamos_tests, machine_tests,
    frame_tests, configuration
  )
  select
    p.appid, deck.category, deck.steamos_category, deck.machine_category, deck.frame_category, deck.test_timestamp, deck.tested_build_id,
    deck.tests, deck.steamos_tests, deck.machine_tests, deck.frame_tests, deck.configuration
  from jsonb_to_recordset(payloads) as p(appid integer, steam_deck jsonb),
    jsonb_to_record(
      case when p.appid = any (stored)
        then coalesce((select to_jsonb(d) from public.app_steam_deck d where d.appid = p.appid), '{}') || p.steam_deck
        else p.steam_deck
      end
    ) as deck(
      category text, steamos_category text, machine_category text, frame_category text, test_timestamp timestamptz, tested_build_id text,
      tests jsonb, steamos_tests jsonb, machine_tests jsonb, frame_tests jsonb, configuration jsonb
    )
  where jsonb_typeof(p.steam_deck) = 'object'
  on conflict (appid) do update set
    (category, steamos_category, machine_category, frame_category, test_timestamp, tested_build_id, tests, steamos_tests, machine_tests,
      frame_tests, configuration, updated_at) =
    (excluded.category, excluded.steamos_category, excluded.machine_category, excluded.frame_category, excluded.test_timestamp,
      excluded.tested_build_id, excluded.tests, excluded.steamos_tests, excluded.machine_tests, excluded.frame_tests, excluded.configuration,
      now())
  where (d.category, d.steamos_category, d.machine_category, d.frame_category, d.test_timestamp, d.tested_build_id, d.tests, d.steamos_tests,
      d.machine_tests, d.frame_tests, d.configuration)
    is distinct from (excluded.category, excluded.steamos_category, excluded.machine_category, excluded.frame_category,
      excluded.test_timestamp, excluded.tested_build_id, excluded.tests, excluded.steamos_tests, excluded.machine_tests,
      excluded.frame_tests, excluded.configuration);
end
$$;

-- Mirrors the branches of apps. An absent list leaves what is stored.
--   payloads  [{"appid", "branches": [{"branch", columns of app_branches…}, …]}, …]
--   stored    as for pics_mirror_ids
create or replace function public.pics_mirror_branches(payloads jsonb, stored integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  may_exist constant boolean := stored <> '{}';
begin
  if may_exist then
    delete from public.app_branches r using jsonb_to_recordset(payloads) as p(appid integer, branches jsonb)
    where p.appid = any (stored) and r.appid = p.appid and p.branches is not null
      and r.branch not in (select b ->> 'branch' from jsonb_array_elements(p.branches) as b);
  end if;

  merge into public.app_branches r
  using (
    select p.appid, b.*
    from jsonb_to_recordset(payloads) as p(appid integer, branches jsonb),
      jsonb_to_recordset(p.branches) as b(
        branch text, build_id text, built_at timestamptz, updated_at timestamptz, description text, password_required boolean
      )
  ) as p on r.appid = case when may_exist then p.appid end and r.branch = p.branch
  when matched and (r.build_id, r.built_at, r.updated_at, r.description, r.password_required)
    is distinct from (p.build_id, p.built_at, p.updated_at, p.description, p.password_required)
  then update set
    (build_id, built_at, updated_at, description, password_required) =
    (p.build_id, p.built_at, p.updated_at, p.description, p.password_required)
  when not matched then
    insert (appid, branch, build_id, built_at, updated_at, description, password_required)
    values (p.appid, p.branch, p.build_id, p.built_at, p.updated_at, p.description, p.password_required);
end
$$;

-- Mirrors the depots of apps and their manifests. An absent list leaves what is stored; a worker that keeps no depots sends empty ones,
-- which deletes what would otherwise become stale.
--   payloads  [{"appid", "depots": [{"depot_id", columns of app_depots…, "manifests": [{"branch", "manifest_id", …}, …]}, …]}, …]
--   stored    as for pics_mirror_ids
create or replace function public.pics_mirror_depots(payloads jsonb, stored integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  may_exist constant boolean := stored <> '{}';
begin
  if may_exist then
    delete from public.app_depots r using jsonb_to_recordset(payloads) as p(appid integer, depots jsonb)
    where p.appid = any (stored) and r.appid = p.appid and p.depots is not null
      and r.depot_id not in (select (d ->> 'depot_id')::integer from jsonb_array_elements(p.depots) as d);

    delete from public.app_depot_manifests r using jsonb_to_recordset(payloads) as p(appid integer, depots jsonb)
    where p.appid = any (stored) and r.appid = p.appid and p.depots is not null
      and (r.depot_id, r.branch) not in (
        select (d ->> 'depot_id')::integer, m ->> 'branch'
        from jsonb_array_elements(p.depots) as d, jsonb_array_elements(d -> 'manifests') as m
      );
  end if;

  merge into public.app_depots r
  using (
    select p.appid, d.*
    from jsonb_to_recordset(payloads) as p(appid integer, depots jsonb),
      jsonb_to_recordset(p.depots) as d(
        depot_id integer, name text, os_list text, os_arch text, language text, dlc_appid integer, from_appid integer, shared_install boolean
      )
  ) as p on r.appid = case when may_exist then p.appid end and r.depot_id = p.depot_id
  when matched and (r.name, r.os_list, r.os_arch, r.language, r.dlc_appid, r.from_appid, r.shared_install)
    is distinct from (p.name, p.os_list, p.os_arch, p.language, p.dlc_appid, p.from_appid, p.shared_install)
  then update set
    (name, os_list, os_arch, language, dlc_appid, from_appid, shared_install) =
    (p.name, p.os_list, p.os_arch, p.language, p.dlc_appid, p.from_appid, p.shared_install)
  when not matched then
    insert (appid, depot_id, name, os_list, os_arch, language, dlc_appid, from_appid, shared_install)
    values (p.appid, p.depot_id, p.name, p.os_list, p.os_arch, p.language, p.dlc_appid, p.from_appid, p.shared_install);

  merge into public.app_depot_manifests r
  using (
    select p.appid, d.depot_id, m.*
    from jsonb_to_recordset(payloads) as p(appid integer, depots jsonb),
      jsonb_to_recordset(p.depots) as d(depot_id integer, manifests jsonb),
      jsonb_to_recordset(d.manifests) as m(branch text, manifest_id text, size_bytes bigint, download_bytes bigint)
  ) as p on r.appid = case when may_exist then p.appid end and r.depot_id = p.depot_id and r.branch = p.branch
  when matched and (r.manifest_id, r.size_bytes, r.download_bytes) is distinct from (p.manifest_id, p.size_bytes, p.download_bytes)
  then update set (manifest_id, size_bytes, download_bytes) = (p.manifest_id, p.size_bytes, p.download_bytes)
  when not matched then
    insert (appid, depot_id, branch, manifest_id, size_bytes, download_bytes)
    values (p.appid, p.depot_id, p.branch, p.manifest_id, p.size_bytes, p.download_bytes);
end
$$;

-- Keeps the texts that records were extracted from. A partial text never replaces a whole one. Where a worker keeps no texts, the row that
-- its record makes stale is deleted.
--   payloads  [{"appid", "change_number", "partial", "info": {"sha1", "size", "data": base64 of the deflated text}}, …]; without "info" a
--             text is not kept
--   stored    as for pics_mirror_ids
create or replace function public.pics_keep_info(payloads jsonb, stored integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if stored <> '{}' then
    delete from public.app_info i using jsonb_to_recordset(payloads) as p(appid integer, change_number bigint, info jsonb)
    where p.info is null and i.appid = p.appid and i.change_number < p.change_number;
  end if;

  insert into public.app_info as i (appid, change_number, sha1, size, partial, data)
  select p.appid, p.change_number, p.info ->> 'sha1', (p.info ->> 'size')::integer, p.partial, decode(p.info ->> 'data', 'base64')
  from jsonb_to_recordset(payloads) as p(appid integer, change_number bigint, partial boolean, info jsonb)
  where p.info is not null
  on conflict (appid) do update set
    (change_number, sha1, size, partial, fetched_at, data) =
    (excluded.change_number, excluded.sha1, excluded.size, excluded.partial, now(), excluded.data)
  where (i.partial or not excluded.partial) and i.change_number <= excluded.change_number
    and (i.change_number, i.sha1, i.partial) is distinct from (excluded.change_number, excluded.sha1, excluded.partial);
end
$$;

-- Writes the records of some apps: their row, everything that refers to it, and the texts that are kept. What a record no longer lists is
-- deleted; what it does not mention stays. Rows that would not change are not written.
--   payloads  [{"appid", columns of apps…, "tags": […], …, "labels"}, …] as `StoredRecord` in src/db
create or replace function public.pics_write_apps(payloads jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- For all that it calls. A plan of its own for every call would contain the payloads as a constant, which the planner copies several
-- times: 6 % of the whole write. A generic plan may be made while the tables are empty and is kept while they grow, so it must be a
-- good one at any size: each row is looked up by its index.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  -- A lookup per app, where a join might be planned on an empty table and read all of it ever after.
  stored constant integer[] := array(
    select p.appid from jsonb_to_recordset(payloads) as p(appid integer)
    where (select true from public.apps a where a.appid = p.appid)
  );
begin
  perform public.pics_upsert_apps(payloads, stored);
  perform public.pics_mirror_ids(payloads, stored);
  perform public.pics_mirror_names(payloads, stored);
  perform public.pics_mirror_deck(payloads, stored);
  perform public.pics_mirror_branches(payloads, stored);
  perform public.pics_mirror_depots(payloads, stored);
  perform public.pics_keep_info(payloads, stored);
  perform public.pics_relabel(array(
    select (payload ->> 'appid')::integer from jsonb_array_elements(payloads) as payload where not payload ? 'labels'
  ));
end
$$;

-- Of a database whose relations are older than this column.
do $$
begin
  perform public.pics_relabel(array(
    select appid from public.apps a
    where labels is null and (
      exists (select from public.app_steam_tags r where r.appid = a.appid) or exists (select from public.app_genres r where r.appid = a.appid)
      or exists (select from public.app_categories r where r.appid = a.appid) or exists (select from public.app_steam_deck r where r.appid = a.appid)
    )
  ));
end
$$;

-- Names of the developers, publishers and franchises of some apps, sorted, one row per app; [] where there are none.
create or replace function public.pics_app_names(appids integer[])
returns table (appid integer, developers jsonb, publishers jsonb, franchises jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select
    a.appid,
    (select coalesce(jsonb_agg(n.name order by n.name), '[]')
     from public.app_developers r join public.developers n on n.id = r.developer_id where r.appid = a.appid),
    (select coalesce(jsonb_agg(n.name order by n.name), '[]')
     from public.app_publishers r join public.publishers n on n.id = r.publisher_id where r.appid = a.appid),
    (select coalesce(jsonb_agg(n.name order by n.name), '[]')
     from public.app_franchises r join public.franchises n on n.id = r.franchise_id where r.appid = a.appid)
  from unnest(appids) as a(appid);
$$;

-- Images of some apps for the history, one jsonb object each: every column of `apps`, every relation as a sorted list, and under
-- `extractor_version` the version of the extractor that read it.
create or replace function public.pics_app_images(appids integer[]) returns table (appid integer, image jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select a.appid, to_jsonb(a) - array[
    'appid', 'created_at', 'updated_at', 'search_text', 'sort_name', 'labels',
    -- The collector writes these, with rows of their own.
    'store_modified_at', 'price_change_number'
  ] || jsonb_build_object(
    'tags', (select coalesce(jsonb_agg(r.tag_id order by r.tag_id), '[]') from public.app_steam_tags r where r.appid = a.appid),
    'genres', (select coalesce(jsonb_agg(r.genre_id order by r.genre_id), '[]') from public.app_genres r where r.appid = a.appid),
    'categories', (
      select coalesce(jsonb_agg(r.category_id order by r.category_id), '[]') from public.app_categories r where r.appid = a.appid
    ),
    'dlc', (select coalesce(jsonb_agg(r.dlc_appid order by r.dlc_appid), '[]') from public.app_dlc r where r.appid = a.appid),
    'developers', names.developers,
    'publishers', names.publishers,
    'franchises', names.franchises,
    'steam_deck', (select to_jsonb(d) - array['appid', 'updated_at'] from public.app_steam_deck d where d.appid = a.appid),
    'branches', (
      select coalesce(jsonb_agg(to_jsonb(b) - 'appid' order by b.branch collate "C"), '[]') from public.app_branches b where b.appid = a.appid
    ),
    'extractor_version', (select coalesce(s.extractor_version, 1) from public.sync_status s where s.appid = a.appid)
  )
  from public.pics_app_names(appids) names
  join public.apps a on a.appid = names.appid;
$$;

------------------------------------------------------------------------------------------------------------- applying

-- Idempotency by request id: registers a request, or returns the reply that it already has. Null for a new request. A repeat that comes
-- while the first call still runs waits for it. Replies are kept for an hour.
create or replace function public.pics_replay(this_request uuid) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.pics_replies (request_id) values (this_request) on conflict do nothing;
  if not found then
    return (select reply from public.pics_replies where request_id = this_request);
  end if;
  delete from public.pics_replies where request_id in (
    select request_id from public.pics_replies where created_at < now() - interval '1 hour' limit 10 for update skip locked
  );
  return null;
end
$$;

-- Keeps the reply to a request that pics_replay registered, and returns it.
create or replace function public.pics_keep_reply(this_request uuid, this_reply jsonb) returns jsonb
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  update public.pics_replies set reply = this_reply where request_id = this_request returning reply;
$$;

-- Backoff of a failing app: exponential, without jitter, by the number of attempts that failed before this one.
create or replace function public.pics_backoff(attempts integer, first_seconds double precision, max_seconds double precision)
returns interval
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select make_interval(secs => least(max_seconds, first_seconds * 2 ^ least(attempts, 30)));
$$;

-- Whether Steam says "unknown" of too many known apps to be believed: of at least 20, and of more than `max_shrink` of them,
-- within an hour. Bursts of wrong answers were seen after reconnects; a real removal of that size an operator confirms.
create or replace function public.pics_is_mass_unknown(max_shrink double precision) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  with said as (
    select s.appid, a.is_known from public.sync_status s join public.apps a on a.appid = s.appid
    where s.unknown_at > clock_timestamp() - interval '1 hour'
  )
  select count(*) >= 20 and count(*) > max_shrink * (
    (select count(*) from public.apps where is_known) + count(*) filter (where not is_known)
  )
  from said;
$$;

-- Records that Steam says "unknown" of apps, and returns those of which that is not believed: all of them when it is said of too many (see
-- pics_is_mass_unknown; recorded in pics_sync_state), else those without an earlier answer, at least `confirm_length` ago, that said the
-- same. Steam has named each of these apps: it is stored and known, or a change of it was announced, which a burst of wrong answers would
-- otherwise lose. Only the former count towards a mass. Their rows of sync_status are locked by the caller.
create or replace function public.pics_doubt_unknown(appids integer[], confirm_length interval, max_shrink double precision)
returns integer[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  now_at constant timestamptz := clock_timestamp();
  known constant integer[] := array(select appid from public.apps where appid = any (appids) and is_known);
begin
  if appids = '{}' then
    return appids;
  end if;
  -- One transaction at a time: two workers would each count without the other's.
  perform pg_advisory_xact_lock(hashtextextended('pics_doubt_unknown', 0));
  update public.sync_status set
    unknown_since = coalesce(unknown_since, now_at),
    unknown_at = case when appid = any (known) then now_at else unknown_at end
  where appid = any (appids);

  if public.pics_is_mass_unknown(max_shrink) then
    update public.pics_sync_state set mass_unknown_at = now_at
    where id = 1 and (mass_unknown_at is null or mass_unknown_at < now_at - interval '10 seconds');
    return appids;
  end if;
  return array(select appid from public.sync_status where appid = any (appids) and unknown_since > now_at - confirm_length);
end
$$;

-- Why an answer cannot be true as it is, or null. Steam was seen to answer with an empty block, or without a section, for apps that have
-- all of it. A partial answer, flagged as such, may lack sections.
--   lacks         sections that the text lacks: common, extended, depots
--   has_name      whether the stored app has what comes from `common`
--   has_build     whether the stored app has what comes from `depots`
create or replace function public.pics_implausible(is_partial boolean, lacks text[], has_name boolean, has_build boolean) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when is_partial then null
    when cardinality(lacks) = 3 then 'Steam answered with an empty app info; what is stored stays'
    when 'common' = any (lacks) and has_name then 'Steam left out the section common; what is stored stays'
    when 'depots' = any (lacks) and has_build then 'Steam left out the section depots; what is stored stays'
  end;
$$;

-- Decides what becomes of each app of a pics_apply request, and locks its row of sync_status. One verdict per app:
--   lease_lost   not under this lease, or no longer: nothing is written
--   stored       the record is written
--   stale        a newer record is stored: this one is skipped
--   unknown      Steam does not know the app, and that is believed
--   unconfirmed  Steam says that it does not know the app, which it has named before: all stays as it is, and Steam is asked again
--   skipped      the app is not stored, and its type is none of `types`: only its change number and type are kept. An app that is stored
--                stays and is kept current, whatever its type
--   withheld     Steam shows nothing of an app that is stored with more, and says so: as unconfirmed, after a day, when its token may be
--                requested again
--   failed       fetching or writing it failed, or the answer cannot be true: it is retried
create or replace function public.pics_verdicts(request jsonb) returns public.pics_verdict[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_lease constant uuid := (request ->> 'lease_id')::uuid;
  retry_seconds constant double precision := (request ->> 'retry_seconds')::double precision;
  retry_max_seconds constant double precision := (request ->> 'retry_max_seconds')::double precision;
  accept_all constant boolean := coalesce((request ->> 'accept_unknown')::boolean, false);
  confirm_length constant interval := make_interval(secs => coalesce((request ->> 'unknown_confirm_seconds')::double precision, 600));
  installed constant timestamptz := (select installed_at from public.pics_sync_state);
  now_at constant timestamptz := clock_timestamp();
  said_unknown constant integer[] := array(select jsonb_array_elements_text(request -> 'unknown')::integer);
  unconfirmed integer[] := '{}';
  named constant integer[] := said_unknown || array(
    select appid from jsonb_to_recordset(request -> 'apps') as p(appid integer)
    union all select appid from jsonb_to_recordset(request -> 'failed') as f(appid integer)
  );
  held_appids constant integer[] := array(
    select appid from public.sync_status
    where lease_id = this_lease and lease_until > now_at and appid = any (named)
    order by appid
    for update
  );
begin
  if said_unknown <> '{}' and not accept_all then
    unconfirmed := public.pics_doubt_unknown(
      array(select unnest(said_unknown) intersect select unnest(held_appids)),
      confirm_length, coalesce((request ->> 'max_shrink')::double precision, 0.05)
    );
  end if;

  return array(
    with answered as (
      select 'fetched' as answer, appid, change_number, missing_token, coalesce(partial, false) as is_partial, lacks, type, null as error
      from jsonb_to_recordset(request -> 'apps') as p(
        appid integer, change_number bigint, missing_token boolean, partial boolean, lacks text[], type text
      )
      union all
      select 'unknown', id, null, null, null, null, null, null from unnest(said_unknown) as id
      union all
      select 'failed', appid, null, null, null, null, null, error from jsonb_to_recordset(request -> 'failed') as f(appid integer, error text)
    ), held as (
      -- Rows that another application synced before this one was installed count as not stored (as in pics_mark).
      select appid, attempts, lease_change, pics_change_number, unknown_since, skipped_type,
        pics_change_number is not null and skipped_type is null and coalesce(last_pics_sync >= installed, false) as was_stored
      from public.sync_status where appid = any (held_appids)
    ), compared as (
      select answered.*, held.attempts, held.lease_change, held.pics_change_number, held.unknown_since, held.was_stored,
        held.skipped_type is not null as was_skipped,
        -- A payload without the section that has the type says nothing new of an app that was left out.
        coalesce(answered.type, held.skipped_type) as known_type,
        held.appid is not null as is_held, coalesce(has.name, false) as has_name, coalesce(has.build, false) as has_build
      from answered
      left join held on held.appid = answered.appid
      left join lateral (
        select a.name is not null as name, a.current_build_id is not null or a.last_content_update is not null as build
        from public.apps a where a.appid = answered.appid and held.was_stored and lacks <> '{}'
      ) has on true
    ), doubted as (
      select compared.*, case when lacks <> '{}' then public.pics_implausible(is_partial, lacks, has_name, has_build) end as doubt
      from compared
    -- Materialized: else the verdict is evaluated once for each mention of it below.
    ), judged as materialized (
      select doubted.*,
        case
          when not is_held then 'lease_lost'
          when answer = 'unknown' then case when appid = any (unconfirmed) then 'unconfirmed' else 'unknown' end
          when answer = 'failed' then 'failed'
          when (was_stored or was_skipped) and change_number < pics_change_number then 'stale'
          when is_partial and cardinality(lacks) = 3 and has_name then 'withheld'
          when doubted.doubt is not null and not accept_all then 'failed'
          when not was_stored and known_type is not null and not public.pics_is_wanted(known_type, request) then 'skipped'
          else 'stored'
        end as verdict,
        -- Older than what was claimed: stored all the same, and asked for again.
        answer = 'fetched' and change_number < lease_change as is_behind
      from doubted
    )
    select row(
      appid,
      verdict,
      case when verdict = 'unknown' then lease_change else change_number end,
      coalesce(missing_token, false),
      was_stored,
      case
        when verdict = 'failed' then coalesce(judged.doubt, error)
        when verdict = 'withheld' then 'Steam withholds all of this app from an anonymous session; what is stored stays'
        when is_behind then format('Steam announced change %s and answered with change %s', lease_change, change_number)
      end,
      case
        when verdict = 'unconfirmed' then case when unknown_since + confirm_length > now_at then unknown_since else now_at end + confirm_length
        when verdict = 'withheld' then now_at + interval '1 day'
        -- The claim has counted this attempt.
        when is_behind or verdict = 'failed' then now_at + public.pics_backoff(attempts - 1, retry_seconds, retry_max_seconds)
      end,
      case when verdict = 'skipped' then known_type end
    )::public.pics_verdict
    from judged
  );
end
$$;

-- Settles the marks of fetched and failed apps, and releases their lease. A mark survives where something newer than this answer has been
-- announced, before the claim or since.
create or replace function public.pics_settle_answered(verdicts public.pics_verdict[], extractor_version integer) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  update public.sync_status s set
    pics_change_number = case when v.is_read then v.change_number else s.pics_change_number end,
    last_pics_sync = case when v.is_read then now() else s.last_pics_sync end,
    missing_token = case when v.is_read then v.missing_token else s.missing_token or v.verdict = 'withheld' end,
    extractor_version = case when v.is_read then $2 else s.extractor_version end,
    skipped_type = case when v.is_read then v.skipped_type else s.skipped_type end,
    pics_pending_change = case when v.is_done and v.change_number >= s.pics_pending_change then null else s.pics_pending_change end,
    pending_since = case when v.is_done and v.change_number >= s.pics_pending_change then null else s.pending_since end,
    -- A mark that was set meanwhile may have reset them.
    attempts = case when v.retry_at is null or v.verdict = 'withheld' then 0 else greatest(s.attempts, 1) end,
    -- An answer with a change number says that Steam knows the app.
    unknown_since = case when v.change_number is null then s.unknown_since end,
    next_attempt_at = v.retry_at,
    last_error = v.error,
    lease_id = null, lease_until = null, lease_change = null
  from (
    select v.*, v.verdict in ('stored', 'skipped') as is_read, v.verdict in ('stored', 'skipped', 'stale') as is_done from unnest(verdicts) v
  ) v
  where s.appid = v.appid and v.verdict in ('stored', 'skipped', 'stale', 'withheld', 'failed');
$$;

-- Releases the lease of apps that were read again from their kept texts. Steam was not asked: marks, attempts and times stay as they are.
create or replace function public.pics_settle_reextracted(verdicts public.pics_verdict[], extractor_version integer) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  update public.sync_status s set
    extractor_version = case when v.verdict = 'stored' then $2 else s.extractor_version end,
    lease_id = null, lease_until = null, lease_change = null
  from unnest(verdicts) v
  where s.appid = v.appid and v.verdict <> 'lease_lost';
$$;

-- Settles the marks of apps that Steam does not know, and releases their lease. It takes effect only if nothing newer has been announced
-- since the claim; an app that is not stored leaves no row. The change number stays that of what is stored.
create or replace function public.pics_settle_unknown(appids integer[], accept_all boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  gone constant integer[] := array(select appid from public.sync_status where appid = any (appids) and pics_pending_change = lease_change);
begin
  update public.apps set is_known = false, is_active = false, updated_at = now()
  where appid = any (gone) and is_known;

  delete from public.sync_status s
  where s.appid = any (gone) and (s.last_pics_sync is null or s.skipped_type is not null) and not exists (select from public.apps a where a.appid = s.appid);

  update public.sync_status set
    last_pics_sync = now(), pics_pending_change = null, pending_since = null, attempts = 0, next_attempt_at = null, last_error = null,
    unknown_since = null,
    -- What an operator confirms does not count towards a mass.
    unknown_at = case when not accept_all then unknown_at end
  where appid = any (gone);

  update public.sync_status set attempts = 0, lease_id = null, lease_until = null, lease_change = null
  where appid = any (appids) and lease_id is not null;
end
$$;

-- Releases the lease of apps of which Steam says "unknown" and that is not believed yet. They count as answered, stay as they are, and
-- are due when a second answer counts; at once where something newer has been announced since the claim.
create or replace function public.pics_settle_unconfirmed(verdicts public.pics_verdict[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  update public.sync_status s set
    attempts = 0,
    next_attempt_at = case when s.pics_pending_change = s.lease_change then v.retry_at end,
    last_error = null,
    lease_id = null, lease_until = null, lease_change = null
  from unnest(verdicts) v
  where s.appid = v.appid and v.verdict = 'unconfirmed';
$$;

-- Writes one row of app_changes for each field in which the images of some apps differ from what they were. Where another version of the
-- extractor read the app before, fields that only the later of the two versions reads in this way are left out: they may differ although
-- Steam changed nothing.
--   verdicts       of the apps; those that Steam does not know have the change number that was announced
--   images_before  {"appid": image, …} of pics_app_images
create or replace function public.pics_write_history(verdicts public.pics_verdict[], images_before jsonb) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into public.app_changes (appid, change_number, field, old, new)
  select a.appid, v.change_number, field.key, nullif(before.image -> field.key, 'null'), nullif(field.value, 'null')
  from unnest(verdicts) v
  join public.pics_app_images(array(select appid from unnest(verdicts))) a on a.appid = v.appid
  cross join lateral (
    select images_before -> a.appid::text as image,
      (images_before -> a.appid::text ->> 'extractor_version')::integer as version_before,
      (a.image ->> 'extractor_version')::integer as version_now
  ) before
  cross join lateral jsonb_each(a.image) as field
  where before.image -> field.key is distinct from field.value
    -- The collector writes is_listed, with a row of its own.
    and field.key not in ('extractor_version', 'is_listed')
    and (version_before = version_now or public.pics_field_version(field.key) <= least(version_before, version_now))
  order by a.appid, field.key;
$$;

-- Writes one row of app_changes, with the field `added`, for each app that is stored for the first time after the first pass over
-- everything.
create or replace function public.pics_write_added(verdicts public.pics_verdict[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into public.app_changes (appid, change_number, field, new)
  select v.appid, v.change_number, 'added', 'true'
  from unnest(verdicts) v
  where v.verdict = 'stored' and not v.was_stored and exists (select from public.pics_sync_state where bulk_completed_at is not null)
  order by v.appid;
$$;

-- Stores what was fetched for a claim and clears the marks, in one transaction.
--   request  {"request_id": uuid, "lease_id": uuid,
--             "apps": [{"change_number", "missing_token", … an AppRecord, "info": see pics_keep_info}, …],
--             "extractor_version": that made the records (default 1),
--             "is_reextract": whether they were made from kept texts, so that Steam said nothing new (default false),
--             "types": the only types of which new apps are stored (APP_TYPES), null or absent for all,
--             "unknown": [appid, …], "failed": [{"appid", "error"}, …],
--             "tokens": [{"appid", "access_token": text or null when denied}, …],
--             "retry_seconds": delay after a first failure, "retry_max_seconds": its limit,
--             "unknown_confirm_seconds": between a first and a second "unknown" about an app, "max_shrink": share of the known
--             apps, "accept_unknown": whether an operator confirms what Steam says now,
--             "history": whether app_changes gets a row for each field that changes on an app that was stored before, and for each new app}
--   reply    {"stored", "skipped", "stale", "unknown", "unconfirmed", "withheld", "failed", "lease_lost"}: numbers of apps (see pics_verdicts),
--            "doubted": [{"appid", "error"}, …] of answers that cannot be true, among the failed,
--            "mass_unknown": whether "unknown" is not believed, because it is said of too many}
-- Idempotent: the same request_id again returns the first reply and does nothing.
create or replace function public.pics_apply(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_request constant uuid := (request ->> 'request_id')::uuid;
  this_reply jsonb := public.pics_replay(this_request);
  this_lease constant uuid := (request ->> 'lease_id')::uuid;
  this_version constant integer := coalesce((request ->> 'extractor_version')::integer, 1);
  is_reextract constant boolean := coalesce((request ->> 'is_reextract')::boolean, false);
  has_history constant boolean := coalesce((request ->> 'history')::boolean, true);
  payloads jsonb := coalesce(request -> 'apps', '[]');
  verdicts public.pics_verdict[];
  stored integer[];
  unknown integer[];
  compared integer[] := '{}';
  images_before jsonb;
begin
  if this_reply is not null then
    return this_reply;
  end if;

  -- Verdicts: everything below reads from them.
  verdicts := public.pics_verdicts(request);
  stored := array(select appid from unnest(verdicts) where verdict = 'stored');
  unknown := array(select appid from unnest(verdicts) where verdict = 'unknown');

  -- Access tokens: independent of the lease.
  insert into public.pics_access_tokens (appid, access_token, denied_at)
  select distinct on (appid) appid, access_token, case when access_token is null then now() end
  from jsonb_to_recordset(request -> 'tokens') as t(appid integer, access_token text)
  order by appid, access_token
  on conflict (appid) do update set access_token = excluded.access_token, denied_at = excluded.denied_at;

  -- History, first half: the apps as they were.
  if has_history then
    compared := array(select appid from unnest(verdicts) where was_stored and verdict in ('stored', 'unknown'));
  end if;
  if compared <> '{}' then
    images_before := (select jsonb_object_agg(appid, image) from public.pics_app_images(compared));
  end if;

  -- Records.
  if cardinality(stored) < jsonb_array_length(payloads) then
    payloads := (select jsonb_agg(p) from jsonb_array_elements(payloads) as p where (p ->> 'appid')::integer = any (stored));
  end if;
  if stored <> '{}' then
    perform public.pics_write_apps(payloads);
  end if;

  -- Marks and leases.
  if is_reextract then
    perform public.pics_settle_reextracted(verdicts, this_version);
  else
    perform public.pics_settle_answered(verdicts, this_version);
  end if;
  if unknown <> '{}' then
    perform public.pics_settle_unknown(unknown, coalesce((request ->> 'accept_unknown')::boolean, false));
  end if;
  perform public.pics_settle_unconfirmed(verdicts);
  delete from public.pics_claims where lease_id = this_lease and public.pics_claimed(this_lease) = '{}';

  -- History, second half: what differs now.
  if compared <> '{}' then
    perform public.pics_write_history(array(select v from unnest(verdicts) v where v.appid = any (compared)), images_before);
  end if;
  if has_history then
    perform public.pics_write_added(verdicts);
  end if;

  return public.pics_keep_reply(this_request, (
    select jsonb_build_object(
      'stored', count(*) filter (where verdict = 'stored'),
      'skipped', count(*) filter (where verdict = 'skipped'),
      'stale', count(*) filter (where verdict = 'stale'),
      'unknown', count(*) filter (where verdict = 'unknown'),
      'unconfirmed', count(*) filter (where verdict = 'unconfirmed'),
      'withheld', count(*) filter (where verdict = 'withheld'),
      'failed', count(*) filter (where verdict = 'failed'),
      'lease_lost', count(*) filter (where verdict = 'lease_lost'),
      'doubted', coalesce(
        jsonb_agg(jsonb_build_object('appid', appid, 'error', error)) filter (where verdict = 'failed' and change_number is not null), '[]'
      ),
      'mass_unknown', count(*) filter (where verdict = 'unconfirmed') > 0 and (
        select coalesce(mass_unknown_at > clock_timestamp() - interval '1 minute', false) from public.pics_sync_state where id = 1
      )
    )
    from unnest(verdicts)
  ));
end
$$;

---------------------------------------------------------------------------------------------------------------- names

-- Tags that have no name yet, by keyset pagination. request {"after": tag_id, "max": n}; reply [tag_id, …] ascending
create or replace function public.pics_unnamed_tags(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(tag_id order by tag_id), '[]')
  from (
    select tag_id from public.steam_tags where name is null and tag_id > (request ->> 'after')::integer
    order by tag_id limit (request ->> 'max')::integer
  ) page;
$$;

-- Names tags. request {"tags": [{"tag_id", "name"}, …]}; reply {"named": tags}
create or replace function public.pics_name_tags(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  named integer;
begin
  update public.steam_tags t set name = n.name
  from jsonb_to_recordset(request -> 'tags') as n(tag_id integer, name text)
  where t.tag_id = n.tag_id and n.name <> '' and t.name is distinct from n.name;
  get diagnostics named = row_count;
  return jsonb_build_object('named', named);
end
$$;

-- Categories whose name Steam has not given, or not within a week: seeds, new ids, and names that Steam may have changed since.
-- reply [category_id, …] ascending
create or replace function public.pics_unconfirmed_categories() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(category_id order by category_id), '[]')
  from public.steam_categories where named_at is null or named_at < now() - interval '7 days';
$$;

-- Stores Steam's names of categories, in place of any other. request {"categories": [{"category_id", "name"}, …]}; reply
-- {"named": categories}. A description belongs to the name that it was seeded with: it stays only where the two names differ by no more
-- than case and punctuation. In id order, so that two workers wait for each other in one direction only.
create or replace function public.pics_name_categories(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  named integer;
begin
  insert into public.steam_categories as c (category_id, name, named_at)
  select distinct on (n.category_id) n.category_id, n.name, now()
  from jsonb_to_recordset(request -> 'categories') as n(category_id integer, name text)
  where n.name <> ''
  order by n.category_id
  on conflict (category_id) do update set
    name = excluded.name,
    named_at = excluded.named_at,
    description = case
      when lower(regexp_replace(c.name, '[^[:alnum:]]', '', 'g')) <> lower(regexp_replace(excluded.name, '[^[:alnum:]]', '', 'g')) then null
      else c.description
    end;
  get diagnostics named = row_count;
  return jsonb_build_object('named', named);
end
$$;

--------------------------------------------------------------------------------------------------------- leader lease
-- Leader election by lease, by the database's clock. Each role (monitor, collector, webhooks) has one leader at a time. A leader renews its
-- lease by acquiring it again; a worker that died leaves a lease that lapses.

-- Acquires or renews the lease of a role.
--   request  {"role": monitor | collector | webhooks, "worker_id": uuid, "lease_seconds": n}
--   reply    {"leading", "free_in_seconds": until another worker's lease lapses, null when leading}
create or replace function public.leader_acquire(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_role constant text := request ->> 'role';
  this_worker constant uuid := (request ->> 'worker_id')::uuid;
  now_at constant timestamptz := clock_timestamp();
  until constant timestamptz := now_at + make_interval(secs => (request ->> 'lease_seconds')::double precision);
  leader public.leader_leases;
begin
  insert into public.leader_leases as l (role, worker_id, lease_until) values (this_role, this_worker, until)
  on conflict (role) do update set worker_id = excluded.worker_id, lease_until = excluded.lease_until
  where l.worker_id = this_worker or l.lease_until <= now_at;

  select * into leader from public.leader_leases where role = this_role;
  return jsonb_build_object(
    'leading', coalesce(leader.worker_id = this_worker, false),
    'free_in_seconds', case when leader.worker_id <> this_worker then greatest(0, extract(epoch from leader.lease_until - now_at)) end
  );
end
$$;

-- Releases the lease, so that the next leader need not wait for it to lapse. request {"role", "worker_id"}; reply {"released"}
create or replace function public.leader_release(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.leader_leases where role = request ->> 'role' and worker_id = (request ->> 'worker_id')::uuid;
  return jsonb_build_object('released', found);
end
$$;

-- Whether this worker leads; locks the lease, so that no other worker takes over until the transaction ends. Functions that only a leader
-- may call begin with it, so that a worker that was suspended past its lease changes nothing.
create or replace function public.leader_holds(role_name text, worker uuid) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from public.leader_leases where role = role_name and worker_id = worker and lease_until > clock_timestamp() for update;
  return found;
end
$$;

------------------------------------------------------------------------------------------------------------- polling

-- Makes a poll durable: every announced app becomes pending and the cursor moves, in one transaction.
--   request  {"worker_id", "change_number": Steam's current one, "apps": [[appid, change_number, needs_token], …],
--             "since": where the poll counted from}
--   reply    {"accepted", "last_change_number", "marked": apps now pending that were not, or only at a lower number}
-- Accepted from the leader only, so that one that was suspended moves nothing. The cursor moves only from where the poll counted: past
-- an open gap polls still mark what they announce, but the cursor waits for the sweep (pics_finish_sweep). With no cursor at
-- all, the first poll (since 0) sets it.
create or replace function public.pics_poll(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- As for pics_mark: no plan that was made while the tables were empty.
set plan_cache_mode = force_custom_plan
as $$
declare
  since constant bigint := (request ->> 'since')::bigint;
  marked integer;
begin
  if not public.leader_holds('monitor', (request ->> 'worker_id')::uuid) then
    return jsonb_build_object('accepted', false, 'last_change_number', null, 'marked', 0);
  end if;

  insert into public.sync_status as s (appid, pics_pending_change, pending_since, needs_token)
  select announced.appid, announced.change, now(), announced.needs_token
  from (
    select (e ->> 0)::integer as appid, max((e ->> 1)::bigint) as change, bool_or(coalesce((e ->> 2)::boolean, false)) as needs_token
    from jsonb_array_elements(request -> 'apps') as e
    group by 1
  ) announced
  left join public.sync_status stored on stored.appid = announced.appid
  where stored.pics_change_number is null or stored.pics_change_number < announced.change
  order by announced.appid
  on conflict (appid) do update set
    pics_pending_change = excluded.pics_pending_change,
    pending_since = coalesce(s.pending_since, excluded.pending_since),
    needs_token = excluded.needs_token,
    attempts = case when s.lease_id is null then 0 else s.attempts end,
    next_attempt_at = case when s.lease_id is null then null else s.next_attempt_at end
  where (s.pics_pending_change is null or s.pics_pending_change < excluded.pics_pending_change)
    and (s.pics_change_number is null or s.pics_change_number < excluded.pics_pending_change);
  get diagnostics marked = row_count;

  update public.pics_sync_state set
    last_change_number = greatest(last_change_number, (request ->> 'change_number')::bigint),
    updated_at = now()
  where id = 1 and (last_change_number is null or last_change_number = since)
    and not exists (select from public.pics_gaps where repaired_at is null);

  return jsonb_build_object(
    'accepted', true,
    'last_change_number', (select last_change_number from public.pics_sync_state where id = 1),
    'marked', marked
  );
end
$$;

-- Records that Steam could not list the changes between two numbers. An open gap grows; there is one at a time.
--   request  {"worker_id", "from_change", "to_change"}; reply {"accepted"}
create or replace function public.pics_open_gap(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if not public.leader_holds('monitor', (request ->> 'worker_id')::uuid) then
    return jsonb_build_object('accepted', false);
  end if;
  insert into public.pics_gaps as g (from_change, to_change)
  values ((request ->> 'from_change')::bigint, (request ->> 'to_change')::bigint)
  on conflict ((true)) where repaired_at is null do update set to_change = greatest(g.to_change, excluded.to_change);
  return jsonb_build_object('accepted', true);
end
$$;

-- Ends a sweep of everything: all that differed when it began is marked by now, so an open gap is repaired and the cursor moves past it.
--   request  {"worker_id", "seconds": since the sweep began, "change_number": up to where polls have been made durable}
--   reply    {"accepted", "last_change_number"}
create or replace function public.pics_finish_sweep(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  state public.pics_sync_state;
begin
  if not public.leader_holds('monitor', (request ->> 'worker_id')::uuid) then
    return jsonb_build_object('accepted', false, 'last_change_number', null);
  end if;
  update public.pics_sync_state set
    last_change_number = greatest(last_change_number, (request ->> 'change_number')::bigint),
    last_reconciled_at = now(),
    last_verified_at = greatest(last_verified_at, now() - make_interval(secs => (request ->> 'seconds')::double precision)),
    updated_at = now()
  where id = 1
  returning * into state;
  update public.pics_gaps set repaired_at = now() where repaired_at is null;
  return jsonb_build_object('accepted', true, 'last_change_number', state.last_change_number);
end
$$;

------------------------------------------------------------------------------------------------------------- workers

-- Snapshots of the workers of the last minute.
--   reply [{"id", "mode", "snapshot", "seen_at", "seen_seconds_ago"}, …] by id
create or replace function public.pics_workers() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(to_jsonb(w) || jsonb_build_object('seen_seconds_ago', extract(epoch from now() - w.seen_at)) order by w.id), '[]')
  from public.workers w where w.seen_at > now() - interval '1 minute';
$$;

-- Heartbeat: writes a worker's snapshot, and returns what a worker needs to know of the others and of the work that is left. The turn of a
-- poll begins with one that also acquires or renews the leader lease, so that a poll that finds nothing new takes no other call.
--   request  {"id": uuid, "mode", "snapshot": {…}, "lease": {"role", "lease_seconds"} or absent}
--   reply    {"workers": as pics_workers, this worker included, "backlog": as pics_backlog, "monitor": as pics_monitor_state,
--             "lease": as leader_acquire, or null when it was not asked for}
create or replace function public.report_worker(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  backlog jsonb;
  lease jsonb;
begin
  insert into public.workers (id, mode, snapshot) values ((request ->> 'id')::uuid, request ->> 'mode', request -> 'snapshot')
  on conflict (id) do update set mode = excluded.mode, snapshot = excluded.snapshot, seen_at = now();
  delete from public.workers where seen_at < now() - interval '1 day';
  -- The lease comes after what takes time, since its row stays locked until the end, and before the state, which a new leader goes on from.
  backlog := public.pics_backlog();
  if jsonb_typeof(request -> 'lease') = 'object' then
    lease := public.leader_acquire(request -> 'lease' || jsonb_build_object('worker_id', request -> 'id'));
  end if;
  return jsonb_build_object(
    'workers', public.pics_workers(), 'backlog', backlog, 'monitor', public.pics_monitor_state(), 'lease', lease
  );
end
$$;

-- Deletes the row of a worker that stops. request {"id"}; reply {"forgotten"}
create or replace function public.forget_worker(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.workers where id = (request ->> 'id')::uuid;
  return jsonb_build_object('forgotten', found);
end
$$;

------------------------------------------------------------------------------------------------------------------- size

-- Names of the service's tables. Those of the library are not among them: they may belong to another application.
create or replace function public.pics_tables() returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select array[
    'apps', 'steam_tags', 'steam_genres', 'steam_categories', 'franchises', 'developers', 'publishers', 'app_steam_tags',
    'app_genres', 'app_categories', 'app_franchises', 'app_developers', 'app_publishers', 'app_dlc', 'app_steam_deck',
    'app_branches', 'app_depots', 'app_depot_manifests', 'app_info', 'sync_status', 'pics_sync_state', 'pics_gaps',
    'pics_access_tokens', 'pics_claims', 'pics_replies', 'leader_leases', 'workers', 'app_changes', 'app_events', 'webhooks', 'steam_keys',
    'game_metadata', 'collector_state', 'app_list_entries', 'web_api_usage', 'web_api_throttles', 'library_choices', 'library_written',
    'igdb_answers', 'web_tokens', 'pics_sizes'
  ];
$$;

-- Bytes of the service's tables, with their indexes and what is stored out of line.
--   reply {"bytes", "tables": [{"name", "bytes"}, …] the largest first, "growth_per_day": bytes, since the newest row of pics_sizes that is
--          at least 20 hours old; null without one}
create or replace function public.pics_size() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with tables as (
    select name, pg_total_relation_size(to_regclass(format('public.%I', name))) as bytes
    from unnest(public.pics_tables()) as name
    where to_regclass(format('public.%I', name)) is not null
  ), total as (
    select sum(bytes)::bigint as bytes, jsonb_agg(jsonb_build_object('name', name, 'bytes', bytes) order by bytes desc, name) as tables from tables
  )
  select jsonb_build_object(
    'bytes', total.bytes,
    'tables', total.tables,
    'growth_per_day', (
      select round((total.bytes - s.bytes) / (extract(epoch from now() - s.taken_at) / 86400))::bigint
      from public.pics_sizes s where s.taken_at <= now() - interval '20 hours' order by s.day desc limit 1
    )
  )
  from total;
$$;

-- Rebuilds one B-tree index of the service's tables, the next by name. A first load brings the rows in another order than most indexes have,
-- which leaves their pages half empty: packed they take two thirds of the bytes. Writers of that table wait meanwhile, about a second for a
-- million rows. As the owner of the tables, which alone may do that.
--   request  {"after": name of the index before, or absent, "min_bytes": smaller ones stay as they are}
--   reply    {"index", "bytes_before", "bytes_after"}, or null after the last
create or replace function public.pics_compact(request jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
  next record;
begin
  select c.oid, c.relname as name, pg_relation_size(c.oid) as bytes into next
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_am m on m.oid = c.relam
  where i.indrelid in (select to_regclass(format('public.%I', name)) from unnest(public.pics_tables()) as name)
    and m.amname = 'btree' and pg_has_role(c.relowner, 'usage')
    and pg_relation_size(c.oid) >= (request ->> 'min_bytes')::bigint
    and (request ->> 'after' is null or c.relname > (request ->> 'after')::name)
  order by c.relname limit 1;
  if next.oid is null then
    return null;
  end if;
  execute format('reindex index public.%I', next.name);
  return jsonb_build_object('index', next.name, 'bytes_before', next.bytes, 'bytes_after', pg_relation_size(next.oid));
end
$$;

-- Keeps today's size, once, and 30 days of them. reply {"bytes"}
create or replace function public.pics_record_size() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  now_bytes constant bigint := (public.pics_size() ->> 'bytes')::bigint;
begin
  insert into public.pics_sizes (day, bytes) values (current_date, now_bytes) on conflict do nothing;
  delete from public.pics_sizes where day < current_date - 30;
  return jsonb_build_object('bytes', now_bytes);
end
$$;

-------------------------------------------------------------------------------------------------------------- history
-- Ids of app_changes are given out before their transactions commit, so a consumer that resumes after the last id it saw could miss a
-- lower one that commits later. Therefore every transaction publishes, before it takes its first id, the last id that was given out: as a
-- shared advisory lock whose key holds that number, which Postgres drops when the transaction ends, however it ends. Readers are
-- served up to the lowest such number (pics_changes_horizon). No transaction waits for another. (docs/decisions/0011)

create or replace function public.pics_announce_changes() returns trigger
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Once per transaction: the setting ends with it, and with a savepoint that also takes the lock back.
  if coalesce(current_setting('pics.changes_announced', true), '') = '' then
    -- 0x5049 in the upper 16 bits of the key, the id in the lower 48.
    perform pg_advisory_xact_lock_shared((20553::bigint << 48) | coalesce(pg_sequence_last_value('public.app_changes_id_seq'), 0));
    perform set_config('pics.changes_announced', 'yes', true);
    -- Delivered with the commit: wakes who waits for changes (src/db/news.ts).
    perform pg_notify('pics_changes', '');
  end if;
  return null;
end
$$;

-- Deletes the oldest rows of app_changes, in id order, and the events of these, as far as they are older than some days.
--   request  {"days": n, "max": rows}
--   reply    {"deleted": rows, "has_more": whether more may be old enough}
-- `pics_sync_state.changes_deleted_up_to` moves in the same transaction, so that a consumer that resumes before it is refused instead of
-- missing changes. Never past the horizon: a change with a lower id may still be committed. Never past the cursor of a live webhook: one that
-- fails for days is given up. Of several calls at once one works.
create or replace function public.pics_trim_changes(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  max_changes constant integer := (request ->> 'max')::integer;
  old_before constant timestamptz := now() - make_interval(days => (request ->> 'days')::integer);
  up_to bigint;
  deleted integer;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('pics_trim_changes', 0)) then
    return jsonb_build_object('deleted', 0, 'has_more', false);
  end if;
  with oldest as (
    select id, detected_at from public.app_changes where id <= public.pics_changes_horizon() order by id limit max_changes
  )
  select coalesce((select min(id) - 1 from oldest where detected_at >= old_before), (select max(id) from oldest)) into up_to;
  -- The last change of which a webhook has passed all events.
  up_to := (
    select min(passed) from (
      select up_to as passed
      union all
      select ((w.cursor + 1) >> 16) - 1 from public.webhooks w where up_to is not null and w.dead_at is null and w.disabled_at is null
    ) as limits
  );

  delete from public.app_events where id < (up_to + 1) << 16;
  delete from public.app_changes where id <= up_to;
  get diagnostics deleted = row_count;
  update public.pics_sync_state set changes_deleted_up_to = up_to where id = 1 and deleted > 0;
  return jsonb_build_object('deleted', deleted, 'has_more', deleted = max_changes);
end
$$;

create or replace trigger pics_announce before insert on public.app_changes
for each statement execute function public.pics_announce_changes();

---------------------------------------------------------------------------------------------------------- key census

-- Counts the keys of app infos that the extractor does not read.
--   request  {"request_id": uuid, "keys": [{"path": at most 200 characters, "payloads": that have it, "appid": one of them}, …],
--             "read": [path, …] that the extractor reads: rows that an older version left are deleted; or absent}
--   reply    {"added": [path, …] that were not in steam_keys, "first_load": whether no bulk sync is complete, so that all keys are new,
--             "refused": paths that were not added, because the table is full}
-- Keys come from outside, so the table holds at most 2,000 paths; those that it has are counted on. Idempotent by request_id, as pics_apply.
create or replace function public.pics_count_keys(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  max_paths constant integer := 2000;
  this_request constant uuid := (request ->> 'request_id')::uuid;
  this_reply jsonb := public.pics_replay(this_request);
  is_first_load constant boolean := (select bulk_completed_at is null from public.pics_sync_state where id = 1);
  room integer;
begin
  if this_reply is not null then
    return this_reply;
  end if;
  -- One transaction at a time: two workers would each fill the same room.
  perform pg_advisory_xact_lock(hashtextextended('pics_count_keys', 0));
  delete from public.steam_keys where path in (select jsonb_array_elements_text(request -> 'read'));
  room := greatest(0, max_paths - (select count(*) from public.steam_keys));

  with counted as (
    select path, sum(payloads) as payloads, (array_agg(appid order by appid))[1] as appid
    from jsonb_to_recordset(request -> 'keys') as k(path text, payloads bigint, appid integer)
    group by path
  ), placed as (
    select counted.*, known.path is not null as is_known,
      row_number() over (partition by known.path is null order by counted.path) > room as is_beyond
    from counted left join public.steam_keys known on known.path = counted.path
  ), written as (
    insert into public.steam_keys as k (path, payloads, first_appid, in_first_load)
    select path, payloads, appid, is_first_load from placed where is_known or not is_beyond order by path
    on conflict (path) do update set payloads = k.payloads + excluded.payloads, last_seen_at = excluded.last_seen_at
  )
  select jsonb_build_object(
    'added', coalesce(jsonb_agg(path order by path) filter (where not is_known and not is_beyond), '[]'),
    'first_load', is_first_load,
    'refused', count(*) filter (where not is_known and is_beyond)
  )
  into this_reply from placed;
  return public.pics_keep_reply(this_request, this_reply);
end
$$;

-- Events: what a change of fields means. Each row of app_changes makes the events that follow from it, in the transaction that writes it.
-- The id of an event is that of its change, shifted by 16 bits, and its place among the events of that change: so events have the order and
-- the horizon of the changes (pics_changes_horizon), and a consumer that resumes by id misses none. docs/events.md has the meaning of each.

-- The next two have no search path of their own: so Postgres inlines them, which takes a sixth of the time. They are called by
-- pics_derive_events alone, whose path holds for them.

-- Elements of a list of texts or numbers that another list lacks, in their order; null when there is none. What is no list has none: a
-- plan may ask before it filters.
create or replace function public.pics_list_difference(these jsonb, those jsonb) returns jsonb
language sql immutable
as $$
  select jsonb_agg(value order by place)
  from jsonb_array_elements(case when jsonb_typeof(these) = 'array' then these else '[]' end) with ordinality as one(value, place)
  where jsonb_typeof(those) is distinct from 'array' or not those @> value;
$$;

-- Events that follow from one change of a field; old and new as in app_changes. `subject` is the branch of a build; of lists, old is what
-- left and new is what came. A first value is no event where Steam may merely not have told it before: of names, states and verdicts of
-- release. Values that name no event (sizes, build times, URLs, …) are in app_changes alone.
create or replace function public.pics_events_of(field text, old jsonb, new jsonb)
returns table (event text, subject text, old_value jsonb, new_value jsonb)
language sql immutable
as $$
  select 'added', null::text, null::jsonb, null::jsonb where field = 'added'

  union all
  select flag.event, null, null, null
  from (values
    ('is_known', 'false', 'removed'), ('is_known', 'true', 'returned'),
    ('is_listed', 'false', 'delisted'), ('is_listed', 'true', 'relisted'),
    ('is_free', 'true', 'became_free'), ('is_free', 'false', 'no_longer_free')
  ) as flag(field, value, event)
  where flag.field = pics_events_of.field and old is not null and new = flag.value::jsonb

  union all
  select case when new = '"released"' then 'released' else 'release_state' end, null, old, new
  where field = 'release_state' and old is not null

  union all
  select value.event, null, old, new
  from (values
    ('name', 'renamed', true), ('type', 'type_changed', true), ('steam_release_date', 'release_date_moved', false),
    ('pics_review_score', 'review_verdict', false), ('metacritic_score', 'metacritic_score', false),
    ('controller_support', 'controller_support', false), ('vr_support', 'vr_support', false), ('ai_content', 'ai_content', false),
    ('content_descriptors', 'content_descriptors', false), ('price_change_number', 'price_changed', true)
  ) as value(field, event, needs_old)
  where value.field = pics_events_of.field and (old is not null or not needs_old)

  union all
  select list.event, null, list.gone, list.come
  from (
    select event, public.pics_list_difference(before, after) as gone, public.pics_list_difference(after, before) as come
    from (
      select named.event, old as before, new as after
      from (values
        ('tags', 'tags'), ('genres', 'genres'), ('categories', 'categories'), ('developers', 'developer_changed'),
        ('publishers', 'publisher_changed'), ('franchises', 'franchise_changed')
      ) as named(field, event)
      where named.field = pics_events_of.field
      union all
      select 'platforms', to_jsonb(string_to_array(old #>> '{}', ',')), to_jsonb(string_to_array(new #>> '{}', ',')) where field = 'platforms'
      union all
      select 'languages',
        (select jsonb_agg(key order by key) from jsonb_object_keys(coalesce(old, '{}')) as key),
        (select jsonb_agg(key order by key) from jsonb_object_keys(coalesce(new, '{}')) as key)
      where field = 'languages'
    ) as lists
  ) as list
  where list.gone is not null or list.come is not null

  union all
  select case when came then 'entered_early_access' else 'left_early_access' end, null, null, null
  from (select coalesce(new, '[]') @> '70' as came, coalesce(old, '[]') @> '70' as was) as early_access
  where field = 'genres' and came <> was

  union all
  select dlc.event, null, case when dlc.event = 'dlc_removed' then dlc.list end, case when dlc.event = 'dlc_added' then dlc.list end
  from (values
    ('dlc_added', case when field = 'dlc' then public.pics_list_difference(new, old) end),
    ('dlc_removed', case when field = 'dlc' then public.pics_list_difference(old, new) end)
  ) as dlc(event, list)
  where dlc.list is not null

  union all
  select verdict.event, null, old -> verdict.key, new -> verdict.key
  from (values
    ('deck_verdict', 'category'), ('steamos_verdict', 'steamos_category'), ('machine_verdict', 'machine_category'),
    ('frame_verdict', 'frame_category')
  ) as verdict(event, key)
  where field = 'steam_deck' and nullif(old -> verdict.key, 'null') is distinct from nullif(new -> verdict.key, 'null')

  union all
  select case when was.branch is null then 'branch_added' when now_is.branch is null then 'branch_removed' else 'build' end,
    coalesce(now_is.branch, was.branch), was.build, now_is.build
  from (
    select row ->> 'branch' as branch, row -> 'build_id' as build from jsonb_array_elements(case when field = 'branches' then old end) as row
  ) as was
  full join (
    select row ->> 'branch' as branch, row -> 'build_id' as build from jsonb_array_elements(case when field = 'branches' then new end) as row
  ) as now_is using (branch)
  where was.build is distinct from now_is.build or was.branch is null or now_is.branch is null

  union all
  select 'art_changed', null, null, (
    select jsonb_agg(key order by key)
    from (select jsonb_object_keys(coalesce(old, '{}')) union select jsonb_object_keys(coalesce(new, '{}'))) as kinds(key)
    where old -> key is distinct from new -> key
  )
  where field = 'assets' and old is not null;
$$;

-- Derives the events of the changes that a statement wrote. A release takes the date that comes with it along: that date did not move.
create or replace function public.pics_derive_events() returns trigger
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.app_events (id, appid, event, subject, change_number, change_ids, old, new, detected_at)
  select (c.id << 16) | (row_number() over (partition by c.id order by e.event, e.subject) - 1),
    c.appid, e.event, e.subject, c.change_number,
    case when e.event = 'released' then c.id || coalesce(dated.ids, '{}') else array[c.id] end,
    nullif(e.old_value, 'null'), nullif(e.new_value, 'null'), c.detected_at
  from inserted c
  cross join lateral public.pics_events_of(c.field, c.old, c.new) e
  left join (
    select appid, array_agg(id) as ids from inserted where field = 'steam_release_date' group by appid
  ) dated on dated.appid = c.appid
  left join (
    select distinct r.appid from inserted r where r.field = 'release_state' and r.old is not null and r.new = '"released"'
  ) released on released.appid = c.appid
  where not (e.event = 'release_date_moved' and released.appid is not null);
  return null;
end
$$;

create or replace trigger pics_derive after insert on public.app_changes
referencing new table as inserted
for each statement execute function public.pics_derive_events();

------------------------------------------------------------------------------------------------------------- reading

-- A list of an event with names: of tags, genres and categories [{"id", "name"}, …], of DLC [{"appid", "name"}, …]; other values as they are.
create or replace function public.catalog_event_value(event text, value jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when value is null then null
    when event = 'tags' then (
      select jsonb_agg(jsonb_build_object('id', id, 'name', t.name) order by place)
      from jsonb_array_elements(value) with ordinality as listed(id, place) left join public.steam_tags t on t.tag_id = id::integer)
    when event = 'genres' then (
      select jsonb_agg(jsonb_build_object('id', id, 'name', t.name) order by place)
      from jsonb_array_elements(value) with ordinality as listed(id, place) left join public.steam_genres t on t.genre_id = id::integer)
    when event = 'categories' then (
      select jsonb_agg(jsonb_build_object('id', id, 'name', t.name) order by place)
      from jsonb_array_elements(value) with ordinality as listed(id, place) left join public.steam_categories t on t.category_id = id::integer)
    when event in ('dlc_added', 'dlc_removed') then (
      select jsonb_agg(jsonb_build_object('appid', id, 'name', a.name) order by place)
      from jsonb_array_elements(value) with ordinality as listed(id, place) left join public.apps a on a.appid = id::integer)
    else value
  end;
$$;

-- Events, by keyset pagination. Filters other than those of the event itself are about the app as it is now.
--   request  {"max": n, "after": id, oldest first from there on | "before": id or absent, newest first from there back,
--             "events": [kind, …], "branch": of builds and branches, "appids": [appid, …], "min_reviews": positive and negative ones
--             together, by SteamSpy; and "relations", "types", "required" as for catalog_apps; each may be absent,
--             "most": events that are looked at for a page (default 5,000)}
--   reply    {"events": [an `EventView` of src/catalog/event-views.ts, …], "last_id": a consumer that resumes after it misses no event,
--             "next": where the following page begins, as after or before, null on the last. A page may be empty and have one}
--            or {"unknown": [filter, value]} for a value that does not exist. With "deleted_up_to" as catalog_changes has it.
create or replace function public.catalog_events(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  max_events constant integer := (request ->> 'max')::integer;
  most constant integer := greatest(coalesce((request ->> 'most')::integer, 5000), max_events + 1);
  after constant bigint := (request ->> 'after')::bigint;
  -- Of the last event that no running transaction can precede.
  horizon constant bigint := (public.pics_changes_horizon() << 16) | 65535;
  before constant bigint := least((request ->> 'before')::bigint, horizon + 1);
  direction constant text := case when after is null then 'desc' else 'asc' end;
  kinds constant text[] := case when request ? 'events' then array(select jsonb_array_elements_text(request -> 'events')) end;
  appids constant integer[] := case when request ? 'appids' then array(select jsonb_array_elements_text(request -> 'appids')::integer) end;
  filters record;
  probes text[];
  part text;
  page jsonb;
  looked_at integer;
  found integer;
  last_seen bigint;
  deleted_up_to bigint;
begin
  select * into filters from public.catalog_conditions(request - 'appids');
  if filters.unknown is not null then
    return jsonb_build_object('unknown', filters.unknown);
  end if;
  probes := filters.probes;
  if request ? 'min_reviews' then
    probes := probes || format(
      '(select m.positive_reviews + m.negative_reviews from public.game_metadata m where m.appid = e.appid) >= %L',
      (request ->> 'min_reviews')::integer);
  end if;

  part := format('select * from public.app_events e where e.id %s and %s',
    case when after is null then format('< %s', before) else format('> %s and e.id <= %s', after, horizon) end,
    concat_ws(' and ', 'true',
      case when kinds is not null and appids is not null then format('e.event = any (%L)', kinds) end,
      case when request ? 'branch' then format('e.subject = %L', request ->> 'branch') end));
  -- By the index of the apps or of the kinds, a bounded part of each; else by id.
  part := case
    when appids is not null then format(
      'select e.* from unnest(%L::integer[]) as wanted(appid) cross join lateral (%s and e.appid = wanted.appid order by e.id %s limit %s) e',
      appids, part, direction, most)
    when kinds is not null then format(
      'select e.* from unnest(%L::text[]) as wanted(event) cross join lateral (%s and e.event = wanted.event order by e.id %s limit %s) e',
      kinds, part, direction, most)
    else part
  end;
  execute format($query$
    with seen as materialized (
      select * from (%1$s) e order by e.id %2$s limit %3$s
    ), fitting as materialized (
      select e.*, a.name as app_name, a.type as app_type, a.assets -> 'header' ->> 'english' as image, row_number() over (order by e.id %2$s) as place
      from seen e left join public.apps a on a.appid = e.appid
      where %4$s order by e.id %2$s limit %5$s
    )
    select
      (select coalesce(jsonb_agg(jsonb_build_object(
        'id', f.id, 'event', f.event, 'appid', f.appid, 'name', f.app_name, 'type', f.app_type, 'subject', f.subject,
        'image', f.image,
        'old', public.catalog_event_value(f.event, f.old), 'new', public.catalog_event_value(f.event, f.new),
        'change_number', f.change_number, 'change_ids', f.change_ids, 'detected_at', f.detected_at
      ) order by f.place) filter (where f.place <= %6$s), '[]') from fitting f),
      (select count(*) from fitting), (select count(*) from seen), (select %7$s(id) from seen)
  $query$, part, direction, most, concat_ws(' and ', 'true', nullif(array_to_string(probes, ' and '), '')), max_events + 1, max_events,
    case when after is null then 'min' else 'max' end)
  into page, found, looked_at, last_seen;

  -- After the page was read: what was deleted before that is seen here.
  select (s.changes_deleted_up_to << 16) | 65535 into deleted_up_to from public.pics_sync_state s
  where s.changes_deleted_up_to > 0
    and (after < ((s.changes_deleted_up_to << 16) | 65535) or (request ->> 'before')::bigint <= (s.changes_deleted_up_to + 1) << 16);

  return jsonb_build_object(
    'events', page,
    'last_id', case
      when after is null then horizon
      when found > max_events then (page -> -1 ->> 'id')::bigint
      when looked_at = most then last_seen
      else greatest(after, horizon)
    end,
    'next', case when found > max_events then (page -> -1 ->> 'id')::bigint when looked_at = most then last_seen end
  ) || case when deleted_up_to is null then '{}' else jsonb_build_object('deleted_up_to', deleted_up_to) end;
end
$$;

-- Webhooks: receivers of events, each with its cursor. A webhook is live unless it is dead or disabled; live ones hold back the
-- deletion of the history (pics_trim_changes).

-- A webhook as the service reads it; `lag_seconds` is the age of the oldest event that it has not passed, 0 when there is none.
create or replace function public.webhook_row(hook public.webhooks) returns jsonb
language sql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  select to_jsonb(hook) - 'secret' || jsonb_build_object(
    'state', case
      when hook.disabled_at is not null then 'disabled' when hook.dead_at is not null then 'dead'
      when hook.failing_since is not null then 'failing' else 'live'
    end,
    'next_attempt_in_seconds', greatest(0, extract(epoch from hook.next_attempt_at - clock_timestamp())),
    'lag_seconds', coalesce(greatest(0, extract(epoch from clock_timestamp() - (
      select e.detected_at from public.app_events e where e.id > hook.cursor order by e.id limit 1
    ))), 0)
  );
$$;

-- Adds a webhook.
--   request  {"id": uuid, "url", "secret", "format": standard | discord, "filters": as catalog_events takes them,
--             "after": id of the last event that it does not want, null for all up to now}
--   reply    the webhook as webhook_row; or {"deleted_up_to": id} where events after `after` are deleted already, and nothing is added
-- Idempotent by id.
create or replace function public.webhook_add(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_id constant uuid := (request ->> 'id')::uuid;
  -- As in catalog_events: of the last event that no running transaction can precede.
  horizon constant bigint := (public.pics_changes_horizon() << 16) | 65535;
  after constant bigint := (request ->> 'after')::bigint;
  deleted_up_to constant bigint := (select (s.changes_deleted_up_to << 16) | 65535 from public.pics_sync_state s where s.changes_deleted_up_to > 0);
begin
  if after < deleted_up_to then
    return jsonb_build_object('deleted_up_to', deleted_up_to);
  end if;
  insert into public.webhooks (id, url, secret, format, filters, cursor)
  values (this_id, request ->> 'url', request ->> 'secret', request ->> 'format', coalesce(request -> 'filters', '{}'), least(after, horizon))
  on conflict (id) do nothing;
  return (select public.webhook_row(w) from public.webhooks w where w.id = this_id);
end
$$;

-- Webhooks by age.
--   request  {"prefix": of the id, or absent for all, "live": whether only those that are delivered to, "secrets": whether with them}
--   reply    [as webhook_row, with "secret" where it is asked for, …]
create or replace function public.webhook_list(request jsonb) returns jsonb
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(
    public.webhook_row(w) || case when (request ->> 'secrets')::boolean then jsonb_build_object('secret', w.secret) else '{}' end
    order by w.created_at, w.id
  ), '[]')
  from public.webhooks w
  where starts_with(w.id::text, coalesce(request ->> 'prefix', ''))
    and (not coalesce((request ->> 'live')::boolean, false) or (w.dead_at is null and w.disabled_at is null));
$$;

-- request {"id"}; reply {"removed"}
create or replace function public.webhook_remove(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.webhooks where id = (request ->> 'id')::uuid;
  return jsonb_build_object('removed', found);
end
$$;

-- Makes a webhook live again, from its cursor on. request {"id"}; reply {"revived"}
create or replace function public.webhook_revive(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.webhooks set
    attempts = 0, failing_since = null, next_attempt_at = null, last_error = null, dead_at = null, disabled_at = null
  where id = (request ->> 'id')::uuid;
  return jsonb_build_object('revived', found);
end
$$;

-- Moves cursors past what is delivered or does not fit. A cursor never moves back, so that a deliverer that has lost its lease does no harm.
--   request  {"webhooks": [{"id", "cursor": event id, "delivered": events since the last report}, …]}
--   reply    {"moved"}
-- A delivery ends a streak of failures. May be repeated: only the count of deliveries would then be too high.
create or replace function public.webhook_progress(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  moved integer;
begin
  update public.webhooks w set
    cursor = greatest(w.cursor, given.cursor),
    delivered = w.delivered + given.delivered,
    attempts = case when given.delivered > 0 then 0 else w.attempts end,
    failing_since = case when given.delivered > 0 then null else w.failing_since end,
    next_attempt_at = case when given.delivered > 0 then null else w.next_attempt_at end,
    last_error = case when given.delivered > 0 then null else w.last_error end,
    last_success_at = case when given.delivered > 0 then now() else w.last_success_at end
  from jsonb_to_recordset(request -> 'webhooks') as given(id uuid, cursor bigint, delivered bigint)
  where w.id = given.id;
  get diagnostics moved = row_count;
  return jsonb_build_object('moved', moved);
end
$$;

-- Records a delivery that failed.
--   request  {"id", "error", "retry_seconds": until the next attempt, "dead_after_seconds": of failures without a success, and
--             "dead_after_attempts", so that an outage of the service itself is not counted against the receiver, "gone": whether the receiver wants no more}
--   reply    {"attempts": failures since the last success, "dead", "disabled"}, all null for a webhook that was removed
create or replace function public.webhook_failed(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  hook public.webhooks;
begin
  update public.webhooks w set
    attempts = w.attempts + 1,
    failing_since = coalesce(w.failing_since, now()),
    next_attempt_at = now() + make_interval(secs => (request ->> 'retry_seconds')::double precision),
    last_error = left(request ->> 'error', 500),
    disabled_at = case when (request ->> 'gone')::boolean then coalesce(w.disabled_at, now()) else w.disabled_at end,
    dead_at = case
      when now() - w.failing_since >= make_interval(secs => (request ->> 'dead_after_seconds')::double precision)
        and w.attempts + 1 >= (request ->> 'dead_after_attempts')::integer then coalesce(w.dead_at, now())
      else w.dead_at
    end
  where w.id = (request ->> 'id')::uuid
  returning * into hook;
  return jsonb_build_object('attempts', hook.attempts, 'dead', hook.dead_at is not null, 'disabled', hook.disabled_at is not null);
end
$$;

-- The collector: the store's app lists, SteamSpy's numbers about games, and the daily quotas of web APIs. One worker collects at a time, under
-- the leader lease `collector`; its progress is one row of collector_state, so that the next leader resumes where it stopped.

-------------------------------------------------------------------------------------------------------------- leading

-- The state, locked, for the worker that holds the lease; null for any other. Every function of the collector begins with it and replies
-- null then, so that a worker that was suspended past its lease changes nothing.
create or replace function public.collector_held_by(worker uuid) returns public.collector_state
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select * from public.collector_state where id = 1 and public.leader_holds('collector', worker) for update;
$$;

----------------------------------------------------------------------------------------------------------- app lists
-- Pages are staged as they come. Nothing else changes until every list of the run is complete and none is suspiciously short; then
-- the accepted run is applied in batches, by appid over all kinds at once, so that an app that moved from one list to another is never
-- taken for gone.

-- Begins a run of the app lists, or resumes an unfinished one: one of the same kinds that has been read for at most an hour (unless
-- "fresh"), one that is being applied in any case.
--   request  {"worker_id", "kinds": ["games", …], "fresh": bool}
--   reply    {"run", "phase": "reading" or "applying", "cursor": {"games": {"after", "complete"}, …}, "age_seconds"}
create or replace function public.collector_begin_list(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
begin
  if state.id is null then
    return null;
  end if;
  if state.list_phase is null or (state.list_phase = 'reading' and (
       (request ->> 'fresh')::boolean or state.list_started_at < now() - interval '1 hour'
       or array(select jsonb_object_keys(state.list_cursor) order by 1)
         <> array(select jsonb_array_elements_text(request -> 'kinds') order by 1)
     )) then
    update public.collector_state set
      list_run = list_run + 1,
      list_phase = 'reading',
      list_started_at = now(),
      list_cursor = (
        select jsonb_object_agg(kind, '{"after": 0, "complete": false}'::jsonb) from jsonb_array_elements_text(request -> 'kinds') as kind
      ),
      list_counts = '{}'
    where id = 1
    returning * into state;
  end if;
  return jsonb_build_object(
    'run', state.list_run,
    'phase', state.list_phase,
    'cursor', case when state.list_phase = 'reading' then state.list_cursor else '{}' end,
    'age_seconds', extract(epoch from now() - state.list_started_at)
  );
end
$$;

-- Stages a part of one list, ascending by appid.
--   request  {"worker_id", "run", "kind", "apps": [[appid, name, last_modified in Unix seconds or null, price_change_number or null], …],
--             "after": the last appid read, "complete": no page follows,
--             "end": "broken" when a page was announced that did not come, "absent" when there is no list}
--   reply    {"staged": apps}
create or replace function public.collector_save_list(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
  staged integer;
begin
  if state.id is null or state.list_phase is distinct from 'reading' or state.list_run <> (request ->> 'run')::integer then
    return null;
  end if;
  insert into public.app_list_entries (kind, appid, name, seen_in, modified_at, price_change_number)
  select distinct on ((e ->> 0)::integer)
    request ->> 'kind', (e ->> 0)::integer, e ->> 1, state.list_run, to_timestamp((e ->> 2)::double precision), (e ->> 3)::integer
  from jsonb_array_elements(request -> 'apps') as e
  order by (e ->> 0)::integer
  on conflict (kind, appid) do update set
    name = excluded.name, seen_in = excluded.seen_in, modified_at = excluded.modified_at,
    price_change_number = excluded.price_change_number;
  get diagnostics staged = row_count;
  update public.collector_state
  set list_cursor = list_cursor || jsonb_build_object(
    request ->> 'kind', jsonb_strip_nulls(jsonb_build_object(
      'after', request -> 'after', 'complete', request -> 'complete', 'end', nullif(request ->> 'end', 'complete')
    ))
  )
  where id = 1;
  return jsonb_build_object('staged', staged);
end
$$;

-- Accepts or rejects a run whose lists have been read. It is rejected when a list lost more than `max_shrink` of its apps, or all of them, or
-- was not read to its end. One vanished app is always allowed. Of an accepted list that broke off, the apps beyond its end stay members: that
-- they are not named says nothing.
--   request  {"worker_id", "run", "max_shrink": share}
--   reply    {"accepted", "lists": [{"kind", "before", "now", "vanished", "fault": null, "incomplete" or "shrunk", and of a list with an odd
--            end "end": "broken" or "absent", "after": the last appid read}, …]}
create or replace function public.collector_accept_list(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
  lists jsonb;
  is_accepted boolean;
begin
  if state.id is null or state.list_run <> (request ->> 'run')::integer then
    return null;
  end if;
  if state.list_phase is distinct from 'reading' then -- a repeat after a lost reply
    lists := state.list_counts -> 'lists';
    return jsonb_build_object('accepted', not lists @? '$[*].fault ? (@ != null)', 'lists', lists);
  end if;

  select jsonb_agg(jsonb_build_object('kind', kind, 'before', before, 'now', now_has, 'vanished', vanished, 'fault', case
      when not complete then 'incomplete'
      when vanished > greatest(1, before * (request ->> 'max_shrink')::numeric) or (now_has = 0 and before > 0) then 'shrunk'
    end) || odd_end order by kind)
  into lists
  from (
    select kind, (progress ->> 'complete')::boolean as complete,
      case when progress ? 'end' then progress - 'complete' else '{}' end as odd_end,
      count(entry) filter (where is_member) as before,
      count(entry) filter (where seen_in = state.list_run) as now_has,
      count(entry) filter (where is_member and seen_in <> state.list_run) as vanished
    from jsonb_each(state.list_cursor) as list(kind, progress)
    left join public.app_list_entries entry using (kind)
    group by 1, 2, 3
  ) counted;

  is_accepted := not lists @? '$[*].fault ? (@ != null)';
  if is_accepted then
    update public.app_list_entries e set seen_in = state.list_run
    from jsonb_each(state.list_cursor) as list(kind, progress)
    where progress ->> 'end' = 'broken' and e.kind = list.kind and e.appid > (progress ->> 'after')::integer and e.is_member
      and e.seen_in <> state.list_run;
  end if;
  update public.collector_state set
    list_phase = case when is_accepted then 'applying' end,
    list_cursor = case when is_accepted then '{"after": 0}'::jsonb else '{}' end,
    list_counts = jsonb_build_object('lists', lists, 'applied', 0, 'inserted', 0, 'relisted', 0, 'delisted', 0)
  where id = 1;
  return jsonb_build_object('accepted', is_accepted, 'lists', lists);
end
$$;

-- Applies the next batch of an accepted run: inserts new apps, sets is_listed of listed ones, clears it of vanished ones, stores when their
-- store pages and prices changed.
--   request  {"worker_id", "run", "max": entries of the lists, "history": whether app_changes gets rows for what it changes (default true)}
--   reply    {"done", "lists": as accepted, "applied": listed apps, "inserted", "relisted", "delisted": so far}
-- PICS owns the name of an app that it has stored. Apps of a list that is no longer read stay listed. An app that is named for the first
-- time makes a row of app_changes only where an earlier list of that kind did not name it: in the first list of a kind all apps are new.
-- For the same reason the first value of store_modified_at or price_change_number makes no row and leaves updated_at as it is.
create or replace function public.collector_apply_list(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set timezone = 'UTC'
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
  kinds text[];
  -- Those of which an earlier list is stored.
  kinds_before text[];
  has_history constant boolean := coalesce((request ->> 'history')::boolean, true);
  listed_before jsonb;
  -- The batch as a range of appids: a first list fills tables without statistics, where a range is planned well and a set is not.
  past integer;
  upto integer;
  applied integer;
  added integer;
  returned integer;
  delisted integer;
  is_done boolean;
begin
  if state.id is null or state.list_phase = 'reading' or state.list_run <> (request ->> 'run')::integer then
    return null;
  end if;
  if state.list_phase is null then -- a repeat after the last batch
    return jsonb_build_object('done', true) || state.list_counts;
  end if;

  kinds := array(select jsonb_path_query(state.list_counts, '$.lists[*].kind') #>> '{}');
  past := (state.list_cursor ->> 'after')::integer;
  select count(*) < (request ->> 'max')::integer, coalesce(max(appid), past) into is_done, upto
  from (
    select appid from public.app_list_entries where appid > past order by appid limit (request ->> 'max')::integer
  ) page;

  -- History, first half: what was listed and what was not. Only this function writes it, and the state is locked.
  if has_history then
    kinds_before := array(select jsonb_path_query(state.list_counts, '$.lists[*] ? (@.before > 0).kind') #>> '{}');
    listed_before := (
      select coalesce(jsonb_object_agg(appid, is_listed), '{}') from public.apps
      where appid > past and appid <= upto and is_listed is not null
    );
  end if;

  -- Waits for pics_apply calls that are storing some of them, so that the names that PICS owns are known.
  perform from public.sync_status where appid > past and appid <= upto and pics_change_number is null order by appid for share;

  update public.apps a set is_listed = true, is_active = is_known, updated_at = now()
  where appid > past and appid <= upto and is_listed is false
    and exists (select from public.app_list_entries e where e.appid = a.appid and e.seen_in = state.list_run);
  get diagnostics returned = row_count;

  insert into public.apps (appid, name, is_listed, store_modified_at, price_change_number)
  select distinct on (appid) appid, nullif(name, ''), true, modified_at, price_change_number
  from public.app_list_entries
  where appid > past and appid <= upto and seen_in = state.list_run
  order by appid, kind
  on conflict (appid) do nothing;
  get diagnostics added = row_count;

  update public.apps a set
    is_listed = true,
    is_active = a.is_known,
    name = case when entry.owns_name then entry.name else a.name end,
    updated_at = now()
  from (
    select distinct on (e.appid) e.appid, e.name,
      e.name <> '' and (select s.pics_change_number from public.sync_status s where s.appid = e.appid) is null as owns_name
    from public.app_list_entries e
    where e.appid > past and e.appid <= upto and e.seen_in = state.list_run
    order by e.appid, e.kind
  ) entry
  where a.appid = entry.appid and a.appid > past and a.appid <= upto
    and (a.is_listed is not true or a.is_active is distinct from a.is_known or (entry.owns_name and a.name is distinct from entry.name));

  -- What the lists say of store pages and prices, with its history. A list that does not say it leaves what is stored.
  with listed as (
    select appid, max(modified_at) as modified_at, max(price_change_number) as price_change_number
    from public.app_list_entries
    where appid > past and appid <= upto and seen_in = state.list_run
    group by appid
  ), changed as materialized (
    select a.appid, a.store_modified_at, a.price_change_number,
      coalesce(l.modified_at, a.store_modified_at) as modified_now, coalesce(l.price_change_number, a.price_change_number) as price_now
    from public.apps a join listed l on l.appid = a.appid
    where a.appid > past and a.appid <= upto and (
      l.modified_at <> a.store_modified_at or l.price_change_number <> a.price_change_number
      or (a.store_modified_at is null and l.modified_at is not null)
      or (a.price_change_number is null and l.price_change_number is not null)
    )
  ), written as (
    update public.apps a set
      store_modified_at = c.modified_now,
      price_change_number = c.price_now,
      updated_at = case
        when c.store_modified_at <> c.modified_now or c.price_change_number <> c.price_now then now() else a.updated_at
      end
    from changed c
    where a.appid = c.appid and a.appid > past and a.appid <= upto
  )
  insert into public.app_changes (appid, change_number, field, old, new)
  select c.appid, coalesce((select s.pics_change_number from public.sync_status s where s.appid = c.appid), 0), value.field, value.old, value.new
  from changed c
  cross join lateral (values
    ('price_change_number', to_jsonb(c.price_change_number), to_jsonb(c.price_now)),
    ('store_modified_at', to_jsonb(c.store_modified_at), to_jsonb(c.modified_now))
  ) as value(field, old, new)
  where has_history and value.old <> value.new
  order by c.appid, value.field;

  update public.apps a set is_listed = false, is_active = false, updated_at = now()
  from (
    select e.appid from public.app_list_entries e
    where e.appid > past and e.appid <= upto
    group by e.appid
    having bool_or(e.is_member) and not bool_or(case when e.kind = any (kinds) then e.seen_in = state.list_run else e.is_member end)
  ) gone
  where a.appid = gone.appid and a.appid > past and a.appid <= upto and a.is_listed is not false;
  get diagnostics delisted = row_count;

  -- History, second half.
  if has_history then
    insert into public.app_changes (appid, change_number, field, old, new)
    select appid, coalesce((select s.pics_change_number from public.sync_status s where s.appid = a.appid), 0), 'is_listed',
      listed_before -> a.appid::text, to_jsonb(is_listed)
    from public.apps a
    where appid > past and appid <= upto and to_jsonb(is_listed) is distinct from listed_before -> appid::text and (
      listed_before ? appid::text or exists (
        select from public.app_list_entries e where e.appid = a.appid and e.seen_in = state.list_run and e.kind = any (kinds_before)
      )
    )
    order by appid;
  end if;

  insert into public.game_metadata (appid)
  select appid from public.app_list_entries
  where appid > past and appid <= upto and kind = 'games' and seen_in = state.list_run
  on conflict do nothing;

  applied := (select count(distinct appid) from public.app_list_entries where appid > past and appid <= upto and seen_in = state.list_run);
  update public.app_list_entries set is_member = (seen_in = state.list_run)
  where appid > past and appid <= upto and is_member <> (seen_in = state.list_run) and kind = any (kinds);

  update public.collector_state set
    list_phase = case when is_done then null else list_phase end,
    list_completed_at = case when is_done then now() else list_completed_at end,
    list_cursor = case when is_done then '{}' else jsonb_build_object('after', upto) end,
    list_counts = list_counts || jsonb_build_object(
      'applied', (list_counts ->> 'applied')::integer + applied,
      'inserted', (list_counts ->> 'inserted')::integer + added,
      'relisted', (list_counts ->> 'relisted')::integer + returned,
      'delisted', (list_counts ->> 'delisted')::integer + delisted
    )
  where id = 1
  returning * into state;
  return jsonb_build_object('done', is_done) || state.list_counts;
end
$$;

-- Enqueues the active games of the catalog for their details: a row of game_metadata each, by keyset pagination.
-- request {"worker_id", "after": appid, "max": apps}; reply {"after": of the next call, or null at the end, "added"}
create or replace function public.collector_enqueue(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
  past constant integer := (request ->> 'after')::integer;
  upto integer;
  is_done boolean;
  added integer;
begin
  if state.id is null then
    return null;
  end if;
  select count(*) < (request ->> 'max')::integer, coalesce(max(appid), past) into is_done, upto
  from (
    select appid from public.apps where appid > past order by appid limit (request ->> 'max')::integer
  ) page;
  insert into public.game_metadata (appid)
  select appid from public.apps where appid > past and appid <= upto and type = 'game' and is_active
  on conflict do nothing;
  get diagnostics added = row_count;
  return jsonb_build_object('after', case when not is_done then upto end, 'added', added);
end
$$;

------------------------------------------------------------------------------------------------------------ SteamSpy

-- Begins a pass over SteamSpy's pages of all games, or resumes an unfinished one that is younger than a day: SteamSpy recounts
-- daily, and pages of two counts do not fit together. After a complete pass the next one is due 20 hours after its begin.
--   request  {"worker_id", "full_refresh": begin to fetch all details again, unless that is under way}
--   reply    {"page": the next page, null when no pass is due, "missed": [pages to retry],
--             "expected_pages": of the last complete pass or null, "now": by the database's clock}
create or replace function public.collector_begin_pass(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
  is_unfinished boolean;
begin
  if state.id is null then
    return null;
  end if;
  if (request ->> 'full_refresh')::boolean and state.refresh_since is null then
    state.refresh_since := now();
  end if;
  is_unfinished := state.pass_started_at is not null and state.pass_completed_at is null;

  if state.pass_started_at is null or state.pass_started_at < coalesce(state.refresh_since, '-infinity')
     or state.pass_started_at < now() - (case when is_unfinished then interval '24 hours' else interval '20 hours' end) then
    state.pass_started_at := now();
    state.pass_completed_at := null;
    state.pass_page := 0;
    state.pass_missed := '[]';
    is_unfinished := true;
  end if;

  update public.collector_state set
    refresh_since = state.refresh_since, pass_started_at = state.pass_started_at, pass_completed_at = state.pass_completed_at,
    pass_page = state.pass_page, pass_missed = state.pass_missed
  where id = 1;
  return jsonb_build_object(
    'page', case when is_unfinished then state.pass_page end,
    'missed', state.pass_missed,
    'expected_pages', state.pass_pages,
    'now', now()
  );
end
$$;

-- Upserts the numbers that pages and details share.
--   games  [{"appid", columns…, and of a page "named": the entry has a name or a developer}, …]
--   reply  number of games
-- A blank entry of a page never overwrites a game that a page has named.
create or replace function public.collector_write_numbers(games jsonb) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  written integer;
begin
  insert into public.game_metadata as stored (
    appid, developer, publisher, owners_estimate, positive_reviews, negative_reviews, score_rank, average_playtime_forever,
    average_playtime_2weeks, price, last_updated, last_listed_at
  )
  select g.appid, g.developer, g.publisher, g.owners_estimate, g.positive_reviews, g.negative_reviews, g.score_rank,
    g.average_playtime_forever, g.average_playtime_2weeks, g.price, now(), case when g.named then now() end
  from jsonb_to_recordset(games) as g(
    appid integer, developer text, publisher text, owners_estimate text, positive_reviews integer, negative_reviews integer,
    score_rank integer, average_playtime_forever integer, average_playtime_2weeks integer, price integer, named boolean
  )
  where g.named is not false
    or not exists (select from public.game_metadata m where m.appid = g.appid and m.last_listed_at is not null)
  order by g.appid
  on conflict (appid) do update set
    developer = excluded.developer,
    publisher = excluded.publisher,
    owners_estimate = excluded.owners_estimate,
    positive_reviews = excluded.positive_reviews,
    negative_reviews = excluded.negative_reviews,
    score_rank = excluded.score_rank,
    average_playtime_forever = excluded.average_playtime_forever,
    average_playtime_2weeks = excluded.average_playtime_2weeks,
    price = excluded.price,
    last_updated = excluded.last_updated,
    last_listed_at = coalesce(excluded.last_listed_at, stored.last_listed_at);
  get diagnostics written = row_count;
  return written;
end
$$;

-- Saves one page of all games and the progress of the pass. Columns that only details have stay as they are.
--   request  {"worker_id", "games": [{"appid", "developer", "publisher", "owners_estimate", "positive_reviews", "negative_reviews",
--             "score_rank", "average_playtime_forever", "average_playtime_2weeks", "price", "named"}, …],
--             "page": the next page, "missed": [pages], "complete": the pass is finished}
--   reply    {"saved": games}
create or replace function public.collector_save_page(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
begin
  if state.id is null then
    return null;
  end if;
  update public.collector_state set
    pass_page = (request ->> 'page')::integer,
    pass_missed = request -> 'missed',
    pass_complete_since = case
      when (request ->> 'complete')::boolean and request -> 'missed' = '[]' then pass_started_at else pass_complete_since
    end,
    pass_completed_at = case when (request ->> 'complete')::boolean then now() end,
    pass_pages = case when (request ->> 'complete')::boolean then (request ->> 'page')::integer else pass_pages end
  where id = 1;
  return jsonb_build_object('saved', public.collector_write_numbers(request -> 'games'));
end
$$;

-- Games whose details are due: never fetched; failed fewer than `max_attempts` times; fetched more than 30 days ago, or before a full refresh
-- began. Games fetched since `run_started_at` and inactive apps are left out.
--   request  {"worker_id", "max", "run_started_at": from collector_begin_pass, "max_attempts",
--             "stale_first": every game ever fetched is due, the longest ago first, and those never fetched last}
--   reply    {"games": [{"appid", "attempts", "listed": SteamSpy's pages have the game}, …], "due": number of games due in all}
-- Order without stale_first: never fetched, the most owned first; then failed games that are tried again; then fetched longest ago. So no game
-- is asked for its details twice, but after a failure, before all due games have been asked once: all get their turn within
-- (games + retries) / `max` runs, whatever they own. A full refresh ends once every due game has been fetched since it began.
--
-- A game counts as listed if a page named it in the week before the last complete pass, or later: pages shift while they are read, so that one
-- pass may miss a game, and a game that SteamSpy has dropped must not fail for ever.
create or replace function public.collector_due(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
  run_started_at constant timestamptz := (request ->> 'run_started_at')::timestamptz;
  max_attempts constant integer := (request ->> 'max_attempts')::integer;
  stale_first constant boolean := (request ->> 'stale_first')::boolean;
  listed_since constant timestamptz := coalesce(state.pass_complete_since - interval '7 days', '-infinity');
  this_reply jsonb;
  is_refreshed boolean;
begin
  if state.id is null then
    return null;
  end if;
  select jsonb_build_object(
    'games', coalesce(
      jsonb_agg(jsonb_build_object('appid', appid, 'attempts', fetch_attempts, 'listed', is_listed) order by place)
        filter (where place <= (request ->> 'max')::integer),
      '[]'
    ),
    'due', count(*)
  ), count(*) filter (where fetched_at is null or fetched_at < state.refresh_since) = 0
  into this_reply, is_refreshed
  from (
    select m.appid, m.fetch_attempts, m.fetched_at, coalesce(m.last_listed_at >= listed_since, false) as is_listed, row_number() over (
      order by
        case when stale_first then m.fetched_at end nulls last,
        m.fetched_at is not null,
        not (m.fetch_status = 'failed' and m.fetch_attempts < max_attempts),
        m.fetched_at,
        -- The lower end of the owners' range. A game has at least as many owners as reviews.
        greatest(
          nullif(regexp_replace(split_part(m.owners_estimate, '..', 1), '\D', '', 'g'), '')::numeric,
          m.positive_reviews::bigint + m.negative_reviews
        ) desc nulls last,
        m.appid
    ) as place
    from public.game_metadata m
    left join public.apps a on a.appid = m.appid
    where a.is_active is not false and (m.fetched_at is null or m.fetched_at < run_started_at) and (
      m.fetched_at is null
      or m.fetched_at < state.refresh_since
      or m.fetched_at < now() - interval '30 days'
      or (stale_first and m.fetch_status <> 'pending')
      or (m.fetch_status = 'failed' and m.fetch_attempts < max_attempts)
    )
  ) due;

  if is_refreshed then
    update public.collector_state set refresh_since = null where id = 1 and refresh_since is not null;
  end if;
  return this_reply;
end
$$;

-- Saves the results of fetching details. A game that SteamSpy does not know, or that failed, keeps its stored details; so does one that is
-- answered without languages, genre and tags.
--   request  {"worker_id", "games": [{"appid", "status": "success", columns as in collector_save_page, "genre", "languages", "tags_json"}
--             or {"appid", "status": "not_found"} or {"appid", "status": "failed", "attempts": so far, "error"}, …]}
--   reply    {"saved": games}
create or replace function public.collector_save_details(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  state public.collector_state := public.collector_held_by((request ->> 'worker_id')::uuid);
  saved integer;
begin
  if state.id is null then
    return null;
  end if;
  perform public.collector_write_numbers(jsonb_path_query_array(request -> 'games', '$[*] ? (@.status == "success")'));

  insert into public.game_metadata (appid, genre, languages, tags_json, fetch_status, fetch_attempts, last_error, fetched_at)
  select g.appid,
    case when has_words then g.genre else stored.genre end,
    case when has_words then g.languages else stored.languages end,
    case when has_words then g.tags_json else stored.tags_json end,
    g.status, coalesce(g.attempts, 0), g.error, clock_timestamp()
  from jsonb_to_recordset(request -> 'games') as g(
    appid integer, status public.fetch_status, attempts integer, error text, genre text, languages text, tags_json jsonb
  )
  left join public.game_metadata stored on stored.appid = g.appid
  cross join lateral (
    select g.status = 'success'
      and (g.genre is not null or g.languages is not null or g.tags_json <> '{}' or stored.tags_json is null) as has_words
  ) answer
  order by g.appid
  on conflict (appid) do update set
    genre = excluded.genre,
    languages = excluded.languages,
    tags_json = excluded.tags_json,
    fetch_status = excluded.fetch_status,
    fetch_attempts = excluded.fetch_attempts,
    last_error = excluded.last_error,
    fetched_at = excluded.fetched_at;
  get diagnostics saved = row_count;

  insert into public.sync_status as s (appid, last_steamspy_sync)
  select g.appid, now() from jsonb_to_recordset(request -> 'games') as g(appid integer, status text)
  where g.status <> 'failed'
  order by g.appid
  on conflict (appid) do update set last_steamspy_sync = excluded.last_steamspy_sync;
  return jsonb_build_object('saved', saved);
end
$$;

-- Counts of games by the state of their details.
--   reply {"games": {"pending", "success", "failed", "not_found"}, "owners_doubtful": games whose owners the reviews contradict,
--          "list_completed_at", "pass_completed_at"}
create or replace function public.collector_counts() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'games', (
      select jsonb_build_object(
        'pending', count(*) filter (where fetch_status = 'pending'),
        'success', count(*) filter (where fetch_status = 'success'),
        'failed', count(*) filter (where fetch_status = 'failed'),
        'not_found', count(*) filter (where fetch_status = 'not_found')
      ) from public.game_metadata
    ),
    'owners_doubtful', (select count(*) from public.game_metadata where owners_doubtful),
    'list_completed_at', list_completed_at,
    'pass_completed_at', pass_completed_at
  )
  from public.collector_state where id = 1;
$$;

-------------------------------------------------------------------------------------------------------------- quotas

-- Reserves a block of requests of a period's quota. The caller's clock names the period; a block whose reply is lost stays unused.
--   request  {"endpoint", "period_start", "limit": requests in the period, "block": requests wanted}
--   reply    {"granted": 0 when the quota is used up}
create or replace function public.web_reserve(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_endpoint constant text := request ->> 'endpoint';
  this_period constant timestamptz := (request ->> 'period_start')::timestamptz;
  granted integer;
begin
  insert into public.web_api_usage (endpoint, period_start, used) values (this_endpoint, this_period, 0) on conflict do nothing;
  select greatest(0, least((request ->> 'block')::integer, (request ->> 'limit')::integer - used)) into granted
  from public.web_api_usage where endpoint = this_endpoint and period_start = this_period for update;
  update public.web_api_usage set used = used + granted where endpoint = this_endpoint and period_start = this_period;
  delete from public.web_api_usage where period_start < this_period - interval '60 days';
  return jsonb_build_object('granted', granted);
end
$$;

-- Remembers for a day that a server of web APIs answered 429, which makes a 403 of it a block of this address.
--   request  {"server", "action": "note", "forget" or "look"}
--   reply    {"noted": the server is remembered}
create or replace function public.web_throttle(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_server constant text := request ->> 'server';
begin
  case request ->> 'action'
    when 'note' then
      insert into public.web_api_throttles (server, throttled_at) values (this_server, now())
      on conflict (server) do update set throttled_at = excluded.throttled_at;
    when 'forget' then
      delete from public.web_api_throttles where server = this_server;
    when 'look' then
      null;
  end case;
  return jsonb_build_object('noted', exists (
    select from public.web_api_throttles where server = this_server and throttled_at > now() - interval '1 day'
  ));
end
$$;

-- The library's tables, which this service owns (LIBRARY_TABLES=own) or another application (shared). Their columns and labels change with
-- that application's releases, so they are read from the catalog and never assumed. No function needs the tables or their types to exist
-- before it runs. (docs/decisions/0020)

-- The values that an import writes into a new row, by table and column, as expressions over a source `s`, with the user as $2. Columns that
-- a table does not have are left out, so that this is also the list of the columns that the import knows.
create or replace function public.library_values() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select $json${
    "ImportedGame": {
      "id": "s.row_id",
      "name": "coalesce(nullif(s.name, ''), (select nullif(a.name, '') from public.apps a where a.appid = s.appid), 'App ' || s.appid)",
      "storefront": "'STEAM'",
      "storefrontGameId": "s.appid",
      "playtime": "s.playtime",
      "playtimeWindows": "s.playtime_windows",
      "playtimeMac": "s.playtime_mac",
      "playtimeLinux": "s.playtime_linux",
      "lastPlayedAt": "s.last_played_at at time zone 'utc'",
      "img_icon_url": "s.img_icon_url",
      "igdbMatchStatus": "s.decided",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'",
      "userId": "$2"
    },
    "Game": {
      "id": "s.row_id",
      "igdbId": "s.igdb_id",
      "title": "s.title",
      "description": "s.summary",
      "coverImage": "s.cover",
      "releaseDate": "s.released",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'",
      "steamAppId": "s.appid",
      "slug": "s.slug || case when exists (select from public.\"Game\" other where other.slug = s.slug) or row_number() over (partition by s.slug order by s.igdb_id) > 1 then '-' || s.igdb_id else '' end"
    },
    "LibraryItem": {
      "status": "s.status",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'",
      "platform": "'PC (Microsoft Windows)'",
      "userId": "$2",
      "gameId": "s.game_id"
    },
    "Genre": {
      "id": "gen_random_uuid()",
      "igdbId": "s.id",
      "name": "s.name",
      "slug": "s.slug",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'"
    },
    "Platform": {
      "id": "gen_random_uuid()",
      "igdbId": "s.id",
      "name": "s.name",
      "slug": "s.slug",
      "abbreviation": "s.abbreviation",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'"
    },
    "GameGenre": {"gameId": "s.game_id", "genreId": "s.label_id"},
    "GamePlatform": {"gameId": "s.game_id", "platformId": "s.label_id"}
  }$json$::jsonb;
$$;

-- Names of a table's columns; empty for a table that does not exist.
create or replace function public.library_columns(relation text) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select attname::text from pg_attribute
    where attrelid = to_regclass(format('public.%I', relation)) and attnum > 0 and not attisdropped
    order by attnum
  );
$$;

-- Labels of the enum type that `"LibraryItem".status` has; empty for a column of another type.
create or replace function public.library_status_labels() returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select e.enumlabel::text from pg_enum e
    join pg_attribute a on a.atttypid = e.enumtypid
    where a.attrelid = to_regclass('public."LibraryItem"') and a.attname = 'status'
    order by e.enumsortorder
  );
$$;

-- Whether an import can write the library's tables. request {}; reply {"missing": [names of tables that do not exist],
--   "faults": [sentences about tables that exist and that this version cannot write]}
create or replace function public.library_tables(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with tables as (
    select key as name, value as known, to_regclass(format('public.%I', key)) as oid from jsonb_each(public.library_values())
  ), optional(name) as (
    values ('playtime'), ('playtimeWindows'), ('playtimeMac'), ('playtimeLinux'), ('lastPlayedAt'), ('img_icon_url'), ('igdbMatchStatus'),
      ('description'), ('coverImage'), ('releaseDate'), ('platform'), ('abbreviation'), ('createdAt'), ('updatedAt')
  ), faults as (
    select format('"%s" has no column "%s"', tables.name, wanted) as fault
    from tables, jsonb_object_keys(known) as wanted
    where oid is not null and wanted not in (select name from optional) and not wanted = any (public.library_columns(tables.name))
    union all
    select format('"%s" requires a value in its column "%s", which this version does not know', tables.name, a.attname)
    from tables join pg_attribute a on a.attrelid = oid
    where a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef and a.attidentity = '' and not known ? a.attname::text
    union all
    select format('"LibraryItem".status has none of the labels SHELF, OWNED, or CURIOUS_ABOUT with EXPERIENCED, but %s', array_to_string(labels, ', '))
    from public.library_status_labels() as labels
    where labels <> '{}' and not (labels && '{SHELF,OWNED}' or labels @> '{CURIOUS_ABOUT,EXPERIENCED}')
  )
  select jsonb_build_object(
    'missing', (select coalesce(jsonb_agg(name order by name), '[]') from tables where oid is null),
    'faults', (select coalesce(jsonb_agg(fault order by fault), '[]') from faults)
  );
$$;

-- The beginning of an INSERT, up to its FROM, with the columns that the table has; each value is cast to the type of its column.
create or replace function public.library_insert(relation text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format('insert into public.%I (%s) select %s ', relation,
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(format('(%s)::%s', given ->> a.attname::text, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
  )
  from pg_attribute a, (select public.library_values() -> relation) as v(given)
  where a.attrelid = to_regclass(format('public.%I', relation)) and a.attnum > 0 and not a.attisdropped and given ? a.attname::text;
$$;

-- An UPDATE of the rows `t` that differ from the given values, which sets "updatedAt" where the table has it.
--   given    column → expression over t and a source s; columns that the table does not have are left out
--   source   what follows FROM, named s
--   matches  which row of s belongs to t
create or replace function public.library_update(relation text, given jsonb, source text, matches text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format('update public.%I t set %s%s from %s where %s and row(%s) is distinct from row(%s)', relation,
    string_agg(format('%I = %s', name, value), ', '),
    case when 'updatedAt' = any (public.library_columns(relation)) then ', "updatedAt" = now() at time zone ''utc''' else '' end,
    source, matches,
    string_agg(format('t.%I', name), ', '),
    string_agg(value, ', ')
  )
  from (
    select a.attname as name, format('(%s)::%s', given ->> a.attname::text, format_type(a.atttypid, a.atttypmod)) as value
    from pg_attribute a
    where a.attrelid = to_regclass(format('public.%I', relation)) and a.attnum > 0 and not a.attisdropped and given ? a.attname::text
    order by a.attnum
  ) columns;
$$;

-- Meaning of each of the library's tables (under "") and of their columns, in the form of the comments of the migrations; docs/data.md is made
-- of it (`npm run docs`). Set on tables that library_create_tables creates.
create or replace function public.library_comments() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select $json${
    "ImportedGame": {
      "": "Games of users' libraries, one row per app and user.",
      "id": "Given by the import: a UUID; another application may have other forms.",
      "name": "Name as Steam gives it, else that of the catalog. Source: Web API IPlayerService/GetOwnedGames, name.",
      "storefront": "Store that the game is from; the import writes STEAM. Values: STEAM, PLAYSTATION, XBOX.",
      "storefrontGameId": "The appid, as text. Source: Web API IPlayerService/GetOwnedGames, appid.",
      "playtime": "Time played in all. Unit: minutes. Source: Web API IPlayerService/GetOwnedGames, playtime_forever.",
      "playtimeWindows": "Time played on Windows. Unit: minutes. Source: Web API IPlayerService/GetOwnedGames, playtime_windows_forever.",
      "playtimeMac": "Time played on macOS. Unit: minutes. Source: Web API IPlayerService/GetOwnedGames, playtime_mac_forever.",
      "playtimeLinux": "Time played on Linux. Unit: minutes. Source: Web API IPlayerService/GetOwnedGames, playtime_linux_forever.",
      "lastPlayedAt": "When it was last played, in UTC; null where unknown. Source: Web API IPlayerService/GetOwnedGames, rtime_last_played.",
      "img_icon_url": "Icon of the game: a hash. Source: Web API IPlayerService/GetOwnedGames, img_icon_url.",
      "img_logo_url": "Logo of the game. Steam no longer gives it, and the import leaves it null.",
      "igdbMatchStatus": "Whether IGDB has the game. Values: PENDING (never compared), MATCHED, UNMATCHED, IGNORED (no game, such as a demo or DLC).",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC.",
      "deletedAt": "When the user deleted it, in UTC; null while it is there. The import never sets it.",
      "userId": "The user."
    },
    "Game": {
      "": "Games by IGDB, shared by all users.",
      "id": "Given by the import: a UUID; another application may have other forms.",
      "igdbId": "IGDB's id of the game. Source: IGDB game.id.",
      "hltbId": "Id at HowLongToBeat; the import leaves it null.",
      "title": "Name. Source: IGDB game.name.",
      "description": "Summary. Source: IGDB game.summary.",
      "coverImage": "Address of the cover. Source: IGDB game.cover.image_id.",
      "releaseDate": "First release, in UTC. Source: IGDB game.first_release_date.",
      "mainStory": "Time for the main story; the import leaves it null.",
      "mainExtra": "Time with extras; the import leaves it null.",
      "completionist": "Time for everything; the import leaves it null.",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC.",
      "steamAppId": "Steam's appid of the game; null where no import has linked one.",
      "slug": "IGDB's name for addresses; with the IGDB id as suffix where another game has the same. Source: IGDB game.slug.",
      "franchiseId": "Franchise; the import leaves it null."
    },
    "LibraryItem": {
      "": "Games in users' libraries, with what the user does with each.",
      "id": "Given by this database.",
      "status": "What the user does with the game. The import writes CURIOUS_ABOUT for a game that was never played, else EXPERIENCED. Values: CURIOUS_ABOUT, CURRENTLY_EXPLORING, TOOK_A_BREAK, EXPERIENCED, WISHLIST, REVISITING; in tables of an application, that application's own.",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC.",
      "platform": "Platform; the import writes PC (Microsoft Windows).",
      "userId": "The user.",
      "acquisitionType": "How the user got the game; the import leaves the default, DIGITAL. Values: PHYSICAL, DIGITAL, SUBSCRIPTION.",
      "gameId": "The game (\"Game\").",
      "startedAt": "When the user began, in UTC; the import leaves it null.",
      "completedAt": "When the user ended, in UTC; the import leaves it null."
    },
    "Genre": {
      "": "Genres by IGDB.",
      "id": "Given by the import: a UUID; another application may have other forms.",
      "igdbId": "IGDB's id of the genre. Source: IGDB game.genres.id.",
      "name": "Name. Source: IGDB game.genres.name.",
      "slug": "IGDB's name for addresses. Source: IGDB game.genres.slug.",
      "checksum": "IGDB's checksum; the import leaves it null.",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC."
    },
    "Platform": {
      "": "Platforms by IGDB.",
      "id": "Given by the import: a UUID; another application may have other forms.",
      "igdbId": "IGDB's id of the platform. Source: IGDB game.platforms.id.",
      "name": "Name. Source: IGDB game.platforms.name.",
      "slug": "IGDB's name for addresses. Source: IGDB game.platforms.slug.",
      "abbreviation": "Short name. Source: IGDB game.platforms.abbreviation.",
      "alternativeName": "Other name; the import leaves it null.",
      "checksum": "IGDB's checksum; the import leaves it null.",
      "generation": "Generation of consoles; the import leaves it null.",
      "platformFamily": "IGDB's id of the family; the import leaves it null.",
      "platformType": "IGDB's id of the type; the import leaves it null.",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC."
    },
    "GameGenre": {
      "": "Genres of a game.",
      "gameId": "The game (\"Game\").",
      "genreId": "The genre (\"Genre\")."
    },
    "GamePlatform": {
      "": "Platforms of a game.",
      "gameId": "The game (\"Game\").",
      "platformId": "The platform (\"Platform\")."
    }
  }$json$::jsonb;
$$;

-- Sets the comments of one of the library's tables.
create or replace function public.library_comment(relation text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  meaning record;
begin
  for meaning in select key as name, value as text from jsonb_each_text(public.library_comments() -> relation) loop
    if meaning.name = '' then
      execute format('comment on table public.%I is %L', relation, meaning.text);
    else
      execute format('comment on column public.%I.%I is %L', relation, meaning.name, meaning.text);
    end if;
  end loop;
end
$$;

-- Creates those of the library's tables and types that do not exist, with indexes, row-level security and grants; existing ones stay as they
-- are. Where there are users (Supabase's auth.uid()), a signed-in user reads the own rows and what all users share; anonymous visitors read
-- nothing. As the owner of the schema, which alone may do that. request {}; reply {"created": [names of tables]}
-- Idempotent, and safe when several callers race.
create or replace function public.library_create_tables(request jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10s'
as $$
declare
  wanted record;
  role_name name;
  created text[] := '{}';
  has_users constant boolean :=
    exists (select from pg_roles where rolname = 'authenticated') and to_regprocedure('auth.uid()') is not null;
begin
  perform pg_advisory_xact_lock(hashtextextended('library tables', 0));

  for wanted in select * from (values
    ('Storefront', '{STEAM,PLAYSTATION,XBOX}'::text[]),
    ('IgdbMatchStatus', '{PENDING,MATCHED,UNMATCHED,IGNORED}'),
    ('LibraryItemStatus', '{CURIOUS_ABOUT,CURRENTLY_EXPLORING,TOOK_A_BREAK,EXPERIENCED,WISHLIST,REVISITING}'),
    ('AcquisitionType', '{PHYSICAL,DIGITAL,SUBSCRIPTION}')
  ) as t(name, labels) where to_regtype(format('public.%I', name)) is null loop
    execute format('create type public.%I as enum (%s)', wanted.name,
      (select string_agg(quote_literal(label), ', ' order by position) from unnest(wanted.labels) with ordinality as l(label, position)));
  end loop;

  for wanted in select * from (values
    ('ImportedGame', $t$
      id text primary key, name text not null, storefront public."Storefront" not null, "storefrontGameId" text,
      playtime integer default 0, "playtimeWindows" integer default 0, "playtimeMac" integer default 0, "playtimeLinux" integer default 0,
      "lastPlayedAt" timestamp(3), img_icon_url text, img_logo_url text,
      "igdbMatchStatus" public."IgdbMatchStatus" not null default 'PENDING',
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, "deletedAt" timestamp(3),
      "userId" text not null $t$),
    ('Game', $t$
      id text primary key, "igdbId" integer not null unique, "hltbId" integer unique, title text not null, description text,
      "coverImage" text, "releaseDate" timestamp(3), "mainStory" integer, "mainExtra" integer, completionist integer,
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, "steamAppId" integer,
      slug text not null unique, "franchiseId" integer $t$),
    ('LibraryItem', $t$
      id serial primary key, status public."LibraryItemStatus" not null default 'CURIOUS_ABOUT',
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, platform text,
      "userId" text not null, "acquisitionType" public."AcquisitionType" not null default 'DIGITAL',
      "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
      "startedAt" timestamp(3), "completedAt" timestamp(3) $t$),
    ('Genre', $t$
      id text primary key, "igdbId" integer not null unique, name text not null unique, slug text not null unique, checksum text,
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null $t$),
    ('Platform', $t$
      id text primary key, "igdbId" integer not null unique, name text not null unique, slug text not null unique, abbreviation text,
      "alternativeName" text, checksum text, generation integer, "platformFamily" integer, "platformType" integer,
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null $t$),
    ('GameGenre', $t$
      "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
      "genreId" text not null references public."Genre" (id) on delete cascade on update cascade, primary key ("gameId", "genreId") $t$),
    ('GamePlatform', $t$
      "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
      "platformId" text not null references public."Platform" (id) on delete cascade on update cascade, primary key ("gameId", "platformId") $t$)
  ) as t(name, columns) where to_regclass(format('public.%I', name)) is null loop
    execute format('create table public.%I (%s)', wanted.name, wanted.columns);
    execute format('alter table public.%I enable row level security', wanted.name);
    perform public.library_comment(wanted.name);
    created := created || wanted.name::text;
  end loop;

  for wanted in select * from (values
    ('ImportedGame', '{userId,deletedAt}'::text[]), ('ImportedGame', '{storefrontGameId}'), ('ImportedGame', '{userId,playtime}'),
    ('ImportedGame', '{userId,storefrontGameId}'), ('Game', '{steamAppId}'), ('LibraryItem', '{userId,gameId}')
  ) as t(name, columns) where name = any (created) loop
    execute format('create index %I on public.%I (%s)', array_to_string(wanted.name || wanted.columns || 'idx'::text, '_'), wanted.name,
      (select string_agg(quote_ident(c), ', ' order by position) from unnest(wanted.columns) with ordinality as l(c, position)));
  end loop;

  for wanted in select name, name in ('ImportedGame', 'LibraryItem') as is_personal from unnest(created) as name loop
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on public.%I from %I', wanted.name, role_name);
      if wanted.name = 'LibraryItem' then
        execute format('revoke all on sequence public."LibraryItem_id_seq" from %I', role_name);
      end if;
    end loop;
    if has_users then
      execute format('grant select on public.%I to authenticated', wanted.name);
      execute format('create policy %I on public.%I for select to authenticated using (%s)',
        case when wanted.is_personal then 'a user reads the own rows' else 'users read the games' end, wanted.name,
        case when wanted.is_personal then '(select auth.uid())::text = "userId"' else 'true' end);
    end if;
    if exists (select from pg_roles where rolname = 'service_role') then
      execute format('grant all on public.%I to service_role', wanted.name);
      if wanted.name = 'LibraryItem' then
        grant usage, select on sequence public."LibraryItem_id_seq" to service_role;
      end if;
    end if;
  end loop;
  if created <> '{}' then
    -- PostgREST, if one serves this database, does not know the tables before it reloads its schema cache.
    notify pgrst, 'reload schema';
  end if;
  return jsonb_build_object('created', to_jsonb(created));
end
$$;

-- The library import: what the catalog knows of a user's games, the cache of IGDB's answers, tokens of web APIs, and the import itself.

------------------------------------------------------------------------------------------------------------- catalog

-- Type, name and release year of some apps. request {"appids": [appid, …]}
-- reply [{"appid", "type", "name", "release_year": null where unknown}, …], only apps with a type
-- The catalog's type, else the one that PICS told of an app that APP_TYPES leaves out, else that of the store's list which names the app,
-- by the names of PICS. An app that left its list is still of that kind.
create or replace function public.library_known_apps(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'appid', appid, 'type', type, 'name', name, 'release_year', release_year
  ) order by appid), '[]')
  from (
    select wanted.appid, coalesce(a.type, s.skipped_type, listed.type) as type, coalesce(a.name, nullif(listed.name, '')) as name,
      extract(year from coalesce(a.original_release_date, a.steam_release_date) at time zone 'utc') as release_year
    from (select distinct value::integer as appid from jsonb_array_elements_text(request -> 'appids')) wanted
    left join public.apps a on a.appid = wanted.appid
    left join public.sync_status s on s.appid = wanted.appid
    left join lateral (
      select e.name, case e.kind
        when 'games' then 'game' when 'dlc' then 'dlc' when 'software' then 'application' when 'videos' then 'video' when 'hardware' then 'hardware'
      end as type
      from public.app_list_entries e
      where e.appid = wanted.appid
      order by e.is_member desc, e.kind = 'games' desc, e.kind
      limit 1
    ) listed on true
  ) known
  where type is not null;
$$;

---------------------------------------------------------------------------------------------------------------- IGDB

-- TTL cache of IGDB's answers, an hour: reads. A key is a Steam appid, or `name:` and a name; an answer is the list of games found.
-- request {"uids": ["620", "name:Portal 2", …]}; reply [{"uid", "game": [object, …], or null for a miss}, …]
create or replace function public.library_igdb_recall(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('uid', uid, 'game', game)), '[]')
  from public.igdb_answers
  where uid in (select jsonb_array_elements_text(request -> 'uids')) and fetched_at > now() - interval '1 hour';
$$;

-- TTL cache of IGDB's answers: writes hits and misses, deletes expired ones. request {"answers": [{"uid", "game": [object, …] or null}, …]}; reply {"kept"}
create or replace function public.library_igdb_keep(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  kept integer;
begin
  delete from public.igdb_answers where uid in (
    select uid from public.igdb_answers where fetched_at < now() - interval '1 hour' order by uid limit 5000 for update skip locked
  );
  insert into public.igdb_answers (uid, game)
  select uid, nullif(game, 'null') from jsonb_to_recordset(request -> 'answers') as a(uid text, game jsonb)
  order by uid
  on conflict (uid) do update set game = excluded.game, fetched_at = now();
  get diagnostics kept = row_count;
  return jsonb_build_object('kept', kept);
end
$$;

-- A stored access token with at least a minute left. request {"name"}; reply {"token": text or null, "seconds_left"}
create or replace function public.web_token(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select jsonb_build_object('token', token, 'seconds_left', extract(epoch from expires_at - now())) from public.web_tokens
     where name = request ->> 'name' and expires_at > now() + interval '60 seconds'),
    '{"token": null, "seconds_left": 0}'
  );
$$;

-- Stores an access token. request {"name", "token", "seconds": its lifetime}; reply {}
create or replace function public.web_token_keep(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.web_tokens (name, token, expires_at)
  values (request ->> 'name', request ->> 'token', now() + make_interval(secs => (request ->> 'seconds')::double precision))
  on conflict (name) do update set token = excluded.token, expires_at = excluded.expires_at;
  return '{}';
end
$$;

----------------------------------------------------------------------------------------------------------- importing
-- A batch passes through four functions as a jsonb array of its games; each adds what the next one needs (documented there). Statements
-- that write are made from the catalog by library_insert and library_update.

-- Finds or creates the rows of genres or platforms: by IGDB's id, else by slug, else by name, so that rows of other applications are used.
-- A row that an import made follows IGDB's name for as long as only imports wrote it.
--   relation 'Genre' or 'Platform'
--   wanted   [{"id", "name", "slug", "abbreviation"}, …]
--   reply    {"igdb id": "id of the row", …}
create or replace function public.library_labels(relation text, wanted jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  -- One row per id, name and slug, since IGDB repeats each of them.
  source constant text := $sql$(
    select distinct on (slug) * from (
      select distinct on (name) * from (
        select distinct on (id) * from jsonb_to_recordset($1) as w(id integer, name text, slug text, abbreviation text) order by id, name
      ) by_id order by name, id
    ) by_name order by slug, id
  ) s$sql$;
  found_ids jsonb;
begin
  execute format($sql$
    with made as (
      %2$s from %3$s
      where not exists (select from public.%1$I known where known."igdbId" = s.id or known.slug = s.slug or known.name = s.name)
      order by s.id
      on conflict do nothing
      returning id, name
    )
    insert into public.library_written (relation, row_id, written)
    select $2, made.id, jsonb_build_object('name', made.name) from made
    on conflict (relation, row_id) do update set written = excluded.written
  $sql$, relation, public.library_insert(relation), source) using wanted, relation;

  execute format($sql$
    with renamed as (
      %1$s returning t.id, t.name
    )
    update public.library_written w set written = jsonb_build_object('name', renamed.name)
    from renamed where w.relation = $2 and w.row_id = renamed.id
  $sql$, public.library_update(relation, '{"name": "s.name"}', source, format($sql$
    t."igdbId" = s.id
    and exists (select from public.library_written w where w.relation = $2 and w.row_id = t.id and w.written ->> 'name' = t.name)
    and not exists (select from public.%I other where other.name = s.name)
  $sql$, relation))) using wanted, relation;

  execute format($sql$
    select coalesce(jsonb_object_agg(w.id, (
      select known.id from public.%1$I known
      where known."igdbId" = w.id or known.slug = w.slug or known.name = w.name
      order by known."igdbId" = w.id desc, known.slug = w.slug desc
      limit 1
    )), '{}')
    from (select distinct on (id) * from jsonb_to_recordset($1) as w(id integer, name text, slug text) order by id, name) w
  $sql$, relation) into found_ids using wanted;
  return found_ids;
end
$$;

-- Links games with their genres or platforms; removes no link.
--   matched  [{"igdb"}, …]
create or replace function public.library_link_labels(relation text, matched jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  field constant text := lower(relation) || 's';
  ids constant jsonb := public.library_labels(relation, jsonb_path_query_array(matched, format('$[*].igdb.%s[*]', field)::jsonpath));
begin
  execute format($sql$
    %s from (
      select distinct game.id as game_id, $2 ->> (label ->> 'id') as label_id
      from jsonb_to_recordset($1) as m(igdb jsonb)
      join public."Game" game on game."igdbId" = (m.igdb ->> 'id')::integer
      cross join lateral jsonb_array_elements(m.igdb -> $3) as label
      order by 1, 2
    ) s
    on conflict do nothing
  $sql$, public.library_insert('Game' || relation)) using matched, ids, field;
end
$$;

-- Writes "ImportedGame", one row per app: the user's oldest that is not deleted. Unknown values (null, a blank name) overwrite nothing.
-- A match status is the machine's while it is PENDING or what an import wrote (library_choices); any other is a decision and stays.
--   given    games as library_apply takes them
--   reply    {"created", "updated", "games": one per app, each with "row_id", "is_new", "is_ours": the import may decide, "is_deleted",
--             "decided": the status now, "old_game", "old_item": what the import chose before, or null}
create or replace function public.library_put_imported(this_user text, given jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  columns constant text[] := public.library_columns('ImportedGame');
  source constant text := $sql$jsonb_to_recordset($1) as s(
    appid integer, name text, playtime integer, playtime_windows integer, playtime_mac integer, playtime_linux integer,
    last_played_at timestamptz, img_icon_url text, decided text, row_id text, is_new boolean
  )$sql$;
  games jsonb;
  created integer;
  updated integer;
begin
  execute format($sql$
    with given as (
      select distinct on (1) (game ->> 'appid')::integer as appid, game from jsonb_array_elements($1) as game order by 1
    ), known as (
      select given.*, stored.id as row_id, stored.status, coalesce(stored.is_deleted, false) as is_deleted,
        choice.status as chosen, choice.game_id as old_game, choice.item_id as old_item
      from given
      left join lateral (
        select i.id, %1$s as status, %2$s as is_deleted
        from public."ImportedGame" i
        where i."userId" = $2 and i.storefront::text = 'STEAM' and i."storefrontGameId" = given.appid::text
        order by %2$s, %3$s, i.id limit 1
      ) stored on true
      left join public.library_choices choice on choice.user_id = $2 and choice.appid = given.appid and choice.imported_id = stored.id
    ), judged as (
      select *, coalesce(status is null or status = 'PENDING' or status = chosen, false) as is_ours from known
    )
    select coalesce(jsonb_agg(game || jsonb_build_object(
      'row_id', coalesce(row_id, gen_random_uuid()::text), 'is_new', row_id is null, 'is_ours', is_ours, 'is_deleted', is_deleted,
      'old_game', old_game, 'old_item', old_item,
      -- No answer is no proof against an earlier match.
      'decided', case when not is_ours then status when chosen = 'MATCHED' and (game ->> 'is_unanswered')::boolean then chosen
        else game ->> 'status' end
    ) order by appid), '[]')
    from judged
  $sql$,
    case when 'igdbMatchStatus' = any (columns) then 'i."igdbMatchStatus"::text' else 'null::text' end,
    case when 'deletedAt' = any (columns) then 'i."deletedAt" is not null' else 'false' end,
    case when 'createdAt' = any (columns) then 'i."createdAt"' else 'null' end
  ) into games using given, this_user;

  execute public.library_update('ImportedGame', $json${
    "name": "coalesce(nullif(s.name, ''), t.name)",
    "playtime": "coalesce(s.playtime, t.playtime)",
    "playtimeWindows": "coalesce(s.playtime_windows, t.\"playtimeWindows\")",
    "playtimeMac": "coalesce(s.playtime_mac, t.\"playtimeMac\")",
    "playtimeLinux": "coalesce(s.playtime_linux, t.\"playtimeLinux\")",
    "lastPlayedAt": "coalesce(s.last_played_at at time zone 'utc', t.\"lastPlayedAt\")",
    "img_icon_url": "coalesce(s.img_icon_url, t.img_icon_url)",
    "igdbMatchStatus": "s.decided"
  }$json$, source, 't.id = s.row_id and not s.is_new') using games;
  get diagnostics updated = row_count;

  execute public.library_insert('ImportedGame') || 'from ' || source || ' where s.is_new order by s.appid' using games, this_user;
  get diagnostics created = row_count;
  return jsonb_build_object('games', games, 'created', created, 'updated', updated);
end
$$;

-- Finds or creates "Game", which all users share, with genres and platforms: by IGDB's id, then by Steam's appid where that was not an
-- earlier import's choice. A game with another IGDB id is used as it is: that id is a person's or an application's choice.
--   games    of library_put_imported
--   reply    {"created", "updated", "games": with "game_id" where they arrive as MATCHED}
create or replace function public.library_put_games(games jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  matched constant jsonb := jsonb_path_query_array(games, '$[*] ? (@.status == "MATCHED")');
  -- {"appid": id of the game that others linked with it}
  linked jsonb;
  source constant text := $sql$(
    select distinct on (m.igdb_id) gen_random_uuid()::text as row_id, m.* from (
      select e.appid, (e.igdb ->> 'id')::integer as igdb_id, e.igdb ->> 'name' as title, e.igdb ->> 'slug' as slug,
        e.igdb ->> 'summary' as summary, (e.igdb ->> 'release_date')::timestamptz at time zone 'utc' as released,
        e.igdb ->> 'cover_url' as cover
      from jsonb_to_recordset($1) as e(appid integer, igdb jsonb)
    ) m
    where %s
    order by m.igdb_id, m.appid
  ) s$sql$;
  found_games jsonb;
  created integer;
  updated integer;
begin
  -- The appid that an import adds to a game is remembered as its choice.
  execute format($sql$
    insert into public.library_written (relation, row_id, written)
    select 'Game', game.id, jsonb_build_object('steamAppId', s.appid)
    from %s join public."Game" game on game."igdbId" = s.igdb_id
    where game."steamAppId" is null
    on conflict (relation, row_id) do update set written = excluded.written
  $sql$, format(source, 'true')) using matched;
  execute public.library_update('Game', $json${
    "title": "s.title",
    "description": "coalesce(s.summary, t.description)",
    "coverImage": "coalesce(s.cover, t.\"coverImage\")",
    "releaseDate": "coalesce(s.released, t.\"releaseDate\")",
    "steamAppId": "coalesce(t.\"steamAppId\", s.appid)"
  }$json$, format(source, 'true'), 't."igdbId" = s.igdb_id') using matched;
  get diagnostics updated = row_count;

  select coalesce(jsonb_object_agg(appid, id), '{}') into linked
  from (
    select distinct on (game."steamAppId") game."steamAppId" as appid, game.id
    from public."Game" game
    where game."steamAppId" in (select (e ->> 'appid')::integer from jsonb_array_elements(matched) e) and not exists (
      select from public.library_written w
      where w.relation = 'Game' and w.row_id = game.id and (w.written ->> 'steamAppId')::integer = game."steamAppId"
    )
    order by 1, 2
  ) others;
  execute format($sql$
    with made as (
      %s from %s order by s.igdb_id returning id, "steamAppId"
    )
    insert into public.library_written (relation, row_id, written)
    select 'Game', made.id, jsonb_build_object('steamAppId', made."steamAppId") from made
  $sql$, public.library_insert('Game'), format(source,
    'not $2 ? m.appid::text and not exists (select from public."Game" known where known."igdbId" = m.igdb_id)')) using matched, linked;
  get diagnostics created = row_count;

  select coalesce(jsonb_agg(e || jsonb_build_object('game_id', coalesce(game.id, linked ->> (e ->> 'appid')))), '[]') into found_games
  from jsonb_array_elements(games) e
  left join public."Game" game on e ->> 'status' = 'MATCHED' and game."igdbId" = (e -> 'igdb' ->> 'id')::integer;

  -- An appid that an import added to one game and now matches with another.
  execute public.library_update('Game', '{"steamAppId": "null"}', $sql$
    jsonb_to_recordset($1) as s(appid integer, status text, is_ours boolean, game_id text, old_game text)
  $sql$, $sql$
    t.id = s.old_game and s.is_ours and s.status = 'MATCHED' and s.game_id <> s.old_game and t."steamAppId" = s.appid and exists (
      select from public.library_written w
      where w.relation = 'Game' and w.row_id = t.id and (w.written ->> 'steamAppId')::integer = s.appid
    )
  $sql$) using found_games;

  perform public.library_link_labels('Genre', matched);
  perform public.library_link_labels('Platform', matched);
  return jsonb_build_object('games', found_games, 'created', created, 'updated', updated);
end
$$;

-- Status of a new library item, by the labels that the database has. Never PLAYED: an import knows no more than the playtime.
create or replace function public.library_status(is_played boolean, is_recent boolean) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when not labels && '{SHELF,OWNED}' then case when is_played then 'EXPERIENCED' else 'CURIOUS_ABOUT' end
    when is_recent and 'PLAYING' = any (labels) then 'PLAYING'
    when 'SHELF' = any (labels) then 'SHELF'
    else 'OWNED'
  end
  from public.library_status_labels() as labels;
$$;

-- What to do about the library items of a batch's matched games, of those that the import may decide about.
--   games    of library_put_games
--   reply    [{"appid", "game_id", "old_item", "has_item": the user has one for that game, "is_played", "is_recent", "verdict"}, …]
--            "new": the app needs an item · "move": its item, which an import made and only imports wrote, belongs to another game by now ·
--            "none": the user deleted the game's item · "keep": the app's item stays as it is, right, changed by a person, or deleted
create or replace function public.library_item_verdicts(this_user text, games jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Only what concerns the batch: a user may have 20,000 games.
  batch_games constant text[] := array(select e ->> 'game_id' from jsonb_array_elements(games) e where e ->> 'game_id' is not null);
  batch_items constant text[] := array(select e ->> 'old_item' from jsonb_array_elements(games) e where e ->> 'old_item' is not null);
  chosen_items constant text[] := array(
    select c.item_id from public.library_choices c
    where c.user_id = this_user and c.item_id is not null and (c.game_id = any (batch_games) or c.item_id = any (batch_items))
  );
begin
  return (
    with asked as (
      select * from jsonb_to_recordset(games) as e(
        appid integer, playtime integer, last_played_at timestamptz, status text, decided text, is_ours boolean, is_deleted boolean,
        game_id text, old_game text, old_item text
      )
      where is_ours and not is_deleted and status = 'MATCHED' and decided = 'MATCHED'
    ), items as materialized (
      select item.id::text as id, item."gameId" as game_id, jsonb_strip_nulls(to_jsonb(item) - '{createdAt,updatedAt}'::text[]) as written
      from public."LibraryItem" item
      where item."userId" = this_user and (item."gameId" = any (batch_games) or item.id::text = any (chosen_items))
    ), choices as materialized (
      select c.appid, c.game_id, c.item_id from public.library_choices c
      where c.user_id = this_user and c.item_id = any (chosen_items)
    ), shared as (
      -- Items of several apps that do not all move to the same game.
      select c.item_id from choices c left join asked on asked.appid = c.appid
      group by 1 having count(distinct coalesce(asked.game_id, '')) > 1
    ), declined as (
      select distinct c.game_id from choices c where not exists (select from items where items.id = c.item_id)
    ), compared as (
      select asked.*,
        items.id is not null and items.game_id = old_game and old_game <> asked.game_id as is_elsewhere,
        asked.old_item in (select item_id from shared) as is_shared,
        asked.game_id in (select items.game_id from items) as has_item,
        asked.game_id in (select declined.game_id from declined where declined.game_id is not null) as is_declined,
        exists (
          select from public.library_written w
          where w.relation = 'LibraryItem' and w.row_id = items.id and jsonb_strip_nulls(w.written) = items.written
        ) as is_untouched
      from asked left join items on items.id = asked.old_item
    )
    select coalesce(jsonb_agg(jsonb_build_object(
      'appid', appid, 'game_id', game_id, 'old_item', old_item, 'has_item', has_item,
      'is_played', coalesce(playtime > 0, false), 'is_recent', coalesce(last_played_at > now() - interval '14 days', false),
      'verdict', case
        when old_item is null or is_elsewhere and is_shared then case when is_declined then 'none' else 'new' end
        when is_elsewhere and is_untouched and not has_item and not is_declined then 'move'
        else 'keep'
      end
    )), '[]')
    from compared
  );
end
$$;

-- Writes "LibraryItem" and library_choices, what the import chose. An item that a person deleted is not made again.
--   games    of library_put_games
--   reply    number of items created
create or replace function public.library_put_items(this_user text, games jsonb) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  verdicts constant jsonb := public.library_item_verdicts(this_user, games);
  moves constant jsonb := jsonb_path_query_array(verdicts, '$[*] ? (@.verdict == "move")');
  source constant text := $sql$(
    select distinct on (m.game_id) m.game_id, m.old_item from jsonb_to_recordset($1) as m(old_item text, game_id text)
    order by m.game_id, m.old_item
  ) s$sql$;
  created integer;
begin
  if moves <> '[]' then
    execute public.library_update('LibraryItem', '{"gameId": "s.game_id"}', source, 't."userId" = $2 and t.id::text = s.old_item')
    using moves, this_user;
    update public.library_written w set written = w.written || jsonb_build_object('gameId', m.game_id)
    from jsonb_to_recordset(moves) as m(old_item text, game_id text)
    where w.relation = 'LibraryItem' and w.row_id = m.old_item;
  end if;

  execute format($sql$
    with made as (
      %s from (
        select v.game_id, public.library_status(bool_or(v.is_played), bool_or(v.is_recent)) as status
        from jsonb_to_recordset($1) as v(game_id text, has_item boolean, is_played boolean, is_recent boolean, verdict text)
        where v.verdict = 'new' and not v.has_item
          and not exists (select from jsonb_to_recordset($3) as m(game_id text) where m.game_id = v.game_id)
        group by v.game_id
        order by v.game_id
      ) s
      returning *
    )
    insert into public.library_written (relation, row_id, written)
    select 'LibraryItem', made.id::text, to_jsonb(made) - '{createdAt,updatedAt}'::text[] from made
    on conflict (relation, row_id) do update set written = excluded.written
  $sql$, public.library_insert('LibraryItem')) using verdicts, this_user, moves;
  get diagnostics created = row_count;

  insert into public.library_choices (user_id, appid, imported_id, status, game_id, item_id)
  select this_user, e.appid, e.row_id, e.decided,
    case when v.verdict in ('new', 'move') then v.game_id else e.old_game end,
    case v.verdict when 'new' then item.id else e.old_item end
  from jsonb_to_recordset(games) as e(
    appid integer, row_id text, decided text, is_ours boolean, old_game text, old_item text
  )
  left join jsonb_to_recordset(verdicts) as v(appid integer, game_id text, verdict text) on v.appid = e.appid
  left join (
    select i."gameId" as game_id, min(i.id::text) as id from public."LibraryItem" i
    where i."userId" = this_user and i."gameId" = any (array(select v ->> 'game_id' from jsonb_array_elements(verdicts) v))
    group by 1
  ) item on item.game_id = v.game_id
  where e.is_ours
  order by e.appid
  on conflict (user_id, appid) do update set
    imported_id = excluded.imported_id, status = excluded.status, game_id = excluded.game_id, item_id = excluded.item_id
  where (library_choices.imported_id, library_choices.status, library_choices.game_id, library_choices.item_id)
    is distinct from (excluded.imported_id, excluded.status, excluded.game_id, excluded.item_id);
  return created;
end
$$;

-- Imports a batch of rows of an enriched file into a user's library, in one transaction.
--   request  {"request_id": uuid, "user_id", "games": [{"appid", "name": "" where Steam gave none, "playtime", "playtime_windows",
--             "playtime_mac", "playtime_linux": minutes or null, "last_played_at", "img_icon_url", "status": "MATCHED", "UNMATCHED" or
--             "IGNORED", "is_unanswered": true where IGDB refused to answer about an UNMATCHED game, "igdb": {"id", "name", "slug", "summary", "release_date", "cover_url", "genres": [{"id", "name", "slug"}],
--             "platforms": [… and "abbreviation"]} or null}, …]}
--   reply    {"imported_games_created", "imported_games_updated", "games_created", "games_updated", "library_items_created"}
-- The tables have no unique key for most of it, so batches of one user, and the parts that all users share, run one after the other. A later
-- import corrects what an earlier one chose, never what a user or another application decided.
-- Idempotent: the same request_id again returns the first reply and does nothing.
create or replace function public.library_apply(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  this_request constant uuid := (request ->> 'request_id')::uuid;
  this_user constant text := request ->> 'user_id';
  imported jsonb;
  games jsonb;
  items_created integer;
  this_reply jsonb := public.pics_replay(this_request);
begin
  if this_reply is not null then
    return this_reply;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('library of ' || this_user, 0));
  -- What was removed outright (an application that starts anew) is no decision: it is imported as if for the first time.
  delete from public.library_choices c
  where c.user_id = this_user and not exists (select from public."ImportedGame" i where i.id = c.imported_id);
  update public.library_choices c set game_id = null, item_id = null
  where c.user_id = this_user and c.game_id is not null and not exists (select from public."Game" game where game.id = c.game_id);
  imported := public.library_put_imported(this_user, request -> 'games');

  perform pg_advisory_xact_lock(hashtextextended('library games', 0));
  games := public.library_put_games(imported -> 'games');
  items_created := public.library_put_items(this_user, games -> 'games');

  return public.pics_keep_reply(this_request, jsonb_build_object(
    'imported_games_created', imported -> 'created',
    'imported_games_updated', imported -> 'updated',
    'games_created', games -> 'created',
    'games_updated', games -> 'updated',
    'library_items_created', items_created
  ));
end
$$;

-- Reading: what the HTTP API, the dashboard, the status and the command line show. Nothing here changes a row.
--
-- Times are UTC; pages follow by key (keyset pagination); relations are resolved to names.

------------------------------------------------------------------------------------------------------------- status

-- Keys of Steam's app info that the extractor does not read (see pics_count_keys). New ones were first seen within 7 days, and not in the
-- first load.
--   reply {"count", "new_count", "new": [{"path", "payloads", "first_appid", "first_seen_at"}, …] the latest 20}
create or replace function public.pics_unread_keys() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with newcomers as (
    select path, payloads, first_appid, first_seen_at from public.steam_keys
    where not in_first_load and first_seen_at > now() - interval '7 days'
  )
  select jsonb_build_object(
    'count', (select count(*) from public.steam_keys),
    'new_count', (select count(*) from newcomers),
    'new', (
      select coalesce(jsonb_agg(to_jsonb(latest) order by first_seen_at desc, path), '[]')
      from (select * from newcomers order by first_seen_at desc, path limit 20) latest
    )
  );
$$;

-- State of the sync.
--   reply {columns of pics_sync_state…, "pending", "failing", "unconfirmed": as in pics_backlog, "apps", "unread_keys": see pics_unread_keys}
create or replace function public.pics_state() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select to_jsonb(state) || jsonb_build_object(
    'apps', (select count(*) from public.apps),
    'pending', (select count(*) from public.sync_status where pics_pending_change is not null),
    'failing', (
      select count(*) from public.sync_status where pics_pending_change is not null and attempts > 0 and next_attempt_at is not null
    ),
    'unconfirmed', (select count(*) from public.sync_status where pics_pending_change is not null and unknown_since is not null),
    'skipped', (select count(*) from public.sync_status where skipped_type is not null),
    'unread_keys', public.pics_unread_keys(),
    'size', public.pics_size()
  )
  from public.pics_sync_state state where id = 1;
$$;

-- State of the change monitor.
--   reply {"last_change_number", "bulk_completed_at", "reconciled_seconds_ago": since the last sweep of everything, or null,
--          "gap": {"from_change", "to_change"} or null}
create or replace function public.pics_monitor_state() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'last_change_number', state.last_change_number,
    'bulk_completed_at', state.bulk_completed_at,
    'reconciled_seconds_ago',
      extract(epoch from clock_timestamp() - greatest(state.last_reconciled_at, state.last_verified_at)),
    'gap', (
      select jsonb_build_object('from_change', from_change, 'to_change', to_change) from public.pics_gaps where repaired_at is null
    )
  )
  from public.pics_sync_state state where id = 1;
$$;

-- Failing apps: pending, with a failed last attempt; those with most attempts first.
-- request {"max": n}; reply [{"appid", "name", "error", "attempts", "next_attempt_at"}, …]
create or replace function public.pics_failing(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(to_jsonb(worst)), '[]')
  from (
    select s.appid, a.name, s.last_error as error, s.attempts, s.next_attempt_at
    from public.sync_status s left join public.apps a on a.appid = s.appid
    where s.pics_pending_change is not null and s.attempts > 0 and s.next_attempt_at is not null
    order by s.attempts desc, s.appid
    limit (request ->> 'max')::integer
  ) worst;
$$;

-- Webhooks by state, and the lag of the worst that is live: seconds since the oldest event that it has not passed.
--   reply {"total", "failing", "dead", "disabled", "lag_seconds": null without a live one}
create or replace function public.pics_webhook_counts() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'total', count(*),
    'failing', count(*) filter (where state.is_live and w.failing_since is not null),
    'dead', count(*) filter (where w.dead_at is not null and w.disabled_at is null),
    'disabled', count(*) filter (where w.disabled_at is not null),
    'lag_seconds', max(coalesce(extract(epoch from clock_timestamp() - waiting.detected_at), 0)) filter (where state.is_live)
  )
  from public.webhooks w
  cross join lateral (select w.dead_at is null and w.disabled_at is null as is_live) as state
  left join lateral (
    select e.detected_at from public.app_events e where e.id > w.cursor order by e.id limit 1
  ) as waiting on state.is_live;
$$;

-- Backlog of pending apps.
--   reply {"pending": due now, "failing": in backoff, "unconfirmed": waiting for a second "unknown",
--          "mass_unknown_at": when "unknown" was last not believed, being said of too many apps, "lag_seconds": age of the oldest pending, null when none,
--          "due_in_seconds": until the first of all may be claimed (0: now), null when none is pending, "failing_apps": as pics_failing,
--          "webhooks": as pics_webhook_counts}
create or replace function public.pics_backlog() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'pending', count(*) filter (where next_attempt_at is null),
    'failing', count(*) filter (where next_attempt_at is not null and attempts > 0),
    'unconfirmed', count(*) filter (where unknown_since is not null),
    'mass_unknown_at', (select mass_unknown_at from public.pics_sync_state where id = 1),
    'lag_seconds', extract(epoch from clock_timestamp() - min(pending_since) filter (where next_attempt_at is null)),
    'due_in_seconds', extract(epoch from min(greatest(next_attempt_at, lease_until, now())) - now()),
    'failing_apps', public.pics_failing('{"max": 20}'),
    'webhooks', public.pics_webhook_counts()
  )
  from public.sync_status where pics_pending_change is not null;
$$;

-- Summary of the catalog.
-- reply {"apps", "by_type": [{"name", "count"}], "deck": [{"category", "count"}], "top_tags": [{"name", "count"}]}
create or replace function public.catalog_summary() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'apps', (select count(*) from public.apps),
    'by_type', (
      select coalesce(jsonb_agg(to_jsonb(t)), '[]')
      from (select coalesce(type, 'none') as name, count(*) from public.apps group by 1 order by 2 desc, 1) t
    ),
    'deck', (
      select coalesce(jsonb_agg(to_jsonb(d)), '[]')
      from (select category, count(*) from public.app_steam_deck group by 1 order by 2 desc, 1) d
    ),
    'top_tags', (
      select coalesce(jsonb_agg(to_jsonb(t)), '[]')
      from (
        select coalesce(s.name, 'tag ' || used.tag_id) as name, used.count
        from (select tag_id, count(*) from public.app_steam_tags group by 1 order by 2 desc, 1 limit 10) used
        join public.steam_tags s on s.tag_id = used.tag_id
        order by used.count desc, 1
      ) t
    )
  );
$$;

------------------------------------------------------------------------------------------------------------ changes

-- Horizon of app_changes: the id up to which no change can appear any more (see pics_announce_changes in pics.sql). Volatile, so that the
-- statement after it has a newer snapshot: with one snapshot for both, a commit in between would be missed.
create or replace function public.pics_changes_horizon() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Read before the locks: an id that is taken later is higher.
  last_id constant bigint := coalesce(pg_sequence_last_value('public.app_changes_id_seq'), 0);
begin
  return least(last_id, (
    select min(((classid::bigint & 65535) << 32) | objid::bigint) from pg_locks
    where locktype = 'advisory' and objsubid = 1 and classid::bigint >> 16 = 20553
      and database = (select oid from pg_database where datname = current_database())
  ));
end
$$;

-- Changes, field by field, by keyset pagination.
--   request  {"max": n, "appid": of this app alone, or absent,
--             "after": id, oldest first from there on | "before": id or absent, newest first from there back}
--   reply    {"changes": [a `ChangeView` of src/catalog/views.ts, …],
--             "last_id": a consumer that resumes after it misses no change, "has_more": in this direction}
--            or null when the one app is not stored. With "deleted_up_to" where changes that the page would hold, or that follow it, are
--            deleted (pics_trim_changes): those up to that id
create or replace function public.catalog_changes(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  max_changes constant integer := (request ->> 'max')::integer;
  only_appid constant integer := (request ->> 'appid')::integer;
  after constant bigint := (request ->> 'after')::bigint;
  horizon constant bigint := public.pics_changes_horizon();
  before constant bigint := least((request ->> 'before')::bigint, horizon + 1);
  page jsonb;
  has_more boolean;
  deleted_up_to bigint;
begin
  if only_appid is not null and not exists (select from public.apps where appid = only_appid) then
    return null;
  end if;
  with ascending as (
    select * from public.app_changes
    where after is not null and id > after and id <= horizon and (only_appid is null or appid = only_appid)
    order by id limit max_changes + 1
  ), descending as (
    select * from public.app_changes
    where after is null and id < before and (only_appid is null or appid = only_appid)
    order by id desc limit max_changes + 1
  ), numbered as (
    select c.*, row_number() over (order by case when after is null then -c.id else c.id end) as place
    from (select * from ascending union all select * from descending) c
  )
  select
    coalesce(jsonb_agg(jsonb_build_object(
      'id', c.id, 'appid', c.appid, 'name', a.name, 'type', a.type, 'change_number', c.change_number,
      'field', c.field, 'old', c.old, 'new', c.new, 'detected_at', c.detected_at
    ) order by c.place) filter (where c.place <= max_changes), '[]'),
    count(*) > max_changes
  into page, has_more
  from numbered c left join public.apps a on a.appid = c.appid;

  -- After the page was read: what was deleted before that is seen here.
  select s.changes_deleted_up_to into deleted_up_to from public.pics_sync_state s
  where s.changes_deleted_up_to > 0
    and (after < s.changes_deleted_up_to or (request ->> 'before')::bigint <= s.changes_deleted_up_to + 1);

  return jsonb_build_object(
    'changes', page,
    'last_id', case when after is not null and has_more then (page -> -1 ->> 'id')::bigint else greatest(after, horizon) end,
    'has_more', has_more
  ) || case when deleted_up_to is null then '{}' else jsonb_build_object('deleted_up_to', deleted_up_to) end;
end
$$;

-- Changes per minute of the last hour, minutes without changes included. From app_changes, so of all workers.
--   reply [{"minute", "apps": that changed, "changes": fields}, …], the oldest first
create or replace function public.catalog_activity() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  with minutes as (
    select generate_series(date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()), interval '1 minute') as minute
  ), counted as (
    select date_trunc('minute', detected_at) as minute, count(distinct appid) as apps, count(*) as changes
    from public.app_changes where detected_at >= date_trunc('minute', now()) - interval '59 minutes'
    group by 1
  )
  select jsonb_agg(jsonb_build_object('minute', minute, 'apps', coalesce(apps, 0), 'changes', coalesce(changes, 0)) order by minute)
  from minutes left join counted using (minute);
$$;

-- Changed apps of the last 24 hours, counted once each, and by hour; `added`: apps that are new on Steam.
--   reply {"apps", "added", "hours": [{"hour", "apps"}, …] oldest first}
create or replace function public.catalog_day() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  with hours as (
    select generate_series(date_trunc('hour', now()) - interval '23 hours', date_trunc('hour', now()), interval '1 hour') as hour
  ), counted as (
    select
      date_trunc('hour', detected_at) as hour, grouping(date_trunc('hour', detected_at)) as is_total, count(distinct appid) as apps,
      count(*) filter (where field = 'added') as added
    from public.app_changes where detected_at >= date_trunc('hour', now()) - interval '23 hours'
    group by grouping sets ((date_trunc('hour', detected_at)), ())
  )
  select jsonb_build_object(
    'apps', coalesce((select apps from counted where is_total = 1), 0),
    'added', coalesce((select added from counted where is_total = 1), 0),
    'hours', (
      select jsonb_agg(jsonb_build_object('hour', hour, 'apps', coalesce(apps, 0)) order by hour)
      from hours left join counted using (hour)
    )
  );
$$;

--------------------------------------------------------------------------------------------------------------- apps

-- Version of everything that is committed in the database server, for caches: where two are equal, nothing was committed between them, since
-- the set of transactions that a snapshot sees only grows. Also changed by transactions that begin or fail, and those of other databases.
create or replace function public.catalog_version() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return pg_current_snapshot();
end
$$;

-- One app with everything that is stored of it. request {"appid"}; reply an `AppView` of src/catalog/views.ts, in the order of its keys, or
-- null. With a plan that is kept, since planning takes five times as long as running, and relations by scalar subqueries, which the generic
-- plan answers from their indexes.
create or replace function public.catalog_app(request jsonb) returns json
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
as $$
declare
  wanted constant integer := (request ->> 'appid')::integer;
begin
  return (
    with app as (
      select
        a.appid, a.name, a.type, a.name_localized, a.is_active, a.is_known, a.is_listed, a.is_free, a.release_state, a.steam_release_date,
        a.original_release_date,
        case when a.parent_appid is not null then
          json_build_object('appid', a.parent_appid, 'name', (select p.name from public.apps p where p.appid = a.parent_appid)) end as parent,
        a.must_own_appid, a.playtest_type,
        (
          select coalesce(json_agg(json_build_object(
            'appid', r.dlc_appid, 'name', (select d.name from public.apps d where d.appid = r.dlc_appid)
          ) order by r.dlc_appid), '[]')
          from public.app_dlc r where r.appid = wanted
        ) as dlc,
        array(
          select n.name from public.app_developers r join public.developers n on n.id = r.developer_id where r.appid = wanted order by n.name
        ) as developers,
        array(
          select n.name from public.app_publishers r join public.publishers n on n.id = r.publisher_id where r.appid = wanted order by n.name
        ) as publishers,
        array(
          select n.name from public.app_franchises r join public.franchises n on n.id = r.franchise_id where r.appid = wanted order by n.name
        ) as franchises,
        (
          select coalesce(json_agg(json_build_object(
            'id', r.tag_id, 'name', (select t.name from public.steam_tags t where t.tag_id = r.tag_id)
          ) order by r.rank, r.tag_id), '[]')
          from public.app_steam_tags r where r.appid = wanted
        ) as tags,
        (
          select coalesce(json_agg(json_build_object(
            'id', r.genre_id, 'name', (select g.name from public.steam_genres g where g.genre_id = r.genre_id)
          ) order by r.genre_id), '[]')
          from public.app_genres r where r.appid = wanted
        ) as genres,
        a.primary_genre_id,
        (
          select coalesce(json_agg(json_build_object(
            'id', r.category_id, 'name', (select c.name from public.steam_categories c where c.category_id = r.category_id)
          ) order by r.category_id), '[]')
          from public.app_categories r where r.appid = wanted
        ) as categories,
        a.content_descriptors, a.ai_content, coalesce(string_to_array(a.platforms, ','), '{}') as platforms, a.os_arch, a.controller_support,
        a.vr_support,
        (
          select row_to_json(verdict) from (
            select
              d.category, d.steamos_category, d.machine_category, d.frame_category, d.test_timestamp, d.tested_build_id, d.tests,
              d.steamos_tests, d.machine_tests, d.frame_tests, d.configuration
            from public.app_steam_deck d where d.appid = wanted
          ) verdict
        ) as steam_deck,
        -- Version 1 of the extractor kept only supported languages, and did not say so.
        case when jsonb_typeof(a.languages) = 'object' then (
          select coalesce(jsonb_object_agg(
            l.key, case jsonb_typeof(l.value) when 'object' then '{"supported": true}' || l.value else l.value end
          ), '{}')
          from jsonb_each(a.languages) as l
        ) else a.languages end as languages,
        a.has_workshop, a.family_sharing_excluded, a.restricted_countries, a.pics_review_score, a.pics_review_percentage,
        a.pics_review_score_without_bombs, a.pics_review_percentage_without_bombs, a.metacritic_score, a.metacritic_url, a.homepage_url,
        a.app_state, a.current_build_id, a.last_content_update, a.install_dir, a.store_asset_mtime, a.assets,
        a.store_modified_at, a.price_change_number,
        (
          select row_to_json(numbers) from (
            select
              m.owners_estimate, m.owners_doubtful, m.positive_reviews, m.negative_reviews, m.average_playtime_forever,
              m.average_playtime_2weeks, m.price, m.last_updated
            from public.game_metadata m where m.appid = wanted and m.last_updated is not null
          ) numbers
        ) as steamspy,
        s.pics_change_number as change_number,
        -- The later of its own last answer and the last pass that found every change number current. Null for what another application
        -- stored before this one was installed.
        (
          select greatest(s.last_pics_sync, state.last_verified_at) from public.pics_sync_state state
          where state.id = 1 and s.last_pics_sync >= state.installed_at
        ) as synced_at,
        s.pics_pending_change is not null as is_pending,
        coalesce(s.missing_token, false) as missing_token,
        a.created_at, a.updated_at
      from public.apps a left join public.sync_status s on s.appid = wanted
      where a.appid = wanted
    )
    select row_to_json(app) from app
  );
end
$$;

---------------------------------------------------------------------------------------- app info, branches, depots

-- App info as Steam sent it. request {"appid"}
--   reply {"kept": {"change_number", "sha1", "size", "partial", "fetched_at", "missing_token", "data": base64 of the deflated text}, or null
--          where no text is kept}, or null when the app is not stored
create or replace function public.catalog_info(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  select jsonb_build_object('kept', (
    select jsonb_build_object(
      'change_number', i.change_number, 'sha1', i.sha1, 'size', i.size, 'partial', i.partial, 'fetched_at', i.fetched_at,
      'missing_token', coalesce((select s.missing_token from public.sync_status s where s.appid = a.appid), false),
      'data', translate(encode(i.data, 'base64'), E'\n', '')
    )
    from public.app_info i where i.appid = a.appid
  ))
  from public.apps a where a.appid = (request ->> 'appid')::integer;
$$;

-- Branches of an app, public first. request {"appid"}; reply [a `BranchView` of src/catalog/content-views.ts, …], or null when the app is
-- not stored
create or replace function public.catalog_branches(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  select coalesce((
    select jsonb_agg(to_jsonb(b) - 'appid' order by b.branch <> 'public', b.branch) from public.app_branches b where b.appid = a.appid
  ), '[]')
  from public.apps a where a.appid = (request ->> 'appid')::integer;
$$;

-- Depots of an app with their manifests. request {"appid"}; reply [a `DepotView` of src/catalog/content-views.ts, …], or null when the app
-- is not stored
create or replace function public.catalog_depots(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((
    select jsonb_agg(
      to_jsonb(d) - 'appid' || jsonb_build_object('os_list', string_to_array(d.os_list, ','), 'manifests', coalesce(m.manifests, '[]'))
      order by d.depot_id
    )
    from public.app_depots d
    left join (
      select depot_id, jsonb_agg(to_jsonb(m) - array['appid', 'depot_id'] order by m.branch <> 'public', m.branch) as manifests
      from public.app_depot_manifests m where m.appid = (request ->> 'appid')::integer group by depot_id
    ) m on m.depot_id = d.depot_id
    where d.appid = a.appid
  ), '[]')
  from public.apps a where a.appid = (request ->> 'appid')::integer;
$$;

-- Apps that have a depot, by keyset pagination: first those that own it, then those that share it from another app.
--   request  {"depot_id", "max": n, "after": {"shared": bool, "appid"} of the last app, or absent}
--   reply    {"apps": [a `DepotAppView` of src/catalog/content-views.ts, …], "has_more"}
create or replace function public.catalog_depot(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with page as (
    select d.*, d.from_appid is not null as shared, row_number() over (order by d.from_appid is not null, d.appid) as place
    from public.app_depots d
    where d.depot_id = (request ->> 'depot_id')::integer
      and (
        request -> 'after' is null
        or (d.from_appid is not null, d.appid) > ((request -> 'after' ->> 'shared')::boolean, (request -> 'after' ->> 'appid')::integer)
      )
    order by d.from_appid is not null, d.appid
    limit (request ->> 'max')::integer + 1
  )
  select jsonb_build_object(
    'apps', coalesce(
      jsonb_agg(jsonb_build_object(
        'appid', page.appid, 'name', a.name, 'type', a.type, 'depot_name', page.name, 'os_list', string_to_array(page.os_list, ','),
        'os_arch', page.os_arch, 'language', page.language, 'dlc_appid', page.dlc_appid, 'from_appid', page.from_appid,
        'shared_install', page.shared_install
      ) order by page.place) filter (where page.place <= (request ->> 'max')::integer),
      '[]'
    ),
    'has_more', count(*) > (request ->> 'max')::integer
  )
  from page join public.apps a on a.appid = page.appid;
$$;

-- Lists and search: the pages of apps, labels and companies that the HTTP API and the command line show. Nothing here changes a row.
--
-- The cost of every question is bounded, whatever the statistics say (docs/lists.md):
--   1. The index of the sort order is walked, `first` rows with the filters as probes, and on where these promise a page.
--   2. Else a filter by another table drives: its apps are gathered from its index, up to `gather`, tested and sorted.
--   3. Else the indexes of apps find those that fulfil all conditions that they answer, up to `found`, if the planner expects fewer of them
--      than rows of a walk; one inverted index has all labels (apps.labels).
--   4. Else the walk goes on, up to `walk` rows, or as many as the planner expects it to take.
--   5. Else the filter by another table with the fewest apps drives after all, if these are at most `most`; else the indexes of apps do,
--      without a limit; else, where they answer nothing, the walk goes to the end.
-- Probes on other tables are scalar subqueries, which the planner cannot turn into joins: each is one index lookup a row.

--------------------------------------------------------------------------------------------------------------- apps

-- Ids of a filter value: the value itself where it is a number, else the rows of that exact name; `relation` as in a request of
-- catalog_apps. Names of tags, genres and categories are compared case-insensitively.
create or replace function public.catalog_ids(relation text, value text) returns integer[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  case relation
    when 'tag' then
      return array(
        select tag_id from public.steam_tags
        where case when value ~ '^\d{1,9}$' then tag_id = value::integer else lower(name) = lower(value) end
      );
    when 'genre' then
      return array(
        select genre_id from public.steam_genres
        where case when value ~ '^\d{1,9}$' then genre_id = value::integer else lower(name) = lower(value) end
      );
    when 'category' then
      return array(
        select category_id from public.steam_categories
        where case when value ~ '^\d{1,9}$' then category_id = value::integer else lower(name) = lower(value) end
      );
    when 'developer' then return array(select id from public.developers where name = value);
    when 'publisher' then return array(select id from public.publishers where name = value);
    when 'franchise' then return array(select id from public.franchises where name = value);
  end case;
end
$$;

-- Distinct values of an indexed text column of apps, by skipping from one to the next in its index.
create or replace function public.catalog_distinct(column_name text) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
  found text[];
begin
  execute format($sql$
    with recursive skipped(value) as (
      (select %1$I from public.apps where %1$I is not null order by %1$I limit 1)
      union all
      select (select a.%1$I from public.apps a where a.%1$I > s.value order by a.%1$I limit 1) from skipped s where s.value is not null
    )
    select array(select value from skipped where value is not null limit 1000)
  $sql$, column_name) into found;
  return found;
end
$$;

-- Entries of apps.labels: one array of integers for tags, genres, categories and verdicts on Steam Deck, Machine and Frame (as their place
-- among unknown, unsupported, playable, verified, from 1). Other kinds have none, nor have ids of 2^28 or more; Steam's are below ten million.
create or replace function public.catalog_labels_of(kind text, ids integer[]) returns integer[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select id + 268435456 * (place - 1)
    from unnest(ids) as id, array_position(array['tag', 'genre', 'category', 'deck', 'machine', 'frame'], kind) as place
    where place is not null and id between 0 and 268435455
    order by 1
  );
$$;

-- Filters of a request of catalog_apps as SQL.
--   unknown  the filter whose value does not exist, or null
--   probes   a condition on one row `a` of apps for each filter
--   indexed  those of the probes that an index of apps answers
--   sources  for others: a query of the appids that fulfil it, from another index
create or replace function public.catalog_conditions(request jsonb, out unknown jsonb, out probes text[], out sources text[], out indexed text[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  condition jsonb;
  ids integer[];
  relation record;
  verdict record;
  wanted text[];
  labels integer[];
begin
  probes := '{}';
  sources := '{}';
  indexed := '{}';
  for condition in select * from jsonb_array_elements(request -> 'relations') loop
    ids := public.catalog_ids(condition ->> 0, condition ->> 1);
    if ids = '{}' then
      unknown := condition;
      return;
    end if;
    select * into relation
    from (values
      ('developer', 'app_developers', 'developer_id'), ('publisher', 'app_publishers', 'publisher_id'),
      ('franchise', 'app_franchises', 'franchise_id'),
      ('tag', 'app_steam_tags', 'tag_id'), ('genre', 'app_genres', 'genre_id'), ('category', 'app_categories', 'category_id')
    ) as r(name, junction, id_column)
    where r.name = condition ->> 0;
    labels := public.catalog_labels_of(condition ->> 0, ids);
    if cardinality(labels) = cardinality(ids) then
      indexed := indexed || format('a.labels && %L', labels);
      probes := probes || format('a.labels && %L', labels);
    else
      probes := probes || format('(select true from public.%I r where r.appid = a.appid and r.%I = any (%L) limit 1)',
                                 relation.junction, relation.id_column, ids);
      sources := sources || format('select appid from public.%I where %I = any (%L)', relation.junction, relation.id_column, ids);
    end if;
  end loop;
  for condition in select * from jsonb_array_elements(request -> 'required') loop
    if not (case condition ->> 0
      when 'type' then exists (select from public.apps where type = condition ->> 1)
      when 'platform' then exists (
        select from unnest(public.catalog_distinct('platforms')) as used where condition ->> 1 = any (string_to_array(used, ','))
      )
    end) then
      unknown := condition;
      return;
    end if;
  end loop;

  for verdict in select * from unnest(array['deck', 'machine', 'frame']) as filter where request ? filter loop
    labels := public.catalog_labels_of(verdict.filter, array(
      select array_position(array['unknown', 'unsupported', 'playable', 'verified'], jsonb_array_elements_text(request -> verdict.filter))
    ));
    indexed := indexed || format('a.labels && %L', labels);
    probes := probes || format('a.labels && %L', labels);
  end loop;
  if request ? 'vr' then
    wanted := array(select jsonb_array_elements_text(request -> 'vr'));
    probes := probes || format('a.vr_support = any (%L)', wanted);
    indexed := indexed || format('a.vr_support = any (%L)', wanted);
  end if;
  if request ? 'ai' then
    wanted := array(select jsonb_array_elements_text(request -> 'ai'));
    probes := probes || ('(' || (
      select string_agg(
        case value when 'any' then 'a.ai_content is not null' when 'none' then 'a.ai_content is null'
          else format('%L = any (a.ai_content)', value) end,
        ' or '
      )
      from unnest(wanted) as value
    ) || ')');
    if not 'none' = any (wanted) then
      indexed := indexed || ('a.ai_content ' || case when wanted = '{live}' then '@> array[''live'']' else 'is not null' end);
    end if;
  end if;
  if request ? 'types' then
    wanted := array(select jsonb_array_elements_text(request -> 'types'));
    probes := probes || format('a.type = any (%L)', wanted);
    indexed := indexed || format('a.type = any (%L)', wanted);
  end if;
  if request ? 'platforms' then
    -- The few combinations that are stored: a comparison of texts takes less than splitting each.
    wanted := array(
      select used from unnest(public.catalog_distinct('platforms')) as used
      where string_to_array(used, ',') @> array(select jsonb_array_elements_text(request -> 'platforms'))
    );
    probes := probes || format('a.platforms = any (%L)', wanted);
    indexed := indexed || format('a.platforms = any (%L)', wanted);
  end if;
  if request ? 'parent' then
    probes := format('a.parent_appid = %L::integer', request ->> 'parent') || probes;
    indexed := indexed || format('a.parent_appid = %L::integer', request ->> 'parent');
  end if;
  if request ? 'free' then
    probes := probes || case when (request ->> 'free')::boolean then 'a.is_free' else 'a.is_free is not true' end;
  end if;
  if request ? 'active' then
    probes := probes || case when (request ->> 'active')::boolean then 'a.is_active' else 'not a.is_active' end;
    if not (request ->> 'active')::boolean then
      indexed := indexed || 'not a.is_active'::text;
    end if;
  end if;
  if request ? 'released_since' or request ? 'released_before' then
    condition := jsonb_build_object(
      'since', coalesce(request ->> 'released_since', '-infinity'), 'before', coalesce(request ->> 'released_before', 'infinity'));
    probes := probes || format('a.steam_release_date >= %L and a.steam_release_date < %L', condition ->> 'since', condition ->> 'before');
    indexed := indexed || format('a.steam_release_date >= %L and a.steam_release_date < %L', condition ->> 'since', condition ->> 'before');
  end if;
  if request ? 'changed_since' then
    -- A change of a relation does not touch the row of the app; the history has it.
    probes := probes || format(
      '(a.updated_at >= %1$L
        or (select c.detected_at from public.app_changes c where c.appid = a.appid order by c.id desc limit 1) >= %1$L)',
      request ->> 'changed_since');
    sources := sources || format(
      'select appid from public.apps where updated_at >= %1$L
       union all select appid from public.app_changes where detected_at >= %1$L',
      request ->> 'changed_since');
  end if;
  if request ? 'appids' then
    sources := format('select unnest(%L::integer[]) as appid', array(select jsonb_array_elements_text(request -> 'appids')::integer)) || sources;
    probes := format('a.appid = any (%L)', array(select jsonb_array_elements_text(request -> 'appids')::integer)) || probes;
  end if;
end
$$;

-- Appids of a source of catalog_conditions, at most `most`.
create or replace function public.catalog_gather(source text, most integer) returns integer[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  ids integer[];
begin
  execute format('select array(select appid from (%s) s limit %s)', source, most) into ids;
  return ids;
end
$$;

-- Apps as lists show them, in the given order, and the names of their tags:
--   listed     [an `AppSummary` of src/catalog/views.ts with its keys in their order, but `tags` as ids, …]
--   tag_names  {tag id: name, …}; a name for each of some 900 tags of a page would be a third of what the page costs
-- One pass over each relation for the whole page, rows as json (half the time of jsonb_build_object; a result of jsonb would be parsed,
-- sorted and written once more), and a plan that is kept (planning takes longer than running).
create or replace function public.catalog_summaries(appids integer[], out listed json, out tag_names json)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
as $$
begin
  with tags as materialized (
    select r.appid, array_agg(r.tag_id order by r.rank, r.tag_id) as ids
    from public.app_steam_tags r where r.appid = any (appids) group by r.appid
  ), makers as materialized (
    select r.appid, array_agg(n.name order by n.name) as names
    from public.app_developers r join public.developers n on n.id = r.developer_id where r.appid = any (appids) group by r.appid
  ), sellers as materialized (
    select r.appid, array_agg(n.name order by n.name) as names
    from public.app_publishers r join public.publishers n on n.id = r.publisher_id where r.appid = any (appids) group by r.appid
  ), state as materialized (
    select installed_at, last_verified_at from public.pics_sync_state where id = 1
  ), summaries as (
    select
      a.appid, a.name, a.type, a.is_active, a.is_free, a.release_state, a.steam_release_date,
      case when a.parent_appid is not null then json_build_object('appid', a.parent_appid, 'name', p.name) end as parent,
      coalesce(makers.names, '{}') as developers,
      coalesce(sellers.names, '{}') as publishers,
      coalesce(tags.ids, '{}') as tags,
      coalesce(string_to_array(a.platforms, ','), '{}') as platforms,
      case when d.appid is not null then json_build_object(
        'category', d.category, 'steamos_category', d.steamos_category, 'machine_category', d.machine_category,
        'frame_category', d.frame_category, 'test_timestamp', d.test_timestamp, 'tested_build_id', d.tested_build_id
      ) end as steam_deck,
      a.pics_review_score, a.pics_review_percentage, a.last_content_update,
      s.pics_change_number as change_number,
      case when s.last_pics_sync >= state.installed_at then greatest(s.last_pics_sync, state.last_verified_at) end as synced_at,
      s.pics_pending_change is not null as is_pending,
      a.updated_at
    from unnest(appids) with ordinality as page(appid, place)
    join public.apps a on a.appid = page.appid
    left join tags on tags.appid = a.appid
    left join makers on makers.appid = a.appid
    left join sellers on sellers.appid = a.appid
    left join public.apps p on p.appid = a.parent_appid
    left join public.app_steam_deck d on d.appid = a.appid
    left join public.sync_status s on s.appid = a.appid
    left join state on true
    order by page.place
  )
  select
    (select coalesce(json_agg(row_to_json(summaries)), '[]') from summaries),
    (select coalesce(json_object_agg(t.tag_id, t.name), '{}') from public.steam_tags t
     where t.tag_id = any (array(select distinct unnest(ids) from tags)))
  into listed, tag_names;
end
$$;

-- The order of a request of catalog_apps as SQL: parts of it that follow each other, each of which an index has in that order.
--   key        expression of the sort key
--   shown      of the key in the cursor
--   direction  of key and appid: '' or ' desc'
--   windows    conditions of the parts, without what the last page had or came before it
--   ordered    of all parts, in terms of `key` and `appid`
--   beyond     a condition: in one of the parts
--   branches   conditions of the orders that each part is merged from: one for each type, where types are in the index
-- Apps without a key come last. Ties are in the order of their appids, and descending where the keys descend, so that one index has both.
-- Relevance is here the order of what is common: by reviews.
create or replace function public.catalog_order(
  request jsonb, out key text, out shown text, out direction text, out windows text[], out branches text[],
  out ordered text, out beyond text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  by_relevance constant boolean := request ->> 'sort' = 'relevance';
  sorted_by constant text := case when by_relevance then 'reviews' else request ->> 'sort' end;
  is_descending constant boolean := by_relevance or coalesce((request ->> 'descending')::boolean, false);
  further constant text := case when is_descending then '<' else '>' end;
  after constant jsonb := case when by_relevance and (request -> 'after' ->> 'key')::integer < 2000 then null
    when by_relevance and request -> 'after' ->> 'key' is not null then jsonb_build_object(
      'key', nullif(2100 - (request -> 'after' ->> 'key')::integer, -1), 'appid', request -> 'after' -> 'appid')
    else nullif(request -> 'after', 'null') end;
  last_appid constant integer := (after ->> 'appid')::integer;
  key_type text;
begin
  windows := '{}';
  branches := array['true'];
  direction := case when is_descending then ' desc' else '' end;
  select o.key, o.type into key, key_type
  from (values
    ('appid', 'a.appid', 'integer'), ('name', 'a.sort_name', 'text'), ('release_date', 'a.steam_release_date', 'timestamptz'),
    ('reviews', 'a.pics_review_percentage', 'smallint'), ('updated', 'a.updated_at', 'timestamptz')
  ) as o(sort, key, type)
  where o.sort = sorted_by;
  shown := case when by_relevance then '2100 - coalesce(a.pics_review_percentage, -1)' else key end;
  ordered := format('key%1$s nulls last, appid%1$s', direction);
  if sorted_by = 'appid' then
    beyond := case when after is null then 'true' else format('a.appid %s %s', further, last_appid) end;
    windows := array[beyond];
    return;
  end if;
  -- Indexed with the type in front: most of the other types have neither date nor reviews.
  if sorted_by in ('reviews', 'release_date') and request ? 'types' then
    branches := array(select format('a.type = %L', type) from jsonb_array_elements_text(request -> 'types') as type);
  end if;
  if after is null or after ->> 'key' is not null then
    windows := windows || (
      format('%s is not null', key)
      || case when sorted_by = 'release_date' and request ? 'released_since' then format(' and %s >= %L', key, request ->> 'released_since') else '' end
      || case when sorted_by = 'release_date' and request ? 'released_before' then format(' and %s < %L', key, request ->> 'released_before') else '' end
      || case when after is null then '' else format(' and (%s, a.appid) %s (%L::%s, %s)', key, further, after ->> 'key', key_type, last_appid) end
    );
  end if;
  if sorted_by <> 'updated' and not request ?| (case when sorted_by = 'release_date' then array['released_since', 'released_before'] else '{}'::text[] end) then
    windows := windows || (format('%s is null', key)
      || case when after is null or after ->> 'key' is not null then '' else format(' and a.appid %s %s', further, last_appid) end);
  end if;
  beyond := format('((%s))', coalesce(nullif(array_to_string(windows, ') or ('), ''), 'false'));
end
$$;

-- Walks the index of the sort order through a part of it (see catalog_order) and returns the first `needed` apps that pass the probes, in
-- order. Reads at most `walk` rows, or as many as it takes where that is null. `is_short`: there may be more behind these.
create or replace function public.catalog_walk(
  part text, probes text, key text, shown text, direction text, walk integer, needed integer, out appids integer[], out keys text[], out is_short boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  ordered constant text := format('from public.apps a where %1$s order by %2$s%3$s, a.appid%3$s', part, key, direction);
begin
  execute format(
    'select coalesce(array_agg(appid), ''{}''), coalesce(array_agg((%1$s)::text), ''{}'')
     from (select a.* from (select a.* %2$s limit %3$L) a where %4$s limit %5$s) a',
    shown, ordered, walk, probes, needed
  ) into appids, keys;
  is_short := false;
  if walk is not null and cardinality(appids) < needed then
    execute format('select exists (select a.appid %s offset %s limit 1)', ordered, walk) into is_short;
  end if;
end
$$;

-- The order of search results by a rank, an expression of integers, as catalog_order returns it; `after` as in a request of catalog_apps.
create or replace function public.catalog_rank(rank text, after jsonb, out key text, out shown text, out ordered text, out beyond text)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  key := rank;
  shown := rank;
  ordered := 'key, appid desc';
  beyond := case when after ->> 'key' is null then 'true'
    else format('(%1$s > %2$s or %1$s = %2$s and a.appid < %3$s)', rank, (after ->> 'key')::integer, (after ->> 'appid')::integer) end;
end
$$;

-- Those of some apps that fulfil a condition, the first `needed` of them in an order (see catalog_order). The apps are candidates, or where these
-- are null those that the indexes of apps find for the conditions `indexed`, at most `most` where that is given. `is_short`: they find more.
create or replace function public.catalog_pick(
  candidates integer[], indexed text, most integer, condition text, sorting record, needed integer,
  out appids integer[], out keys text[], out is_short boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- A page of the table costs little more than one of an index: what is asked often is in memory.
set random_page_cost = 0.2
set seq_page_cost = 0.2
-- To test a name costs more than the planner takes it to.
set cpu_operator_cost = 0.02
as $$
begin
  -- Rows are kept narrow: they are read once, and an index may have all of it.
  execute format(
    'with found as materialized (
       select a.appid, %1$s as key, %2$s as shown, %3$s and %4$s as passes from public.apps a where %5$s limit %6$L
     ), page as (
       select appid, shown from found where passes order by %7$s limit %8$s
     )
     select coalesce(array_agg(appid), ''{}''), coalesce(array_agg(shown::text), ''{}''), (select count(*) > %9$L from found) from page',
    sorting.key, sorting.shown, sorting.beyond, condition, case when candidates is null then indexed else 'a.appid = any ($1)' end, most + 1,
    sorting.ordered, needed, most
  ) into appids, keys, is_short using candidates;
end
$$;

-- Appids of the source that drives a search: the first with at most `most` apps, or the one with the fewest; null where each has more.
create or replace function public.catalog_driver(sources text[], most integer, first boolean) returns integer[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  source text;
  ids integer[];
  driving integer[];
begin
  foreach source in array sources loop
    ids := public.catalog_gather(source, coalesce(cardinality(driving), most + 1));
    if cardinality(ids) < coalesce(cardinality(driving), most + 1) then
      driving := ids;
      exit when first;
    end if;
  end loop;
  return driving;
end
$$;

-- Apps that the planner expects to fulfil a condition. Volatile, since no other function may explain; it reads no table.
create or replace function public.catalog_estimate(condition text) returns double precision
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  plan json;
begin
  execute 'explain (format json) select from public.apps a where ' || condition into plan;
  return (plan #>> '{0,Plan,Plan Rows}')::double precision;
end
$$;

-- One condition of several.
create or replace function public.catalog_all(conditions text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select coalesce(nullif(array_to_string(conditions, ' and '), ''), 'true') $$;

-- Walks the parts of an order (see catalog_order) one after the other, each merged from its branches. `is_short` as catalog_walk returns it:
-- the apps are not in order, then.
create or replace function public.catalog_merge(
  sorting record, probes text, walk integer, needed integer, out appids integer[], out keys text[], out is_short boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  part text;
  branch text;
  found integer[];
  page record;
begin
  appids := '{}';
  keys := '{}';
  is_short := false;
  foreach part in array sorting.windows loop
    exit when cardinality(appids) = needed;
    found := '{}';
    foreach branch in array sorting.branches loop
      page := public.catalog_walk(branch || ' and ' || part, probes, sorting.key, sorting.shown, sorting.direction, walk, needed - cardinality(appids));
      if page.is_short then
        is_short := true;
        appids := appids || found || page.appids;
        return;
      end if;
      found := found || page.appids;
    end loop;
    if cardinality(sorting.branches) > 1 then
      page := public.catalog_pick(found, null, null, 'true', sorting, needed - cardinality(appids));
    end if;
    appids := appids || page.appids;
    keys := keys || page.keys;
  end loop;
end
$$;

-- Folds a text as the generated column `search_text` does.
create or replace function public.catalog_fold(value text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select btrim(regexp_replace(regexp_replace(translate(lower(regexp_replace(
    normalize(translate(value, '.''’`™®©', ''), nfkd), '[\u0300-\u036f\u3099\u309a]', '', 'g')),
    '!"#$%&()*+,-/:;<=>?@[\]^_{|}~–—“”‘「」『』【】・：！？、。', repeat(' ', 60)),
    '([\u3040-\u30ff\u3400-\u9fff])', ' \1 ', 'g'), '\s+', ' ', 'g'));
$$;

-- Search by name: words of a request of catalog_apps as SQL. Each must be in the name or in one of its translations, in any order; words of
-- one or two letters at the start of a word. Where the trigram extension is missing, so must the longer ones (apps_by_word).
--   phrase     of all words, as `search_text` would begin
--   condition  on one row `a` of apps
--   indexed    the same as an index answers it
--   near       query of the appids of names with words that resemble them, the nearest first; null without the extension or a long word
create or replace function public.catalog_search(words jsonb, out phrase text, out condition text, out indexed text, out near text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  folded constant text := public.catalog_fold((select string_agg(word, ' ') from jsonb_array_elements_text(words) as word));
  -- Characters of a script without spaces stay together: ' 星 露' is what their place in a name looks like.
  tokens constant text[] := array(
    select token
    from regexp_matches(folded, '[\u3040-\u30ff\u3400-\u9fff](?: [\u3040-\u30ff\u3400-\u9fff])*|[^ \u3040-\u30ff\u3400-\u9fff]+', 'g')
      with ordinality as found(match, place)
    cross join lateral unnest(match) as token
    group by token order by min(place) limit 8
  );
  trigrams constant name := (
    select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'pg_trgm' and to_regclass('public.apps_by_trigram') is not null
  );
  -- The index of words is there where the extension, or its knowledge of letters beyond ASCII, is not.
  by_word constant boolean := to_regclass('public.apps_by_word') is not null and (trigrams is null or folded ~ '[^\x01-\x7f]');
begin
  phrase := ' ' || folded;
  condition := coalesce((
    select string_agg(format('a.search_text like %L', case when length(token) > 2 and not by_word and token !~ ' ' then '%' else '% ' end || token || '%'), ' and ')
    from unnest(tokens) as token
  ), 'false');
  indexed := condition;
  if by_word and tokens <> '{}' then
    indexed := indexed || format(
      ' and array_to_tsvector(string_to_array(ltrim(a.search_text), '' '')) @@ %L::tsquery',
      (select string_agg(quote_literal(word) || ':*', ' & ') from unnest(tokens) as token cross join lateral string_to_table(token, ' ') as word));
  end if;
  if trigrams is not null then
    near := (
      select format('select a.appid from public.apps a where %2$s order by %1$I.word_similarity(%3$L, a.search_text) desc, a.appid',
                    trigrams, string_agg(format('a.search_text operator(%I.%%>) %L', trigrams, token), ' and '), phrase)
      from unnest(tokens) as token where length(token) > 3 and token !~ ' '
      having count(*) > 0
    );
    perform set_config('pg_trgm.word_similarity_threshold', '0.5', true);
  end if;
end
$$;

-- What searches by name read, for `doctor`: {"trigrams": whether the extension and its index are there}.
create or replace function public.catalog_search_index() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('trigrams', exists (select from pg_extension where extname = 'pg_trgm') and to_regclass('public.apps_by_trigram') is not null);
$$;

-- Search: a page of the apps that match all filters, by keyset pagination. Absent filters do not restrict the result.
--   request  {"max": n, "sort": appid | name | release_date | reviews | updated | relevance, "descending": bool,
--             "after": {"key": of the last app, as text or null, "appid"}, the "next" of the last page, or absent,
--             and filters, each of which may be absent:
--             "relations": [["tag", "Puzzle"], ["developer", "Valve"], …], all of them (see catalog_ids),
--             "appids", "types", "deck", "machine", "frame", "vr": any of these,
--             "ai": any of these: pre_generated, live, any (of both), none, "platforms": all of these, "parent": appid,
--             "free", "active": bool, "released_since", "released_before", "changed_since": times, "words": all of them in the name,
--             and "required": [["type", "series"], ["platform", "android"], …], values that some stored app must have,
--             "limits": {"first", "gather", "found", "walk", "most"} rows, of tests}
--   reply    {"apps": the `listed` and "tag_names" of catalog_summaries, "next": for another page, or null}
--            or {"unknown": ["tag", "Puzle"]}: the filter whose value does not exist
-- Apps without a value to sort by come last; ties are ordered by appid, in the direction of the sort. Relevance: the whole name, then its
-- beginning, then the better reviewed; by reviews alone where the indexes find more than `gather` apps.
create or replace function public.catalog_apps(request jsonb) returns json
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
-- Sequential scans and compiled plans only ever cost more here.
set enable_seqscan = off
set jit = off
as $$
declare
  max_apps constant integer := (request ->> 'max')::integer;
  needed constant integer := max_apps + 1;
  first constant integer := coalesce((request -> 'limits' ->> 'first')::integer, 400);
  gather constant integer := coalesce((request -> 'limits' ->> 'gather')::integer, 2000);
  found constant integer := coalesce((request -> 'limits' ->> 'found')::integer, 5000);
  walk constant integer := coalesce((request -> 'limits' ->> 'walk')::integer, 3000);
  most constant integer := coalesce((request -> 'limits' ->> 'most')::integer, 30000);
  stored constant integer := (select reltuples from pg_class where oid = 'public.apps'::regclass);
  by_relevance constant boolean := request ->> 'sort' = 'relevance';
  filters record;
  sorting record;
  picking record;
  search record;
  indexed text;
  probes text;
  walked text;
  driving integer[];
  estimate double precision;
  expected double precision := 0;
  rows integer;
  page record;
  summaries record;
  is_found boolean := false;
begin
  filters := public.catalog_conditions(request);
  if filters.unknown is not null then
    return json_build_object('unknown', filters.unknown);
  end if;
  sorting := public.catalog_order(request);
  if request ? 'words' then
    search := public.catalog_search(request -> 'words');
    filters.probes := filters.probes || search.condition;
    filters.indexed := filters.indexed || search.indexed;
  end if;
  indexed := public.catalog_all(filters.indexed);
  probes := public.catalog_all(filters.probes);
  -- The branches of the order stand for the types.
  walked := case when sorting.branches = '{true}' then probes
    else public.catalog_all(array_remove(filters.probes, format('a.type = any (%L)', array(select jsonb_array_elements_text(request -> 'types'))))) end;

  if by_relevance then
    picking := public.catalog_rank(
      format(
        '(2100 - coalesce(a.pics_review_percentage, -1) - case when a.search_text = %1$L or a.search_text like %1$L || '' ¦%%'' then 2000
          when a.search_text like %1$L || ''%%'' then 1000 else 0 end)', search.phrase),
      request -> 'after');
  else
    picking := sorting;
    page := public.catalog_merge(sorting, walked, first, needed);
    if page.is_short and cardinality(page.appids) * walk > first * needed then
      -- Twice the rows that the whole page should take by what these had.
      page := public.catalog_merge(sorting, walked, 2 * first * needed / cardinality(page.appids), needed);
    end if;
    is_found := not page.is_short;
  end if;

  if not is_found then
    driving := public.catalog_driver(filters.sources, gather, true);
    if driving is not null then
      page := public.catalog_pick(driving, null, null, probes, picking, needed);
      is_found := true;
    elsif filters.indexed <> '{}' then
      -- Rows of the indexes, and rows of a walk to the end of the page: the fewer go first, to a limit, since statistics may be wrong. By
      -- relevance the indexes always do: which order a search has must not change from page to page.
      estimate := case when by_relevance then gather else public.catalog_estimate(indexed) end;
      expected := needed * stored / greatest(estimate, 1);
      if by_relevance or estimate < expected then
        page := public.catalog_pick(
          null, indexed, case when by_relevance then gather else found end,
          -- What an index answers need not be tested again.
          public.catalog_all(array(select probe from unnest(filters.probes) as probe where probe <> all (filters.indexed))), picking, needed);
        is_found := not page.is_short;
      end if;
    end if;
  end if;

  if not is_found then
    rows := greatest(walk, least(2 * expected, most));
    page := public.catalog_merge(sorting, walked, rows, needed);
    if page.is_short and cardinality(page.appids) > max_apps / 4 then
      page := public.catalog_merge(sorting, walked, 2 * rows * needed / cardinality(page.appids), needed);
    end if;
    is_found := not page.is_short;
  end if;

  if not is_found then
    driving := public.catalog_driver(filters.sources, most, false);
    page := case when driving is null and filters.indexed = '{}' then public.catalog_merge(sorting, walked, null, needed)
      else public.catalog_pick(driving, indexed, null, probes, sorting, needed) end;
  end if;

  -- Close misses, at most 200, where no app has the words.
  if request ? 'words' and page.appids = '{}' then
    if search.near is not null and public.catalog_gather('select a.appid from public.apps a where ' || search.indexed, 200) = '{}' then
      if by_relevance then
        picking := public.catalog_rank('(3000 + array_position($1, a.appid))', request -> 'after');
      end if;
      page := public.catalog_pick(
        public.catalog_gather(search.near, 200), null, null, public.catalog_all(array_remove(filters.probes, search.condition)), picking, needed);
    end if;
  end if;

  summaries := public.catalog_summaries(page.appids[:max_apps]);
  return json_build_object(
    'apps', summaries.listed,
    'tag_names', summaries.tag_names,
    'next', case when cardinality(page.appids) > max_apps then json_build_object('key', page.keys[max_apps], 'appid', page.appids[max_apps]) end
  );
end
$$;

-- Tags, genres or categories with the number of apps of each, the most used first.
--   request {"kind": tags | genres | categories}; reply [{"id", "name", "apps"}, …]
create or replace function public.catalog_labels(request jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  kind constant text := request ->> 'kind';
  id_column constant text := case kind when 'tags' then 'tag_id' when 'genres' then 'genre_id' when 'categories' then 'category_id' end;
  labels jsonb;
begin
  execute format($sql$
    select coalesce(jsonb_agg(
      jsonb_build_object('id', l.%1$I, 'name', l.name, 'apps', coalesce(used.apps, 0)) order by used.apps desc nulls last, l.%1$I
    ), '[]')
    from public.%2$I l left join (select %1$I, count(*) as apps from public.%3$I group by 1) used on used.%1$I = l.%1$I
  $sql$, id_column, 'steam_' || kind, 'app_' || case kind when 'tags' then 'steam_tags' else kind end) into labels;
  return labels;
end
$$;

-- Developers, publishers or franchises by name, by keyset pagination.
--   request  {"kind": developers | publishers | franchises, "max": n, "after": name or absent, "words": all of them in the name, or absent}
--   reply    {"companies": [{"name", "apps"}, …], "has_more"}
create or replace function public.catalog_companies(request jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  kind constant text := request ->> 'kind';
  max_names constant integer := (request ->> 'max')::integer;
  -- Conditions one by one: an index of trigrams answers no array of patterns.
  has_words constant text := coalesce((
    select string_agg(format(' and name ilike %L', '%' || regexp_replace(word, '([\\%_])', '\\\1', 'g') || '%'), '')
    from jsonb_array_elements_text(request -> 'words') as word
  ), '');
  page jsonb;
begin
  execute format($sql$
    select coalesce(jsonb_agg(
      jsonb_build_object('name', n.name, 'apps', (select count(*) from public.%2$I r where r.%3$I = n.id)) order by n.name
    ), '[]')
    from (
      select id, name from public.%1$I
      where ($1 is null or name > $1)%4$s
      order by name limit $2 + 1
    ) n
  $sql$, kind, 'app_' || kind, rtrim(kind, 's') || '_id', has_words) into page using request ->> 'after', max_names;
  return jsonb_build_object('companies', case when jsonb_array_length(page) > max_names then page - max_names else page end,
                            'has_more', jsonb_array_length(page) > max_names);
end
$$;

-- Names that resemble a value, for "did you mean": those within some edits of it, and those that start with it, ignoring case.
--   request  {"relation": as in a request of catalog_apps, or type, "value", "edits": most insertions, deletions and replacements}
--   reply    [name, …], at most 50: a superset of the names within `edits`, unless there are more
-- A name within n edits contains at least one of any n + 1 separate pieces of the value unchanged.
create or replace function public.catalog_similar(request jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  value constant text := lower(request ->> 'value');
  edits constant integer := (request ->> 'edits')::integer;
  names constant text := case request ->> 'relation'
    when 'tag' then 'select name from public.steam_tags' when 'genre' then 'select name from public.steam_genres'
    when 'category' then 'select name from public.steam_categories' when 'developer' then 'select name from public.developers'
    when 'publisher' then 'select name from public.publishers' when 'franchise' then 'select name from public.franchises'
    when 'type' then 'select unnest(public.catalog_distinct(''type'')) as name' end;
  piece constant integer := greatest(1, length(value) / (edits + 1));
  pieces constant text[] := array(
    select '%' || regexp_replace(substr(value, 1 + place * piece, piece), '([\\%_])', '\\\1', 'g') || '%'
    from generate_series(0, edits) as place where place * piece < length(value)
  );
  prefix constant text := regexp_replace(value, '([\\%_])', '\\\1', 'g') || '%';
  found jsonb;
begin
  -- `ilike` and not an array of patterns: that is what a trigram index answers.
  execute format($sql$
    select coalesce(jsonb_agg(name order by place), '[]') from (
      select name, row_number() over (order by abs(length(name) - length($1)), name) as place
      from (%s) n
      where name ilike %L or length(name) between length($1) - $2 and length($1) + $2 and (%s)
      order by 2 limit 50
    ) page
  $sql$, names, prefix, coalesce((select string_agg(format('name ilike %L', pattern), ' or ') from unnest(pieces) as pattern), 'false'))
  into found using value, edits;
  return found;
end
$$;

-- Privileges of functions. Every role may execute a new function unless that is revoked, and a hosted project's default privileges grant it
-- to the API roles by name. So every migration that makes functions ends with a call of this one; only its owner may call it.

create or replace function public.pics_secure_functions() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  made regprocedure;
  role_name name;
begin
  for made in
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = 'public'::regnamespace and pg_has_role(p.proowner, 'usage') and (
      p.proname like any (array['pics\_%', 'leader\_%', 'collector\_%', 'web\_%', 'library\_%', 'catalog\_%', 'webhook\_%'])
      or p.proname in ('schema_version', 'get_apps_for_sync', 'report_worker', 'forget_worker')
    )
  loop
    execute format('revoke all on function %s from public', made);
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on function %s from %I', made, role_name);
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') and made <> 'public.pics_secure_functions()'::regprocedure then
      execute format('grant execute on function %s to service_role', made);
    end if;
  end loop;
end
$$;

-- The service's tables that the API roles reach beyond the contract: those of an older application, which keep their grants and policies
-- (everything that a migration of this service made is closed). Without row-level security, all who have the project's public key may do what
-- the grants allow; where it is on, the policies are the owner's choice. Empty where there are no API roles.
--   reply [{"name", "privileges": "anon: DELETE, INSERT, …; authenticated: …", "statements": [SQL that closes it, …]}, …] by name
create or replace function public.pics_open_tables() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with api_roles as (
    select rolname::text as role from pg_roles where rolname in ('anon', 'authenticated')
  ), tables(name, is_public) as (
    select unnest(array[
      'apps', 'app_info', 'app_branches', 'app_depots', 'app_depot_manifests', 'app_changes', 'app_events', 'app_steam_deck', 'app_steam_tags',
      'app_genres', 'app_categories', 'app_franchises', 'app_developers', 'app_publishers', 'app_dlc', 'steam_tags', 'steam_genres',
      'steam_categories', 'franchises', 'developers', 'publishers', 'game_metadata'
    ]), true
    union all
    select unnest(array[
      'sync_status', 'pics_sync_state', 'pics_gaps', 'pics_access_tokens', 'pics_claims', 'pics_replies', 'pics_sizes', 'leader_leases', 'workers', 'steam_keys', 'webhooks',
      'collector_state', 'app_list_entries', 'web_api_usage', 'web_api_throttles', 'ImportedGame', 'Game', 'LibraryItem', 'Genre', 'Platform',
      'GameGenre', 'GamePlatform', 'library_choices', 'library_written', 'igdb_answers', 'web_tokens'
    ]), false
  ), ours as (
    select c.oid, name, format('public.%I', name) as qualified, is_public
    from pg_class c join tables on c.relname = name
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity
  ), granted as (
    select ours.oid, role, string_agg(privilege, ', ' order by privilege) as privileges
    from ours, api_roles, unnest(array['DELETE', 'INSERT', 'SELECT', 'TRUNCATE', 'UPDATE']) privilege
    where not (is_public and privilege = 'SELECT') and (
      has_table_privilege(role, ours.oid, privilege)
      or privilege in ('INSERT', 'SELECT', 'UPDATE') and has_any_column_privilege(role, ours.oid, privilege)
    )
    group by ours.oid, role
  ), listed as (
    select string_agg(role, ', ' order by role) as roles from api_roles
  ), found as (
    select name, qualified, is_public, string_agg(role || ': ' || privileges, '; ' order by role) as privileges
    from ours join granted using (oid) group by name, qualified, is_public
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', name,
    'privileges', privileges,
    'statements', to_jsonb(array_remove(array[
      format('alter table %s enable row level security;', qualified),
      format('revoke all on table %s from public, %s;', qualified, roles),
      case when is_public then format('grant select on table %s to %s;', qualified, roles) end,
      case when is_public then
        format('create policy "API roles read the catalog" on %s for select to %s using (true);', qualified, roles)
      end,
      -- It may have had its privileges through PUBLIC.
      case when exists (select from pg_roles where rolname = 'service_role') then
        format('grant all on table %s to service_role;', qualified)
      end
    ], null))
  ) order by name collate "C"), '[]')
  from found, listed;
$$;

select public.pics_secure_functions();
