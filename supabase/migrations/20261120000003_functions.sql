-- Every write and every claim of the service, as functions that take one jsonb request and return one jsonb value: a hosted
-- project cuts row sets at 1,000, and three transports (PostgREST, Postgres, PGlite) then share one call.
--
-- The path of an app:  pics_mark (Steam has change n) -> pics_claim (a worker takes it under a lease)
--                      -> pics_apply (its rows are written and the mark is cleared, in one transaction).
-- All times are the database's; lengths of leases and delays are arguments.

-- The version of the newest migration, for clients that have no SQL connection to read the history table. Every later
-- migration replaces it.
create or replace function public.schema_version() returns text
language sql immutable
set search_path = public, pg_temp
as $$ select '20261120000003' $$;

------------------------------------------------------------------------------------------------------------- marking

-- Compares what Steam has with what is stored and marks what differs as pending.
--   request  {"apps": [[appid, change_number], …], "unknown": [appid, …], "full": false}
--   reply    {"known": apps named, "marked": apps now pending, "now": the database's time}
-- `full` marks every named app. An unknown app is marked when it is stored and believed known: fetching it decides. Rows that
-- another application synced before this one was installed count as not stored. Marks only grow; repeating is harmless.
create or replace function public.pics_mark(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
-- A first load begins on empty tables; a plan that a session makes for those must not be kept while they grow.
set plan_cache_mode = force_custom_plan
as $$
declare
  is_full constant boolean := coalesce((request ->> 'full')::boolean, false);
  marked integer;
begin
  with announced as (
    select (pair ->> 0)::integer as appid, (pair ->> 1)::bigint as change, true as is_known
    from jsonb_array_elements(request -> 'apps') as pair
    union all
    select id::integer, null, false
    from jsonb_array_elements_text(request -> 'unknown') as id
  ), differing as (
    select announced.appid, coalesce(announced.change, s.pics_change_number, 0) as change, s.last_pics_sync
    from announced
    left join sync_status s on s.appid = announced.appid
    left join apps a on a.appid = announced.appid
    where case when announced.is_known then
      is_full or s.pics_change_number is null or s.pics_change_number < announced.change or a.is_known is not true
        or coalesce(s.last_pics_sync, '-infinity') < (select installed_at from pics_sync_state)
    else
      a.is_known and s.pics_pending_change is null
    end
  )
  -- A row that was stored between the comparison and this write says so by its last_pics_sync: then only a newer number marks it.
  insert into sync_status as s (appid, pics_pending_change, pending_since, last_pics_sync)
  select appid, max(change), now(), max(last_pics_sync) from differing group by appid order by appid
  on conflict (appid) do update set
    pics_pending_change = greatest(s.pics_pending_change, excluded.pics_pending_change),
    pending_since = coalesce(s.pending_since, excluded.pending_since),
    attempts = 0,
    next_attempt_at = null
  where (s.pics_pending_change is null or s.pics_pending_change < excluded.pics_pending_change)
    and (s.last_pics_sync is not distinct from excluded.last_pics_sync or s.pics_change_number < excluded.pics_pending_change);
  get diagnostics marked = row_count;

  return jsonb_build_object(
    'known', coalesce(jsonb_array_length(request -> 'apps'), 0),
    'marked', marked,
    'now', clock_timestamp()
  );
end
$$;

-- Begins a bulk pass.
--   request  {"change_number": Steam's current one, "appids": [the only ones] or null for a pass over everything}
--   reply    {"last_change_number", "pending": apps with work, "highest_appid": of all stored, "started_at"}
-- The change number is stored only if none is, so that a monitor started later misses nothing. Apps that failed before are
-- tried afresh.
create or replace function public.pics_begin_bulk(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  is_whole constant boolean := coalesce(jsonb_typeof(request -> 'appids') <> 'array', true);
  only_these constant integer[] := case when not is_whole then array(select jsonb_array_elements_text(request -> 'appids')) end;
  state pics_sync_state;
begin
  update pics_sync_state set
    last_change_number = coalesce(last_change_number, (request ->> 'change_number')::bigint),
    bulk_started_at = case when is_whole then now() else bulk_started_at end,
    updated_at = now()
  where id = 1
  returning * into state;

  update sync_status set attempts = 0, next_attempt_at = null
  where pics_pending_change is not null and attempts > 0 and (is_whole or appid in (select unnest(only_these)));

  return jsonb_build_object(
    'last_change_number', state.last_change_number,
    'pending', (select count(*) from sync_status where pics_pending_change is not null and (is_whole or appid in (select unnest(only_these)))),
    'highest_appid', (select coalesce(max(appid), 0) from apps),
    'started_at', now()
  );
end
$$;

-- Ends a pass over everything. request {"started_at": from pics_begin_bulk}; reply {"bulk_completed_at"}
create or replace function public.pics_finish_bulk(request jsonb) returns jsonb
language sql volatile
set search_path = public, pg_temp
as $$
  update pics_sync_state set
    bulk_completed_at = now(),
    last_verified_at = greatest(last_verified_at, (request ->> 'started_at')::timestamptz),
    updated_at = now()
  where id = 1
  returning jsonb_build_object('bulk_completed_at', bulk_completed_at);
$$;

-- Ids of stored apps, by key. request {"after": appid, "max": n}; reply [appid, …] ascending
create or replace function public.pics_stored_appids(request jsonb) returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(appid order by appid), '[]')
  from (
    select appid from apps where appid > (request ->> 'after')::integer order by appid limit (request ->> 'max')::integer
  ) page;
$$;

------------------------------------------------------------------------------------------------------------- claiming

-- Takes pending apps under a lease.
--   request  {"lease_id": uuid, "max": apps, "lease_seconds": n, "appids": [only these] or absent,
--             "max_attempts": leave apps that failed so often, or absent}
--   reply    {"apps": [{"appid", "change_number", "attempts", "access_token", "needs_token", "token_denied"}, …],
--             "waiting": apps that will be due later (leased by others or in backoff), "due_in_seconds": the soonest, or null}
-- The longest pending first. Apps that failed before come when no others are left, in batches that shrink with every failure
-- until one that makes every request fail is alone. The same lease_id again returns the same apps.
create or replace function public.pics_claim(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  this_lease constant uuid := (request ->> 'lease_id')::uuid;
  lease_length constant interval := make_interval(secs => (request ->> 'lease_seconds')::double precision);
  max_apps constant integer := (request ->> 'max')::integer;
  max_attempts constant integer := coalesce((request ->> 'max_attempts')::integer, 2147483647);
  only_these integer[];
  now_at constant timestamptz := clock_timestamp();
  retried integer;
  claimed jsonb;
  waiting integer;
  due_in double precision;
begin
  if jsonb_typeof(request -> 'appids') = 'array' then
    only_these := array(select jsonb_array_elements_text(request -> 'appids')::integer);
  end if;

  -- A repeat may come while the first call still runs; it waits, and finds what that one claimed.
  perform pg_advisory_xact_lock(hashtextextended(this_lease::text, 0));

  if not exists (select from sync_status where lease_id = this_lease and lease_until > now_at) then
    with free as (
      select appid from sync_status
      where pics_pending_change is not null and attempts = 0 and (lease_until is null or lease_until <= now_at)
        and (only_these is null or appid in (select unnest(only_these)))
      order by pending_since, appid
      limit max_apps
      for update skip locked
    )
    update sync_status s
    set lease_id = this_lease, lease_until = now_at + lease_length, lease_change = s.pics_pending_change
    from free where s.appid = free.appid;

    if not found then
      select attempts into retried from sync_status
      where pics_pending_change is not null and attempts between 1 and max_attempts - 1 and next_attempt_at <= now_at
        and (lease_until is null or lease_until <= now_at) and (only_these is null or appid in (select unnest(only_these)))
      order by next_attempt_at
      limit 1;

      with free as (
        select appid from sync_status
        where pics_pending_change is not null and attempts = retried and next_attempt_at <= now_at
          and (lease_until is null or lease_until <= now_at) and (only_these is null or appid in (select unnest(only_these)))
        order by next_attempt_at, appid
        limit greatest(1, max_apps / (4 ^ least(retried, 10))::integer)
        for update skip locked
      )
      update sync_status s
      set lease_id = this_lease, lease_until = now_at + lease_length, lease_change = s.pics_pending_change
      from free where s.appid = free.appid;
    end if;
  end if;

  select jsonb_agg(jsonb_build_object(
      'appid', s.appid,
      'change_number', s.lease_change,
      'attempts', s.attempts,
      'access_token', t.access_token,
      'needs_token', s.needs_token or s.missing_token,
      'token_denied', coalesce(t.denied_at > now_at - interval '1 day', false)
    ) order by s.appid)
  into claimed
  from sync_status s
  left join pics_access_tokens t on t.appid = s.appid
  where s.lease_id = this_lease and s.lease_until > now_at;

  if claimed is null then
    select count(*), extract(epoch from min(greatest(s.next_attempt_at, s.lease_until, now_at)) - now_at)
    into waiting, due_in
    from sync_status s
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

-- Makes a valid lease longer. request {"lease_id", "lease_seconds"}; reply {"renewed": apps still held}
create or replace function public.pics_renew(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  renewed integer;
begin
  update sync_status
  set lease_until = clock_timestamp() + make_interval(secs => (request ->> 'lease_seconds')::double precision)
  where lease_id = (request ->> 'lease_id')::uuid and lease_until > clock_timestamp();
  get diagnostics renewed = row_count;
  return jsonb_build_object('renewed', renewed);
end
$$;

-- Gives a lease back, so that others need not wait for it to lapse; no attempt is counted.
-- request {"lease_id"}; reply {"released": apps}
create or replace function public.pics_release(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  released integer;
begin
  update sync_status set lease_id = null, lease_until = null, lease_change = null
  where lease_id = (request ->> 'lease_id')::uuid;
  get diagnostics released = row_count;
  return jsonb_build_object('released', released);
end
$$;

------------------------------------------------------------------------------------------------------------- applying

-- Mirrors one relation between apps and names (developers, publishers, franchises), creating names on first sight.
--   payloads  [{"appid", "<relation>": ["name", …]}, …]; an absent list leaves what is stored
--   stored    the apps among them that have rows already
create or replace function public.pics_mirror_names(payloads jsonb, relation text, stored integer[]) returns void
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  -- developers -> app_developers.developer_id
  id_column constant text := rtrim(relation, 's') || '_id';
begin
  -- In name order, so that two workers that meet the same new names wait for each other in one direction only.
  execute format($sql$
    insert into %1$I (name)
    select distinct n.name
    from jsonb_to_recordset($1) as p(%1$I text[]), unnest(p.%1$I) as n(name)
    where not exists (select from %1$I known where known.name = n.name)
    order by n.name
    on conflict do nothing
  $sql$, relation) using payloads;

  if stored <> '{}' then
    execute format($sql$
      delete from %2$I r
      using jsonb_to_recordset($1) as p(appid integer, %1$I text[])
      where p.appid = any ($2) and r.appid = p.appid and p.%1$I is not null
        and not exists (select from %1$I named where named.id = r.%3$I and named.name = any (p.%1$I))
    $sql$, relation, 'app_' || relation, id_column) using payloads, stored;
  end if;

  execute format($sql$
    insert into %2$I (appid, %3$I)
    select p.appid, named.id
    from jsonb_to_recordset($1) as p(appid integer, %1$I text[]), unnest(p.%1$I) as n(name)
    join %1$I named on named.name = n.name
  $sql$ || case when stored <> '{}' then 'on conflict do nothing' else '' end, relation, 'app_' || relation, id_column) using payloads;
end
$$;

-- Writes the records of some apps: their row and everything that hangs on it. What a record no longer lists is deleted; what a
-- record does not mention (a partial one) stays. Rows that would not change are not written.
--   payloads  [{"appid", columns of apps…, "tags": […], …, "partial": bool}, …] as `AppRecord` in src/catalog
create or replace function public.pics_write_apps(payloads jsonb) returns void
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  stored integer[];
begin
  -- A lookup for each app, here and below, where a join might be planned on an empty table and read all of it ever after.
  stored := array(
    select p.appid from jsonb_to_recordset(payloads) as p(appid integer)
    where (select true from apps a where a.appid = p.appid)
  );

  insert into apps as a (
    appid, name, type, is_free, release_state, steam_release_date, original_release_date, store_asset_mtime, platforms,
    controller_support, pics_review_score, pics_review_percentage, metacritic_score, metacritic_url, parent_appid,
    homepage_url, app_state, last_content_update, current_build_id, content_descriptors, languages, has_workshop
  )
  select
    p.appid, p.name, p.type, p.is_free, p.release_state, p.steam_release_date, p.original_release_date, p.store_asset_mtime,
    p.platforms, p.controller_support, p.pics_review_score, p.pics_review_percentage, p.metacritic_score, p.metacritic_url,
    p.parent_appid, p.homepage_url, p.app_state, p.last_content_update, p.current_build_id, p.content_descriptors,
    p.languages, p.has_workshop
  from jsonb_array_elements(payloads) as payload, jsonb_to_record(
    -- A partial record is completed from the stored row.
    case when (payload ->> 'partial')::boolean
      then coalesce((select to_jsonb(a) from apps a where a.appid = (payload ->> 'appid')::integer), '{}') || payload
      else payload
    end
  ) as p(
    appid integer, name text, type text, is_free boolean, release_state text, steam_release_date timestamptz,
    original_release_date timestamptz, store_asset_mtime timestamptz, platforms text, controller_support text,
    -- Read as numeric: an older application's column may hold fractions.
    pics_review_score numeric, pics_review_percentage numeric, metacritic_score numeric, metacritic_url text,
    parent_appid integer, homepage_url text, app_state text, last_content_update timestamptz, current_build_id text,
    content_descriptors jsonb, languages jsonb, has_workshop boolean
  )
  order by p.appid
  on conflict (appid) do update set
    name = excluded.name,
    type = excluded.type,
    is_known = true,
    is_active = a.is_listed is not false,
    is_free = excluded.is_free,
    release_state = excluded.release_state,
    steam_release_date = excluded.steam_release_date,
    original_release_date = excluded.original_release_date,
    store_asset_mtime = excluded.store_asset_mtime,
    platforms = excluded.platforms,
    controller_support = excluded.controller_support,
    pics_review_score = excluded.pics_review_score,
    pics_review_percentage = excluded.pics_review_percentage,
    metacritic_score = excluded.metacritic_score,
    metacritic_url = excluded.metacritic_url,
    parent_appid = excluded.parent_appid,
    homepage_url = excluded.homepage_url,
    app_state = excluded.app_state,
    last_content_update = excluded.last_content_update,
    current_build_id = excluded.current_build_id,
    content_descriptors = excluded.content_descriptors,
    languages = excluded.languages,
    has_workshop = excluded.has_workshop,
    updated_at = now()
  where a.is_known is not true or a.is_active is distinct from (a.is_listed is not false) or (
      a.name, a.type, a.is_free, a.release_state, a.steam_release_date, a.original_release_date, a.store_asset_mtime,
      a.platforms, a.controller_support, a.pics_review_score, a.pics_review_percentage, a.metacritic_score, a.metacritic_url,
      a.parent_appid, a.homepage_url, a.app_state, a.last_content_update, a.current_build_id, a.content_descriptors,
      a.languages, a.has_workshop
    ) is distinct from (
      excluded.name, excluded.type, excluded.is_free, excluded.release_state, excluded.steam_release_date,
      excluded.original_release_date, excluded.store_asset_mtime, excluded.platforms, excluded.controller_support,
      excluded.pics_review_score, excluded.pics_review_percentage, excluded.metacritic_score, excluded.metacritic_url,
      excluded.parent_appid, excluded.homepage_url, excluded.app_state, excluded.last_content_update,
      excluded.current_build_id, excluded.content_descriptors, excluded.languages, excluded.has_workshop
    );

  -- Ids that nobody has named yet.
  insert into steam_tags (tag_id)
  select distinct id from jsonb_to_recordset(payloads) as p(tags integer[]), unnest(p.tags) as id
  where not exists (select from steam_tags known where known.tag_id = id) order by id
  on conflict do nothing;

  insert into steam_genres (genre_id)
  select distinct id from jsonb_to_recordset(payloads) as p(genres integer[]), unnest(p.genres) as id
  where not exists (select from steam_genres known where known.genre_id = id) order by id
  on conflict do nothing;

  insert into steam_categories (category_id)
  select distinct id from jsonb_to_recordset(payloads) as p(categories integer[]), unnest(p.categories) as id
  where not exists (select from steam_categories known where known.category_id = id) order by id
  on conflict do nothing;

  if stored <> '{}' then
    delete from app_steam_tags r using jsonb_to_recordset(payloads) as p(appid integer, tags integer[])
    where p.appid = any (stored) and r.appid = p.appid and r.tag_id <> all (p.tags);

    delete from app_genres r using jsonb_to_recordset(payloads) as p(appid integer, genres integer[])
    where p.appid = any (stored) and r.appid = p.appid and r.genre_id <> all (p.genres);

    delete from app_categories r using jsonb_to_recordset(payloads) as p(appid integer, categories integer[])
    where p.appid = any (stored) and r.appid = p.appid and r.category_id <> all (p.categories);

    delete from app_dlc r using jsonb_to_recordset(payloads) as p(appid integer, dlc integer[])
    where p.appid = any (stored) and r.appid = p.appid and r.dlc_appid <> all (p.dlc);

    delete from app_steam_deck r using jsonb_array_elements(payloads) as p
    where r.appid = (p ->> 'appid')::integer and p -> 'steam_deck' = 'null';
  end if;

  -- Of apps that are new there are no relations yet, and an insert that looks out for none is cheaper.
  execute $sql$
    insert into app_steam_tags as r (appid, tag_id, rank)
    select p.appid, tag.id, tag.rank
    from jsonb_to_recordset($1) as p(appid integer, tags integer[]), unnest(p.tags) with ordinality as tag(id, rank)
  $sql$ || case when stored <> '{}' then $sql$
    on conflict (appid, tag_id) do update set rank = excluded.rank where r.rank <> excluded.rank
  $sql$ else '' end using payloads;

  execute $sql$
    insert into app_genres as r (appid, genre_id, is_primary)
    select p.appid, genre, genre is not distinct from p.primary_genre
    from jsonb_to_recordset($1) as p(appid integer, genres integer[], primary_genre integer), unnest(p.genres) as genre
  $sql$ || case when stored <> '{}' then $sql$
    on conflict (appid, genre_id) do update set is_primary = excluded.is_primary where r.is_primary <> excluded.is_primary
  $sql$ else '' end using payloads;

  execute $sql$
    insert into app_categories (appid, category_id)
    select p.appid, category
    from jsonb_to_recordset($1) as p(appid integer, categories integer[]), unnest(p.categories) as category
  $sql$ || case when stored <> '{}' then 'on conflict do nothing' else '' end using payloads;

  insert into app_dlc (appid, dlc_appid)
  select p.appid, dlc_appid
  from jsonb_to_recordset(payloads) as p(appid integer, dlc integer[]), unnest(p.dlc) as dlc_appid
  on conflict do nothing;

  perform pics_mirror_names(payloads, 'developers', stored);
  perform pics_mirror_names(payloads, 'publishers', stored);
  perform pics_mirror_names(payloads, 'franchises', stored);

  insert into app_steam_deck as d (appid, category, steamos_category, test_timestamp, tested_build_id, tests)
  select p.appid, deck.category, deck.steamos_category, deck.test_timestamp, deck.tested_build_id, deck.tests
  from jsonb_to_recordset(payloads) as p(appid integer, steam_deck jsonb),
    jsonb_to_record(p.steam_deck) as deck(
      category text, steamos_category text, test_timestamp timestamptz, tested_build_id text, tests jsonb
    )
  where p.steam_deck is not null
  on conflict (appid) do update set
    category = excluded.category,
    steamos_category = excluded.steamos_category,
    test_timestamp = excluded.test_timestamp,
    tested_build_id = excluded.tested_build_id,
    tests = excluded.tests,
    updated_at = now()
  where (d.category, d.steamos_category, d.test_timestamp, d.tested_build_id, d.tests)
    is distinct from (excluded.category, excluded.steamos_category, excluded.test_timestamp, excluded.tested_build_id, excluded.tests);
end
$$;

-- What is stored of some apps, as one jsonb object each: the columns of `apps`, and every relation as a sorted list.
create or replace function public.pics_app_images(appids integer[]) returns table (appid integer, image jsonb)
language sql stable
set search_path = public, pg_temp
as $$
  select a.appid, to_jsonb(a) - array['appid', 'created_at', 'updated_at'] || jsonb_build_object(
    'tags', (select coalesce(jsonb_agg(r.tag_id order by r.tag_id), '[]') from app_steam_tags r where r.appid = a.appid),
    'genres', (select coalesce(jsonb_agg(r.genre_id order by r.genre_id), '[]') from app_genres r where r.appid = a.appid),
    'primary_genre', (select min(r.genre_id) from app_genres r where r.appid = a.appid and r.is_primary),
    'categories', (select coalesce(jsonb_agg(r.category_id order by r.category_id), '[]') from app_categories r where r.appid = a.appid),
    'dlc', (select coalesce(jsonb_agg(r.dlc_appid order by r.dlc_appid), '[]') from app_dlc r where r.appid = a.appid),
    'developers', (select coalesce(jsonb_agg(n.name order by n.name), '[]')
                   from app_developers r join developers n on n.id = r.developer_id where r.appid = a.appid),
    'publishers', (select coalesce(jsonb_agg(n.name order by n.name), '[]')
                   from app_publishers r join publishers n on n.id = r.publisher_id where r.appid = a.appid),
    'franchises', (select coalesce(jsonb_agg(n.name order by n.name), '[]')
                   from app_franchises r join franchises n on n.id = r.franchise_id where r.appid = a.appid),
    'steam_deck', (select to_jsonb(d) - array['appid', 'updated_at'] from app_steam_deck d where d.appid = a.appid)
  )
  from apps a where a.appid = any (appids);
$$;

-- Stores what was fetched for a claim and clears the marks, in one transaction.
--   request  {"request_id": uuid, "lease_id": uuid,
--             "apps": [{"change_number", "partial", "missing_token", … an AppRecord}, …],
--             "unknown": [appid, …], "failed": [{"appid", "error"}, …],
--             "tokens": [{"appid", "access_token": text or null when denied}, …],
--             "retry_seconds": delay after a first failure, "retry_max_seconds": its limit,
--             "history": whether app_changes gets a row for each field that changes on an app that was stored before}
--   reply    {"stored", "stale", "unknown", "failed", "lease_lost"}: numbers of apps
-- Only apps under this unexpired lease are touched; others count as lease_lost. An app info older than the stored one is skipped, one
-- older than what was claimed is stored and asked for again later. A mark survives where a newer change was announced meanwhile.
-- The same request_id again returns the first reply and does nothing.
create or replace function public.pics_apply(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  this_request constant uuid := (request ->> 'request_id')::uuid;
  this_lease constant uuid := (request ->> 'lease_id')::uuid;
  retry_seconds constant double precision := (request ->> 'retry_seconds')::double precision;
  retry_max_seconds constant double precision := (request ->> 'retry_max_seconds')::double precision;
  now_at constant timestamptz := clock_timestamp();
  payloads jsonb := coalesce(request -> 'apps', '[]');
  fetched constant integer[] := array(select appid from jsonb_to_recordset(payloads) as p(appid integer));
  unknown constant integer[] := array(select jsonb_array_elements_text(request -> 'unknown'));
  failed constant integer[] := array(select appid from jsonb_to_recordset(request -> 'failed') as f(appid integer));
  held integer[];
  writable integer[];
  stored_before integer[];
  images_before jsonb;
  this_reply jsonb;
begin
  insert into pics_replies (request_id) values (this_request) on conflict do nothing;
  if not found then
    select reply into this_reply from pics_replies where request_id = this_request;
    return this_reply;
  end if;
  delete from pics_replies where request_id in (
    select request_id from pics_replies where created_at < now() - interval '1 hour' limit 10 for update skip locked
  );

  held := array(
    select appid from sync_status
    where lease_id = this_lease and lease_until > now_at and appid = any (fetched || unknown || failed)
    order by appid for update
  );

  insert into pics_access_tokens (appid, access_token, denied_at)
  select distinct on (appid) appid, access_token, case when access_token is null then now() end
  from jsonb_to_recordset(request -> 'tokens') as t(appid integer, access_token text)
  order by appid, access_token
  on conflict (appid) do update set access_token = excluded.access_token, denied_at = excluded.denied_at;

  -- What may be written: held, and not older than what is stored (by this application: see pics_mark).
  writable := array(
    select s.appid from jsonb_to_recordset(payloads) as p(appid integer, change_number bigint)
    join sync_status s on s.appid = p.appid
    where s.appid = any (held) and (
      p.change_number >= coalesce(s.pics_change_number, 0)
      or coalesce(s.last_pics_sync, '-infinity') < (select installed_at from pics_sync_state)
    )
  );
  if cardinality(writable) < cardinality(fetched) then
    payloads := (select jsonb_agg(p) from jsonb_array_elements(payloads) as p where (p ->> 'appid')::integer = any (writable));
  end if;
  if coalesce((request ->> 'history')::boolean, true) then
    stored_before := array(
      select appid from sync_status
      where appid = any (held) and appid = any (writable || unknown) and pics_change_number is not null
        and last_pics_sync >= (select installed_at from pics_sync_state)
    );
    if stored_before <> '{}' then
      images_before := (select jsonb_object_agg(appid, image) from pics_app_images(stored_before));
    end if;
  end if;
  if writable <> '{}' then
    perform pics_write_apps(payloads);
  end if;

  -- The mark goes unless something newer than this answer has been announced, before the claim or since.
  update sync_status s set
    pics_change_number = case when is_written then p.change_number else s.pics_change_number end,
    last_pics_sync = case when is_written then now() else s.last_pics_sync end,
    missing_token = case when is_written then coalesce(p.missing_token, false) else s.missing_token end,
    pics_pending_change = case when p.change_number < s.pics_pending_change then s.pics_pending_change end,
    pending_since = case when p.change_number < s.pics_pending_change then s.pending_since end,
    attempts = case when is_behind then s.attempts + 1 else 0 end,
    next_attempt_at = case when is_behind
      then now_at + make_interval(secs => least(retry_max_seconds, retry_seconds * 2 ^ least(s.attempts, 30))) end,
    last_error = case when is_behind
      then format('Steam announced change %s and answered with change %s', s.lease_change, p.change_number) end,
    lease_id = null, lease_until = null, lease_change = null
  from (
    select p.*, p.appid = any (writable) as is_written, p.change_number < claimed.lease_change as is_behind
    from jsonb_to_recordset(coalesce(request -> 'apps', '[]')) as p(appid integer, change_number bigint, missing_token boolean)
    join sync_status claimed on claimed.appid = p.appid
  ) p
  where s.appid = p.appid and s.appid = any (held);

  -- Steam does not know these. It takes effect only if nothing newer has been announced since the claim.
  with gone as (
    select appid from sync_status
    where appid = any (held) and appid = any (unknown) and pics_pending_change = lease_change
  ), marked as (
    update apps set is_known = false, is_active = false, updated_at = now()
    from gone where apps.appid = gone.appid and apps.is_known
  ), forgotten as (
    delete from sync_status s using gone
    where s.appid = gone.appid and s.last_pics_sync is null and not exists (select from apps a where a.appid = s.appid)
  )
  update sync_status s set
    pics_change_number = greatest(s.pics_change_number, s.lease_change), last_pics_sync = now(),
    pics_pending_change = null, pending_since = null, attempts = 0, next_attempt_at = null, last_error = null
  from gone
  where s.appid = gone.appid and (s.last_pics_sync is not null or exists (select from apps a where a.appid = s.appid));

  update sync_status s set
    attempts = s.attempts + 1,
    last_error = f.error,
    next_attempt_at = now_at + make_interval(secs => least(retry_max_seconds, retry_seconds * 2 ^ least(s.attempts, 30)))
  from jsonb_to_recordset(request -> 'failed') as f(appid integer, error text)
  where s.appid = f.appid and s.appid = any (held);

  update sync_status set lease_id = null, lease_until = null, lease_change = null
  where appid = any (held) and appid = any (unknown || failed);

  if stored_before <> '{}' then
    insert into app_changes (appid, change_number, field, old, new)
    select a.appid, s.pics_change_number, now_is.key, nullif(images_before -> a.appid::text -> now_is.key, 'null'), nullif(now_is.value, 'null')
    from pics_app_images(stored_before) a
    join sync_status s on s.appid = a.appid
    cross join lateral jsonb_each(a.image) as now_is
    where images_before -> a.appid::text -> now_is.key is distinct from now_is.value
    order by a.appid, now_is.key;
  end if;

  this_reply := jsonb_build_object(
    'stored', cardinality(writable),
    'stale', (select count(*) from unnest(fetched) as id where id = any (held)) - cardinality(writable),
    'unknown', (select count(*) from unnest(unknown) as id where id = any (held)),
    'failed', (select count(*) from unnest(failed) as id where id = any (held)),
    'lease_lost', (select count(*) from unnest(fetched || unknown || failed) as id where id <> all (held))
  );
  update pics_replies set reply = this_reply where request_id = this_request;
  return this_reply;
end
$$;

---------------------------------------------------------------------------------------------------------------- names

-- Tags that have no name yet. request {"after": tag_id, "max": n}; reply [tag_id, …] ascending
create or replace function public.pics_unnamed_tags(request jsonb) returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(tag_id order by tag_id), '[]')
  from (
    select tag_id from steam_tags where name is null and tag_id > (request ->> 'after')::integer
    order by tag_id limit (request ->> 'max')::integer
  ) page;
$$;

-- Names tags. request {"tags": [{"tag_id", "name"}, …]}; reply {"named": tags}
create or replace function public.pics_name_tags(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  named integer;
begin
  update steam_tags t set name = n.name
  from jsonb_to_recordset(request -> 'tags') as n(tag_id integer, name text)
  where t.tag_id = n.tag_id and n.name <> '' and t.name is distinct from n.name;
  get diagnostics named = row_count;
  return jsonb_build_object('named', named);
end
$$;

-------------------------------------------------------------------------------------------------------------- reading

-- How far the catalog follows Steam. reply {columns of pics_sync_state…, "pending", "failing", "apps"}
create or replace function public.pics_state() returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select to_jsonb(state) || jsonb_build_object(
    'apps', (select count(*) from apps),
    'pending', (select count(*) from sync_status where pics_pending_change is not null),
    'failing', (select count(*) from sync_status where pics_pending_change is not null and attempts > 0)
  )
  from pics_sync_state state where id = 1;
$$;

-- Apps whose last attempt failed, the most often failed first.
-- request {"max": n}; reply [{"appid", "name", "error", "attempts", "next_attempt_at"}, …]
create or replace function public.pics_failing(request jsonb) returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(to_jsonb(worst)), '[]')
  from (
    select s.appid, a.name, s.last_error as error, s.attempts, s.next_attempt_at
    from sync_status s left join apps a on a.appid = s.appid
    where s.pics_pending_change is not null and s.attempts > 0
    order by s.attempts desc, s.appid
    limit (request ->> 'max')::integer
  ) worst;
$$;

-- The catalog in numbers.
-- reply {"apps", "by_type": [{"name", "count"}], "deck": [{"category", "count"}], "top_tags": [{"name", "count"}]}
create or replace function public.catalog_summary() returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'apps', (select count(*) from apps),
    'by_type', (
      select coalesce(jsonb_agg(to_jsonb(t)), '[]')
      from (select coalesce(type, 'none') as name, count(*) from apps group by 1 order by 2 desc, 1) t
    ),
    'deck', (
      select coalesce(jsonb_agg(to_jsonb(d)), '[]')
      from (select category, count(*) from app_steam_deck group by 1 order by 2 desc, 1) d
    ),
    'top_tags', (
      select coalesce(jsonb_agg(to_jsonb(t)), '[]')
      from (
        select coalesce(s.name, 'tag ' || used.tag_id) as name, used.count
        from (select tag_id, count(*) from app_steam_tags group by 1 order by 2 desc, 1 limit 10) used
        join steam_tags s on s.tag_id = used.tag_id
        order by used.count desc, 1
      ) t
    )
  );
$$;

-- Appids most due for `pics` or `steamspy`: never synced first, then pending longest, then synced longest ago.
create or replace function public.get_apps_for_sync(source text, max_apps integer) returns jsonb
language plpgsql stable
set search_path = public, pg_temp
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
        from apps a full join sync_status s on s.appid = a.appid
      ) candidates
      order by place
      limit max_apps
    ) due
  );
end
$$;

-------------------------------------------------------------------------------------------------------------- security
-- Functions are executable by everybody unless revoked, and a hosted project's default privileges grant them again by name. So every
-- migration that makes functions ends with a call of this one; only their owner may make it.

create or replace function public.pics_secure_functions() returns void
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  made regprocedure;
  role_name name;
begin
  for made in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'public' and (
      p.proname like any (array['pics\_%', 'leader\_%'])
      or p.proname in ('schema_version', 'catalog_summary', 'get_apps_for_sync', 'report_worker', 'forget_worker')
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

select public.pics_secure_functions();
