-- Reading: what the read API, the dashboard and the command line ask of the catalog. Nothing here changes a row of it.
--
-- Replies name times in UTC, page by key, and resolve relations to names.

create or replace function public.schema_version() returns text
language sql immutable
set search_path = public, pg_temp
as $$ select '20261126000001' $$;

------------------------------------------------------------------------------------------------------------ following
-- Ids of app_changes are given out before their transactions commit, so a reader who asks for what came after the last id it saw
-- could miss a lower one that commits later. Therefore every transaction says, before it takes its first id, up to which id others
-- had taken them: by a shared advisory lock whose key holds that number, which Postgres drops when the transaction ends, however it ends.
-- Readers are served up to the lowest such number. Nobody waits for anybody. (docs/decisions/0011)

create or replace function public.pics_announce_changes() returns trigger
language plpgsql volatile
set search_path = public, pg_temp
as $$
begin
  -- Once a transaction: the setting ends with it, and with a savepoint that also takes the lock back.
  if coalesce(current_setting('pics.changes_announced', true), '') = '' then
    -- 0x5049 in the upper 16 bits of the key, the id in the lower 48.
    perform pg_advisory_xact_lock_shared((20553::bigint << 48) | coalesce(pg_sequence_last_value('public.app_changes_id_seq'), 0));
    perform set_config('pics.changes_announced', 'yes', true);
  end if;
  return null;
end
$$;

create or replace trigger pics_announce before insert on public.app_changes
for each statement execute function public.pics_announce_changes();

-- Up to which id no change can appear any more. The next statement sees all of them that ever will be, so this is volatile: with the
-- snapshot of one statement for both, a commit in between would be missed.
create or replace function public.pics_changes_horizon() returns bigint
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  -- First this, then the locks: who takes an id from now on gets a higher one.
  last_id constant bigint := coalesce(pg_sequence_last_value('public.app_changes_id_seq'), 0);
begin
  return least(last_id, (
    select min(((classid::bigint & 65535) << 32) | objid::bigint) from pg_locks
    where locktype = 'advisory' and objsubid = 1 and classid::bigint >> 16 = 20553
      and database = (select oid from pg_database where datname = current_database())
  ));
end
$$;

-- What changed, field by field.
--   request  {"max": n, "appid": of this app alone, or absent,
--             "after": id, oldest first from there on | "before": id or absent, newest first from there back}
--   reply    {"changes": [{"id", "appid", "name", "type", "change_number", "field", "old", "new", "detected_at"}, …],
--             "last_id": whoever goes on after it misses nothing, "has_more": in this direction}
create or replace function public.catalog_changes(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
set timezone = 'UTC'
as $$
declare
  max_changes constant integer := (request ->> 'max')::integer;
  only_appid constant integer := (request ->> 'appid')::integer;
  after constant bigint := (request ->> 'after')::bigint;
  horizon constant bigint := pics_changes_horizon();
  before constant bigint := least((request ->> 'before')::bigint, horizon + 1);
  page jsonb;
  has_more boolean;
begin
  with ascending as (
    select * from app_changes
    where after is not null and id > after and id <= horizon and (only_appid is null or appid = only_appid)
    order by id limit max_changes + 1
  ), descending as (
    select * from app_changes
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
  from numbered c left join apps a on a.appid = c.appid;

  return jsonb_build_object(
    'changes', page,
    'last_id', case when after is not null and has_more then (page -> -1 ->> 'id')::bigint else greatest(after, horizon) end,
    'has_more', has_more
  );
end
$$;

-- Minutes of the last hour, those without changes too. They come from app_changes, so from all workers.
--   reply [{"minute", "apps": that changed, "changes": fields}, …], the oldest first
create or replace function public.catalog_activity() returns jsonb
language sql stable
set search_path = public, pg_temp
set timezone = 'UTC'
as $$
  with minutes as (
    select generate_series(date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()), interval '1 minute') as minute
  ), counted as (
    select date_trunc('minute', detected_at) as minute, count(distinct appid) as apps, count(*) as changes
    from app_changes where detected_at >= date_trunc('minute', now()) - interval '59 minutes'
    group by 1
  )
  select jsonb_agg(jsonb_build_object('minute', minute, 'apps', coalesce(apps, 0), 'changes', coalesce(changes, 0)) order by minute)
  from minutes left join counted using (minute);
$$;

-- History only grows at its end, where such an index costs nothing to keep.
create index if not exists app_changes_by_time on public.app_changes using brin (detected_at) with (pages_per_range = 16);

------------------------------------------------------------------------------------------------------------- looking up

-- How fresh what is stored of an app is: the later of its own last answer and the last pass that found everything current. Null for
-- what another application stored before this one was installed.
create or replace function public.pics_synced_at(last_pics_sync timestamptz) returns timestamptz
language sql stable
set search_path = public, pg_temp
as $$
  select greatest(last_pics_sync, state.last_verified_at)
  from pics_sync_state state where state.id = 1 and last_pics_sync >= state.installed_at;
$$;

-- An app with everything that is stored of it. request {"appid"}; reply an `AppView` of src/catalog/views.ts, or null
create or replace function public.catalog_app(request jsonb) returns jsonb
language sql stable
set search_path = public, pg_temp
set timezone = 'UTC'
as $$
  select jsonb_build_object(
    'appid', a.appid, 'name', a.name, 'type', a.type, 'is_known', a.is_known, 'is_listed', a.is_listed, 'is_active', a.is_active,
    'is_free', a.is_free, 'release_state', a.release_state, 'steam_release_date', a.steam_release_date,
    'original_release_date', a.original_release_date, 'store_asset_mtime', a.store_asset_mtime,
    'platforms', to_jsonb(coalesce(string_to_array(a.platforms, ','), '{}')), 'controller_support', a.controller_support,
    'pics_review_score', a.pics_review_score, 'pics_review_percentage', a.pics_review_percentage,
    'metacritic_score', a.metacritic_score, 'metacritic_url', a.metacritic_url, 'homepage_url', a.homepage_url,
    'app_state', a.app_state, 'last_content_update', a.last_content_update, 'current_build_id', a.current_build_id,
    'content_descriptors', a.content_descriptors, 'languages', a.languages, 'has_workshop', a.has_workshop,
    'created_at', a.created_at, 'updated_at', a.updated_at
  ) || jsonb_build_object(
    'parent', case when a.parent_appid is not null then
      jsonb_build_object('appid', a.parent_appid, 'name', (select p.name from apps p where p.appid = a.parent_appid)) end,
    'dlc', (select coalesce(jsonb_agg(jsonb_build_object('appid', r.dlc_appid, 'name', d.name) order by r.dlc_appid), '[]')
            from app_dlc r left join apps d on d.appid = r.dlc_appid where r.appid = a.appid),
    'tags', (select coalesce(jsonb_agg(jsonb_build_object('id', r.tag_id, 'name', t.name, 'rank', r.rank) order by r.rank, r.tag_id), '[]')
             from app_steam_tags r join steam_tags t on t.tag_id = r.tag_id where r.appid = a.appid),
    'genres', (select coalesce(jsonb_agg(jsonb_build_object('id', r.genre_id, 'name', g.name, 'is_primary', r.is_primary) order by r.genre_id), '[]')
               from app_genres r join steam_genres g on g.genre_id = r.genre_id where r.appid = a.appid),
    'categories', (select coalesce(jsonb_agg(jsonb_build_object('id', r.category_id, 'name', c.name) order by r.category_id), '[]')
                   from app_categories r join steam_categories c on c.category_id = r.category_id where r.appid = a.appid),
    'franchises', (select coalesce(jsonb_agg(n.name order by n.name), '[]')
                   from app_franchises r join franchises n on n.id = r.franchise_id where r.appid = a.appid),
    'developers', (select coalesce(jsonb_agg(n.name order by n.name), '[]')
                   from app_developers r join developers n on n.id = r.developer_id where r.appid = a.appid),
    'publishers', (select coalesce(jsonb_agg(n.name order by n.name), '[]')
                   from app_publishers r join publishers n on n.id = r.publisher_id where r.appid = a.appid),
    'steam_deck', (select jsonb_build_object('category', d.category, 'steamos_category', d.steamos_category,
                     'test_timestamp', d.test_timestamp, 'tested_build_id', d.tested_build_id, 'tests', d.tests)
                   from app_steam_deck d where d.appid = a.appid),
    'change_number', s.pics_change_number,
    'synced_at', pics_synced_at(s.last_pics_sync),
    'is_pending', s.pics_pending_change is not null,
    'missing_token', coalesce(s.missing_token, false)
  )
  from apps a left join sync_status s on s.appid = a.appid
  where a.appid = (request ->> 'appid')::integer;
$$;

-- Ids that stand for a value a reader gave: itself where it is a number, else those of the exact name; `relation` as in a request of
-- catalog_apps. Names of tags, genres and categories are compared without regard to case.
create or replace function public.catalog_ids(relation text, value text) returns integer[]
language plpgsql stable
set search_path = public, pg_temp
as $$
begin
  case relation
    when 'tag' then
      return array(select tag_id from steam_tags where case when value ~ '^\d{1,9}$' then tag_id = value::integer else lower(name) = lower(value) end);
    when 'genre' then
      return array(select genre_id from steam_genres where case when value ~ '^\d{1,9}$' then genre_id = value::integer else lower(name) = lower(value) end);
    when 'category' then
      return array(select category_id from steam_categories where case when value ~ '^\d{1,9}$' then category_id = value::integer else lower(name) = lower(value) end);
    when 'developer' then return array(select id from developers where name = value);
    when 'publisher' then return array(select id from publishers where name = value);
    when 'franchise' then return array(select id from franchises where name = value);
  end case;
end
$$;

-- Apps that fulfil all conditions, a page of them.
--   request  {"max": n, "sort": appid | name | release_date | reviews | updated, "descending": bool,
--             "after": {"key": of the last app, as text or null, "appid"} as the last page's "next" had it, or absent,
--             and conditions, each of which may be absent:
--             "relations": [["tag", "Puzzle"], ["developer", "Valve"], …], all of them (see catalog_ids),
--             "types", "deck": any of these, "platforms": all of these, "parent": appid, "free", "active": bool,
--             "released_since", "released_before", "changed_since": times, "words": all of them in the name}
--   reply    {"apps": [an `AppSummary` of src/catalog/views.ts, …], "next": for another page, or null}
--            or {"unknown": ["tag", "Puzle"]}: a relation to something that is not there
-- Apps without a value to sort by come last, apps with the same one by appid.
create or replace function public.catalog_apps(request jsonb) returns jsonb
language plpgsql stable
set search_path = public, pg_temp
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
    ids := catalog_ids(condition ->> 0, condition ->> 1);
    if ids = '{}' then
      return jsonb_build_object('unknown', condition);
    end if;
    alias := 'r' || length(joins);
    -- A join by one id, which the planner walks in the order of appids. A name that two ids share is rare.
    joins := joins || case when cardinality(ids) = 1
      then format(' join %1$I %2$I on %2$I.appid = a.appid and %2$I.%3$I = %4$s', 'app_' || r.relation, alias, r.id_column, ids[1])
      else format(' join (select distinct appid from %1$I where %3$I = any (%4$L)) %2$I on %2$I.appid = a.appid', 'app_' || r.relation, alias, r.id_column, ids)
    end
    from (values
      ('tag', 'steam_tags', 'tag_id'), ('genre', 'genres', 'genre_id'), ('category', 'categories', 'category_id'),
      ('developer', 'developers', 'developer_id'), ('publisher', 'publishers', 'publisher_id'), ('franchise', 'franchises', 'franchise_id')
    ) as r(name, relation, id_column)
    where r.name = condition ->> 0;
  end loop;
  if request ? 'deck' then
    joins := joins || format(' join app_steam_deck d on d.appid = a.appid and d.category = any (%L)', array(select jsonb_array_elements_text(request -> 'deck')));
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
    -- A relation that changed leaves the row of the app as it was; the history knows.
    conditions := conditions || format(' and (a.updated_at >= %1$L or a.appid in (select c.appid from app_changes c where c.detected_at >= %1$L))',
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
       select a.appid, %1$s::text as key, row_number() over (order by %2$s) as place from apps a%3$s where %4$s order by %2$s limit %5$s
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
        'last_content_update', a.last_content_update, 'parent_appid', a.parent_appid,
        'deck', (select category from app_steam_deck d where d.appid = a.appid),
        'developers', (select coalesce(jsonb_agg(n.name order by n.name), '[]')
                       from app_developers r join developers n on n.id = r.developer_id where r.appid = a.appid),
        'publishers', (select coalesce(jsonb_agg(n.name order by n.name), '[]')
                       from app_publishers r join publishers n on n.id = r.publisher_id where r.appid = a.appid),
        'tags', (select coalesce(jsonb_agg(t.name order by r.rank), '[]')
                 from app_steam_tags r join steam_tags t on t.tag_id = r.tag_id where r.appid = a.appid and t.name is not null),
        'change_number', s.pics_change_number, 'synced_at', pics_synced_at(s.last_pics_sync),
        'is_pending', s.pics_pending_change is not null, 'updated_at', a.updated_at
      ) order by page.place), '[]')
      from unnest(chosen[:max_apps]) with ordinality as page(appid, place)
      join apps a on a.appid = page.appid
      left join sync_status s on s.appid = a.appid
    ),
    'next', case when has_more then jsonb_build_object('key', keys[max_apps], 'appid', chosen[max_apps]) end
  );
end
$$;

-- Tags, genres or categories with the number of apps that carry each, the most used first.
--   request {"kind": tags | genres | categories}; reply [{"id", "name", "apps"}, …]
create or replace function public.catalog_labels(request jsonb) returns jsonb
language plpgsql stable
set search_path = public, pg_temp
as $$
declare
  kind constant text := request ->> 'kind';
  id_column constant text := case kind when 'tags' then 'tag_id' when 'genres' then 'genre_id' when 'categories' then 'category_id' end;
  labels jsonb;
begin
  execute format($sql$
    select coalesce(jsonb_agg(jsonb_build_object('id', l.%1$I, 'name', l.name, 'apps', coalesce(used.apps, 0)) order by used.apps desc nulls last, l.%1$I), '[]')
    from %2$I l left join (select %1$I, count(*) as apps from %3$I group by 1) used on used.%1$I = l.%1$I
  $sql$, id_column, 'steam_' || kind, 'app_' || case kind when 'tags' then 'steam_tags' else kind end) into labels;
  return labels;
end
$$;

-- Developers, publishers or franchises by name, a page of them.
--   request  {"kind": developers | publishers | franchises, "max": n, "after": name or absent, "words": all of them in the name, or absent}
--   reply    {"companies": [{"name", "apps"}, …], "has_more"}
create or replace function public.catalog_companies(request jsonb) returns jsonb
language plpgsql stable
set search_path = public, pg_temp
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
    select coalesce(jsonb_agg(jsonb_build_object('name', n.name, 'apps', (select count(*) from %2$I r where r.%3$I = n.id)) order by n.name), '[]')
    from (
      select id, name from %1$I
      where ($1 is null or name > $1) and name ilike all ($2)
      order by name limit $3 + 1
    ) n
  $sql$, kind, 'app_' || kind, rtrim(kind, 's') || '_id') into page using request ->> 'after', patterns, max_names;
  return jsonb_build_object('companies', case when jsonb_array_length(page) > max_names then page - max_names else page end,
                            'has_more', jsonb_array_length(page) > max_names);
end
$$;

-------------------------------------------------------------------------------------------------------------- watching

-- What the workers of the last minute said of themselves.
--   reply [{"id", "mode", "snapshot", "seen_at", "seen_seconds_ago"}, …] as report_worker has it
create or replace function public.pics_workers() returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(to_jsonb(w) || jsonb_build_object('seen_seconds_ago', extract(epoch from now() - w.seen_at)) order by w.id), '[]')
  from workers w where w.seen_at > now() - interval '1 minute';
$$;

-------------------------------------------------------------------------------------------------------------- security

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
      p.proname like any (array['pics\_%', 'leader\_%', 'collector\_%', 'web\_%', 'library\_%', 'catalog\_%'])
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

select public.pics_secure_functions();

-- Who inserts need not be allowed to read the sequence of the ids; who announces, does.
do $$
declare
  role_name name;
begin
  for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('revoke all on sequence public.app_changes_id_seq from %I', role_name);
  end loop;
  if exists (select from pg_roles where rolname = 'service_role') then
    grant select on sequence public.app_changes_id_seq to service_role;
  end if;
end
$$;
