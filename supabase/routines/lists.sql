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
