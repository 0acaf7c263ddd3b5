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

-- Backlog of pending apps.
--   reply {"pending": due now, "failing": in backoff, "unconfirmed": waiting for a second "unknown",
--          "mass_unknown_at": when "unknown" was last not believed, being said of too many apps, "lag_seconds": age of the oldest pending, null when none, "failing_apps": as pics_failing}
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
    'failing_apps', public.pics_failing('{"max": 20}')
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

--------------------------------------------------------------------------------------------------------------- apps

-- Freshness of a stored app: the later of its own last answer and the last pass that found every change number current. Null for what
-- another application stored before this one was installed.
create or replace function public.pics_synced_at(last_pics_sync timestamptz) returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select greatest(last_pics_sync, state.last_verified_at)
  from public.pics_sync_state state where state.id = 1 and last_pics_sync >= state.installed_at;
$$;

-- One app with everything that is stored of it. request {"appid"}; reply an `AppView` of src/catalog/views.ts, or null
create or replace function public.catalog_app(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  select (
    -- Every column that PICS writes, and the service's own; an older application's columns are left out.
    select jsonb_object_agg(field.key, field.value) from jsonb_each(to_jsonb(a)) as field
    where field.key <> 'parent_appid'
      and field.key = any (public.pics_app_columns() || array['appid', 'is_known', 'is_listed', 'is_active', 'created_at', 'updated_at'])
  ) || jsonb_build_object(
    'platforms', to_jsonb(coalesce(string_to_array(a.platforms, ','), '{}')),
    -- Version 1 of the extractor kept only supported languages, and did not say so.
    'languages', case when jsonb_typeof(a.languages) = 'object' then (
      select coalesce(jsonb_object_agg(
        l.key, case jsonb_typeof(l.value) when 'object' then '{"supported": true}' || l.value else l.value end
      ), '{}')
      from jsonb_each(a.languages) as l
    ) else a.languages end,
    'parent', case when a.parent_appid is not null then
      jsonb_build_object('appid', a.parent_appid, 'name', (select p.name from public.apps p where p.appid = a.parent_appid)) end,
    'dlc', (
      select coalesce(jsonb_agg(jsonb_build_object('appid', r.dlc_appid, 'name', d.name) order by r.dlc_appid), '[]')
      from public.app_dlc r left join public.apps d on d.appid = r.dlc_appid where r.appid = a.appid
    ),
    'tags', (
      select coalesce(jsonb_agg(jsonb_build_object('id', r.tag_id, 'name', t.name) order by r.rank, r.tag_id), '[]')
      from public.app_steam_tags r join public.steam_tags t on t.tag_id = r.tag_id where r.appid = a.appid
    ),
    'genres', (
      select coalesce(jsonb_agg(jsonb_build_object('id', r.genre_id, 'name', g.name) order by r.genre_id), '[]')
      from public.app_genres r join public.steam_genres g on g.genre_id = r.genre_id where r.appid = a.appid
    ),
    'categories', (
      select coalesce(jsonb_agg(jsonb_build_object('id', r.category_id, 'name', c.name) order by r.category_id), '[]')
      from public.app_categories r join public.steam_categories c on c.category_id = r.category_id where r.appid = a.appid
    ),
    'franchises', names.franchises,
    'developers', names.developers,
    'publishers', names.publishers,
    'steam_deck', (select to_jsonb(d) - array['appid', 'updated_at'] from public.app_steam_deck d where d.appid = a.appid),
    'change_number', s.pics_change_number,
    'synced_at', public.pics_synced_at(s.last_pics_sync),
    'is_pending', s.pics_pending_change is not null,
    'missing_token', coalesce(s.missing_token, false)
  )
  from public.apps a
  left join public.sync_status s on s.appid = a.appid
  cross join public.pics_app_names(array[(request ->> 'appid')::integer]) names
  where a.appid = (request ->> 'appid')::integer;
$$;

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

-- Search: a page of the apps that match all filters, by keyset pagination. Absent filters do not restrict the result.
--   request  {"max": n, "sort": appid | name | release_date | reviews | updated, "descending": bool,
--             "after": {"key": of the last app, as text or null, "appid"}, the "next" of the last page, or absent,
--             and filters, each of which may be absent:
--             "relations": [["tag", "Puzzle"], ["developer", "Valve"], …], all of them (see catalog_ids),
--             "appids", "types", "deck", "machine", "frame", "vr": any of these,
--             "ai": any of these: pre_generated, live, any (of both), none, "platforms": all of these, "parent": appid,
--             "free", "active": bool, "released_since", "released_before", "changed_since": times, "words": all of them in the name,
--             and "required": [["type", "series"], ["platform", "android"], …], values that some stored app must have}
--   reply    {"apps": [an `AppSummary` of src/catalog/views.ts, …], "next": for another page, or null}
--            or {"unknown": ["tag", "Puzle"]}: the filter whose value does not exist
-- Apps without a value to sort by come last; ties are ordered by appid.
create or replace function public.catalog_apps(request jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  max_apps constant integer := (request ->> 'max')::integer;
  sorted_by constant text := request ->> 'sort';
  is_descending constant boolean := coalesce((request ->> 'descending')::boolean, false);
  sort_key constant text := case sorted_by when 'appid' then 'a.appid' when 'name' then 'a.name'
    when 'release_date' then 'a.steam_release_date' when 'reviews' then 'a.pics_review_percentage' when 'updated' then 'a.updated_at' end;
  key_type constant text := case sorted_by when 'appid' then 'integer' when 'name' then 'text' when 'reviews' then 'numeric' else 'timestamptz' end;
  comparison constant text := case when is_descending then '<' else '>' end;
  after constant jsonb := nullif(request -> 'after', 'null');
  joins text := '';
  conditions text := 'true';
  condition jsonb;
  ids integer[];
  word text;
  alias text;
  chosen integer[];
  keys text[];
  has_more boolean;
begin
  for condition in select * from jsonb_array_elements(request -> 'relations') loop
    ids := public.catalog_ids(condition ->> 0, condition ->> 1);
    if ids = '{}' then
      return jsonb_build_object('unknown', condition);
    end if;
    alias := 'r' || length(joins);
    -- A join by one id, which the planner reads in appid order. A name that two ids share is rare.
    joins := joins || case when cardinality(ids) = 1
      then format(' join public.%1$I %2$I on %2$I.appid = a.appid and %2$I.%3$I = %4$s', 'app_' || r.relation, alias, r.id_column, ids[1])
      else format(' join (select distinct appid from public.%1$I where %3$I = any (%4$L)) %2$I on %2$I.appid = a.appid',
                  'app_' || r.relation, alias, r.id_column, ids)
    end
    from (values
      ('tag', 'steam_tags', 'tag_id'), ('genre', 'genres', 'genre_id'), ('category', 'categories', 'category_id'),
      ('developer', 'developers', 'developer_id'), ('publisher', 'publishers', 'publisher_id'), ('franchise', 'franchises', 'franchise_id')
    ) as r(name, relation, id_column)
    where r.name = condition ->> 0;
  end loop;
  for condition in select * from jsonb_array_elements(request -> 'required') loop
    if (case condition ->> 0
      when 'type' then not exists (select from public.apps where type = condition ->> 1)
      when 'platform' then not exists (select from public.apps where condition ->> 1 = any (string_to_array(platforms, ',')))
    end) then
      return jsonb_build_object('unknown', condition);
    end if;
  end loop;
  if request ?| array['deck', 'machine', 'frame'] then
    joins := joins || ' join public.app_steam_deck d on d.appid = a.appid' || (
      select string_agg(
        format(' and d.%I = any (%L)', verdict.column_name, array(select jsonb_array_elements_text(request -> verdict.filter))), ''
      )
      from (values ('deck', 'category'), ('machine', 'machine_category'), ('frame', 'frame_category')) as verdict(filter, column_name)
      where request ? verdict.filter
    );
  end if;
  if request ? 'appids' then
    conditions := conditions || format(' and a.appid = any (%L)', array(select jsonb_array_elements_text(request -> 'appids')::integer));
  end if;
  if request ? 'vr' then
    conditions := conditions || format(' and a.vr_support = any (%L)', array(select jsonb_array_elements_text(request -> 'vr')));
  end if;
  if request ? 'ai' then
    conditions := conditions || ' and (' || (
      select string_agg(
        case value when 'any' then 'a.ai_content is not null' when 'none' then 'a.ai_content is null'
          else format('%L = any (a.ai_content)', value) end,
        ' or '
      )
      from jsonb_array_elements_text(request -> 'ai') as value
    ) || ')';
  end if;
  if request ? 'types' then
    conditions := conditions || format(' and a.type = any (%L)', array(select jsonb_array_elements_text(request -> 'types')));
  end if;
  for word in select jsonb_array_elements_text(request -> 'platforms') loop
    conditions := conditions || format(' and %L = any (string_to_array(a.platforms, '',''))', word);
  end loop;
  if request ? 'parent' then
    conditions := conditions || format(' and a.parent_appid = %L::integer', request ->> 'parent');
  end if;
  if request ? 'free' then
    conditions := conditions || case when (request ->> 'free')::boolean then ' and a.is_free' else ' and a.is_free is not true' end;
  end if;
  if request ? 'active' then
    conditions := conditions || case when (request ->> 'active')::boolean then ' and a.is_active' else ' and a.is_active is not true' end;
  end if;
  if request ? 'released_since' then
    conditions := conditions || format(' and a.steam_release_date >= %L', request ->> 'released_since');
  end if;
  if request ? 'released_before' then
    conditions := conditions || format(' and a.steam_release_date < %L', request ->> 'released_before');
  end if;
  if request ? 'changed_since' then
    -- A change of a relation does not touch the row of the app; the history has it.
    conditions := conditions || format(
      ' and (a.updated_at >= %1$L or a.appid in (select c.appid from public.app_changes c where c.detected_at >= %1$L))',
      request ->> 'changed_since');
  end if;
  for word in select jsonb_array_elements_text(request -> 'words') loop
    conditions := conditions || format(' and a.name ilike %L', '%' || regexp_replace(word, '([\\%_])', '\\\1', 'g') || '%');
  end loop;

  if after is not null then
    conditions := conditions || case
      when sorted_by = 'appid' then format(' and a.appid %s %L::integer', comparison, after ->> 'appid')
      when after ->> 'key' is null then format(' and %s is null and a.appid > %L::integer', sort_key, after ->> 'appid')
      else format(' and (%1$s %2$s %3$L::%4$s or %1$s = %3$L::%4$s and a.appid > %5$L::integer or %1$s is null)',
                  sort_key, comparison, after ->> 'key', key_type, after ->> 'appid')
    end;
  end if;

  execute format(
    'select array_agg(appid order by place), array_agg(key order by place) from (
       select a.appid, %1$s::text as key, row_number() over (order by %2$s) as place
       from public.apps a%3$s where %4$s order by %2$s limit %5$s
     ) page',
    sort_key,
    case when sorted_by = 'appid' then '' else sort_key || case when is_descending then ' desc' else '' end || ' nulls last, ' end
      || 'a.appid' || case when sorted_by = 'appid' and is_descending then ' desc' else '' end,
    joins, conditions, max_apps + 1
  ) into chosen, keys;
  has_more := cardinality(chosen) > max_apps;

  return jsonb_build_object(
    'apps', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'appid', a.appid, 'name', a.name, 'type', a.type, 'is_active', a.is_active, 'is_free', a.is_free, 'release_state', a.release_state,
        'steam_release_date', a.steam_release_date, 'platforms', to_jsonb(coalesce(string_to_array(a.platforms, ','), '{}')),
        'pics_review_score', a.pics_review_score, 'pics_review_percentage', a.pics_review_percentage,
        'last_content_update', a.last_content_update,
        'parent', case when a.parent_appid is not null then jsonb_build_object('appid', a.parent_appid, 'name', p.name) end,
        'steam_deck', case when d.appid is not null then jsonb_build_object(
          'category', d.category, 'steamos_category', d.steamos_category, 'machine_category', d.machine_category,
          'frame_category', d.frame_category, 'test_timestamp', d.test_timestamp, 'tested_build_id', d.tested_build_id
        ) end,
        'developers', names.developers,
        'publishers', names.publishers,
        'tags', (select coalesce(jsonb_agg(jsonb_build_object('id', r.tag_id, 'name', t.name) order by r.rank, r.tag_id), '[]')
                 from public.app_steam_tags r join public.steam_tags t on t.tag_id = r.tag_id where r.appid = a.appid),
        'change_number', s.pics_change_number, 'synced_at', public.pics_synced_at(s.last_pics_sync),
        'is_pending', s.pics_pending_change is not null, 'updated_at', a.updated_at
      ) order by page.place), '[]')
      from unnest(chosen[:max_apps]) with ordinality as page(appid, place)
      join public.apps a on a.appid = page.appid
      join public.pics_app_names(chosen[:max_apps]) names on names.appid = page.appid
      left join public.apps p on p.appid = a.parent_appid
      left join public.app_steam_deck d on d.appid = a.appid
      left join public.sync_status s on s.appid = a.appid
    ),
    'next', case when has_more then jsonb_build_object('key', keys[max_apps], 'appid', chosen[max_apps]) end
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
as $$
declare
  kind constant text := request ->> 'kind';
  max_names constant integer := (request ->> 'max')::integer;
  patterns constant text[] := array(
    select '%' || regexp_replace(word, '([\\%_])', '\\\1', 'g') || '%' from jsonb_array_elements_text(request -> 'words') as word
  );
  page jsonb;
begin
  execute format($sql$
    select coalesce(jsonb_agg(
      jsonb_build_object('name', n.name, 'apps', (select count(*) from public.%2$I r where r.%3$I = n.id)) order by n.name
    ), '[]')
    from (
      select id, name from public.%1$I
      where ($1 is null or name > $1) and name ilike all ($2)
      order by name limit $3 + 1
    ) n
  $sql$, kind, 'app_' || kind, rtrim(kind, 's') || '_id') into page using request ->> 'after', patterns, max_names;
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
as $$
declare
  value constant text := lower(request ->> 'value');
  edits constant integer := (request ->> 'edits')::integer;
  names constant text := case request ->> 'relation'
    when 'tag' then 'select name from public.steam_tags' when 'genre' then 'select name from public.steam_genres'
    when 'category' then 'select name from public.steam_categories' when 'developer' then 'select name from public.developers'
    when 'publisher' then 'select name from public.publishers' when 'franchise' then 'select name from public.franchises'
    when 'type' then 'select distinct type as name from public.apps' end;
  piece constant integer := greatest(1, length(value) / (edits + 1));
  pieces constant text[] := array(
    select '%' || regexp_replace(substr(value, 1 + place * piece, piece), '([\\%_])', '\\\1', 'g') || '%'
    from generate_series(0, edits) as place where place * piece < length(value)
  );
  prefix constant text := regexp_replace(value, '([\\%_])', '\\\1', 'g') || '%';
  found jsonb;
begin
  execute format($sql$
    select coalesce(jsonb_agg(name order by place), '[]') from (
      select name, row_number() over (order by abs(length(name) - length($1)), name) as place
      from (%s) n
      where lower(name) like $4 or length(name) between length($1) - $2 and length($1) + $2 and lower(name) like any ($3)
      order by 2 limit 50
    ) page
  $sql$, names) into found using value, edits, pieces, prefix;
  return found;
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
