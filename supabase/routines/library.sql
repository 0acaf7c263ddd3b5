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
