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
