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
