-- The library import: what the catalog knows of a user's games, the cache of IGDB's answers, tokens of web APIs, and the import itself.

------------------------------------------------------------------------------------------------------------- catalog

-- Type, name and release year of some apps. request {"appids": [appid, …]}
-- reply [{"appid", "type", "name", "release_year": null where unknown}, …], only apps with a type
create or replace function public.library_known_apps(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'appid', appid, 'type', type, 'name', name,
    'release_year', extract(year from coalesce(original_release_date, steam_release_date) at time zone 'utc')
  ) order by appid), '[]')
  from public.apps
  where appid in (select jsonb_array_elements_text(request -> 'appids')::integer) and type is not null;
$$;

---------------------------------------------------------------------------------------------------------------- IGDB

-- TTL cache of IGDB's answers, an hour: reads. request {"uids": ["620", …]}; reply [{"uid", "game": object, or null for a miss}, …]
create or replace function public.library_igdb_recall(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('uid', uid, 'game', game)), '[]')
  from public.igdb_answers
  where uid in (select jsonb_array_elements_text(request -> 'uids')) and fetched_at > now() - interval '1 hour';
$$;

-- TTL cache of IGDB's answers: writes hits and misses, deletes expired ones. request {"answers": [{"uid", "game": object or null}, …]}; reply {"kept"}
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

-- Finds or creates the rows of genres or platforms: by IGDB's id, else by slug, else by name, so that rows of other applications are used.
--   wanted   [{"id", "name", "slug", "abbreviation"}, …]
--   reply    {"igdb id": "id of the row", …}
create or replace function public.library_labels(relation text, wanted jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  found_ids jsonb;
begin
  execute format($sql$
    insert into public.%1$I (id, "igdbId", name, slug, "updatedAt" %2$s)
    select gen_random_uuid()::text, w.id, w.name, w.slug, now() at time zone 'utc' %3$s
    from (
      select distinct on (slug) * from (
        select distinct on (name) * from (
          select distinct on (id) * from jsonb_to_recordset($1) as w(id integer, name text, slug text, abbreviation text) order by id
        ) by_id order by name, id
      ) by_name order by slug, id
    ) w
    where not exists (select from public.%1$I known where known."igdbId" = w.id or known.slug = w.slug or known.name = w.name)
    order by w.id
    on conflict do nothing
  $sql$, relation,
    case when relation = 'Platform' then ', abbreviation' else '' end,
    case when relation = 'Platform' then ', w.abbreviation' else '' end) using wanted;

  execute format($sql$
    select coalesce(jsonb_object_agg(w.id, (
      select known.id from public.%1$I known
      where known."igdbId" = w.id or known.slug = w.slug or known.name = w.name
      order by known."igdbId" = w.id desc, known.slug = w.slug desc
      limit 1
    )), '{}')
    from (select distinct on (id) * from jsonb_to_recordset($1) as w(id integer, name text, slug text) order by id) w
  $sql$, relation) into found_ids using wanted;
  return found_ids;
end
$$;

-- Imports a batch of rows of an enriched file into a user's library, in one transaction.
--   request  {"request_id": uuid, "user_id", "games": [{"appid", "name": "" where Steam gave none, "playtime", "playtime_windows",
--             "playtime_mac", "playtime_linux": minutes, "last_played_at", "img_icon_url", "status": "MATCHED", "UNMATCHED" or "IGNORED",
--             "igdb": {"id", "name", "slug", "summary", "release_date", "cover_url", "genres": [{"id", "name", "slug"}],
--             "platforms": [… and "abbreviation"]} or null}, …]}
--   reply    {"imported_games_created", "imported_games_updated", "games_created", "games_updated", "library_items_created"}
-- The tables have no unique key for most of it, so batches of one user, and the parts that all users share, run one after the other. What a
-- user or another application decided stays: a status other than PENDING or UNMATCHED, a library item, a game's IGDB id and slug.
-- Idempotent: the same request_id again returns the first reply and does nothing.
create or replace function public.library_apply(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  this_request constant uuid := (request ->> 'request_id')::uuid;
  this_user constant text := request ->> 'user_id';
  now_at constant timestamp(3) := now() at time zone 'utc';
  matched constant jsonb := jsonb_path_query_array(request -> 'games', '$[*] ? (@.status == "MATCHED")');
  labels constant text[] := array(
    select e.enumlabel::text from pg_enum e where e.enumtypid = to_regtype('public."LibraryItemStatus"')
  );
  unplayed constant text := case when 'CURIOUS_ABOUT' = any (labels) then 'CURIOUS_ABOUT' else 'SHELF' end;
  played constant text := case when 'EXPERIENCED' = any (labels) then 'EXPERIENCED' else 'PLAYED' end;
  genres jsonb;
  platforms jsonb;
  imported_created integer;
  imported_updated integer;
  games_created integer;
  games_updated integer;
  items_created integer;
  this_reply jsonb := public.pics_replay(this_request);
begin
  if this_reply is not null then
    return this_reply;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('library of ' || this_user, 0));

  -- Imported games, one row per app: the user's oldest that is not deleted.
  with given as (
    select distinct on (g.appid) g.*, (
      select i.id from public."ImportedGame" i
      where i."userId" = this_user and i.storefront = 'STEAM' and i."storefrontGameId" = g.appid::text
      order by i."deletedAt" is not null, i."createdAt", i.id limit 1
    ) as row_id
    from jsonb_to_recordset(request -> 'games') as g(
      appid integer, name text, playtime integer, playtime_windows integer, playtime_mac integer, playtime_linux integer,
      last_played_at timestamptz, img_icon_url text, status text
    )
    order by g.appid
  ), updated as (
    update public."ImportedGame" i set
      name = coalesce(nullif(g.name, ''), i.name),
      playtime = g.playtime,
      "playtimeWindows" = g.playtime_windows,
      "playtimeMac" = g.playtime_mac,
      "playtimeLinux" = g.playtime_linux,
      "lastPlayedAt" = coalesce(g.last_played_at at time zone 'utc', i."lastPlayedAt"),
      img_icon_url = coalesce(g.img_icon_url, i.img_icon_url),
      "igdbMatchStatus" = case when i."igdbMatchStatus"::text in ('PENDING', 'UNMATCHED')
        then g.status::public."IgdbMatchStatus" else i."igdbMatchStatus" end,
      "updatedAt" = now_at
    from given g
    where i.id = g.row_id and (
      (g.name <> '' and i.name <> g.name)
      or (i.playtime, i."playtimeWindows", i."playtimeMac", i."playtimeLinux")
        is distinct from (g.playtime, g.playtime_windows, g.playtime_mac, g.playtime_linux)
      or (g.last_played_at is not null and i."lastPlayedAt" is distinct from (g.last_played_at at time zone 'utc')::timestamp(3))
      or (g.img_icon_url is not null and i.img_icon_url is distinct from g.img_icon_url)
      or (i."igdbMatchStatus"::text in ('PENDING', 'UNMATCHED') and i."igdbMatchStatus"::text <> g.status)
    )
    returning 1
  ), created as (
    insert into public."ImportedGame" (
      id, name, storefront, "storefrontGameId", playtime, "playtimeWindows", "playtimeMac", "playtimeLinux", "lastPlayedAt", img_icon_url,
      "igdbMatchStatus", "createdAt", "updatedAt", "userId"
    )
    select
      gen_random_uuid()::text,
      coalesce(nullif(g.name, ''), (select nullif(a.name, '') from public.apps a where a.appid = g.appid), 'App ' || g.appid),
      'STEAM', g.appid::text, g.playtime, g.playtime_windows, g.playtime_mac, g.playtime_linux, g.last_played_at at time zone 'utc',
      g.img_icon_url, g.status::public."IgdbMatchStatus", now_at, now_at, this_user
    from given g where g.row_id is null
    order by g.appid
    returning 1
  )
  select (select count(*) from created), (select count(*) from updated) into imported_created, imported_updated;

  -- Games, genres and platforms, which all users share.
  perform pg_advisory_xact_lock(hashtextextended('library games', 0));
  genres := public.library_labels('Genre', jsonb_path_query_array(matched, '$[*].igdb.genres[*]'));
  platforms := public.library_labels('Platform', jsonb_path_query_array(matched, '$[*].igdb.platforms[*]'));

  with given as (
    select distinct on (g.igdb_id) *
    from (
      select m.appid, (m.igdb ->> 'id')::integer as igdb_id, m.igdb ->> 'name' as title, m.igdb ->> 'slug' as slug,
        m.igdb ->> 'summary' as summary,
        ((m.igdb ->> 'release_date')::timestamptz at time zone 'utc')::timestamp(3) as released, m.igdb ->> 'cover_url' as cover
      from jsonb_to_recordset(matched) as m(appid integer, igdb jsonb)
    ) g
    order by g.igdb_id, g.appid
  ), updated as (
    update public."Game" game set
      title = g.title,
      description = coalesce(g.summary, game.description),
      "coverImage" = coalesce(g.cover, game."coverImage"),
      "releaseDate" = coalesce(g.released, game."releaseDate"),
      "steamAppId" = coalesce(game."steamAppId", g.appid),
      "updatedAt" = now_at
    from given g
    where game."igdbId" = g.igdb_id and (
      game.title <> g.title
      or (g.summary is not null and game.description is distinct from g.summary)
      or (g.cover is not null and game."coverImage" is distinct from g.cover)
      or (g.released is not null and game."releaseDate" is distinct from g.released)
      or game."steamAppId" is null
    )
    returning 1
  ), created as (
    insert into public."Game" (id, "igdbId", title, description, "coverImage", "releaseDate", "createdAt", "updatedAt", "steamAppId", slug)
    select gen_random_uuid()::text, g.igdb_id, g.title, g.summary, g.cover, g.released, now_at, now_at, g.appid,
      g.slug || case
        when exists (select from public."Game" other where other.slug = g.slug)
          or row_number() over (partition by g.slug order by g.igdb_id) > 1
        then '-' || g.igdb_id else ''
      end
    from given g
    where not exists (select from public."Game" known where known."igdbId" = g.igdb_id)
    order by g.igdb_id
    returning 1
  )
  select (select count(*) from created), (select count(*) from updated) into games_created, games_updated;

  insert into public."GameGenre" ("gameId", "genreId")
  select distinct game.id, genres ->> (genre ->> 'id')
  from jsonb_to_recordset(matched) as m(igdb jsonb)
  join public."Game" game on game."igdbId" = (m.igdb ->> 'id')::integer
  cross join lateral jsonb_array_elements(m.igdb -> 'genres') as genre
  order by 1, 2
  on conflict do nothing;

  insert into public."GamePlatform" ("gameId", "platformId")
  select distinct game.id, platforms ->> (platform ->> 'id')
  from jsonb_to_recordset(matched) as m(igdb jsonb)
  join public."Game" game on game."igdbId" = (m.igdb ->> 'id')::integer
  cross join lateral jsonb_array_elements(m.igdb -> 'platforms') as platform
  order by 1, 2
  on conflict do nothing;

  -- Library items, except for games that the user ignores.
  with given as (
    select game.id as game_id, bool_or(m.playtime > 0) as is_played
    from jsonb_to_recordset(matched) as m(appid integer, playtime integer, igdb jsonb)
    join public."Game" game on game."igdbId" = (m.igdb ->> 'id')::integer
    where exists (
      select from public."ImportedGame" i
      where i."userId" = this_user and i.storefront = 'STEAM' and i."storefrontGameId" = m.appid::text
        and i."igdbMatchStatus"::text = 'MATCHED' and i."deletedAt" is null
    )
    group by 1
  ), created as (
    insert into public."LibraryItem" (status, "createdAt", "updatedAt", platform, "userId", "gameId")
    select (case when g.is_played then played else unplayed end)::public."LibraryItemStatus", now_at, now_at, 'PC', this_user, g.game_id
    from given g
    where not exists (select from public."LibraryItem" item where item."userId" = this_user and item."gameId" = g.game_id)
    order by g.game_id
    returning 1
  )
  select count(*) from created into items_created;

  return public.pics_keep_reply(this_request, jsonb_build_object(
    'imported_games_created', imported_created,
    'imported_games_updated', imported_updated,
    'games_created', games_created,
    'games_updated', games_updated,
    'library_items_created', items_created
  ));
end
$$;
