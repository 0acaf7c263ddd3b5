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
