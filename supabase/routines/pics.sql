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
