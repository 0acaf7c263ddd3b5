-- The library import's tables. Another application may own them (they carry the names that its Prisma schema gave them), so each is
-- created only where it is absent and nothing of hers is changed; one column is added where it is missing.

create or replace function public.schema_version() returns text
language sql immutable
set search_path = public, pg_temp
as $$ select '20261120000006' $$;

create temporary table tables_made as
select name
from unnest(array[
  'ImportedGame', 'Game', 'LibraryItem', 'Genre', 'Platform', 'GameGenre', 'GamePlatform', 'igdb_answers', 'web_tokens'
]) as name
where to_regclass(format('public.%I', name)) is null;

do $$
begin
  if to_regtype('public."Storefront"') is null then
    create type public."Storefront" as enum ('STEAM', 'PLAYSTATION', 'XBOX');
  end if;
  if to_regtype('public."IgdbMatchStatus"') is null then
    create type public."IgdbMatchStatus" as enum ('PENDING', 'MATCHED', 'UNMATCHED', 'IGNORED');
  end if;
  if to_regtype('public."LibraryItemStatus"') is null then
    create type public."LibraryItemStatus" as enum
      ('CURIOUS_ABOUT', 'CURRENTLY_EXPLORING', 'TOOK_A_BREAK', 'EXPERIENCED', 'WISHLIST', 'REVISITING');
  end if;
  if to_regtype('public."AcquisitionType"') is null then
    create type public."AcquisitionType" as enum ('PHYSICAL', 'DIGITAL', 'SUBSCRIPTION');
  end if;
end
$$;

create table if not exists public."ImportedGame" (
  id text primary key,
  name text not null,
  storefront public."Storefront" not null,
  "storefrontGameId" text,
  playtime integer default 0,
  "playtimeWindows" integer default 0,
  "playtimeMac" integer default 0,
  "playtimeLinux" integer default 0,
  "lastPlayedAt" timestamp(3),
  img_icon_url text,
  img_logo_url text,
  "igdbMatchStatus" public."IgdbMatchStatus" not null default 'PENDING',
  "createdAt" timestamp(3) not null default current_timestamp,
  "updatedAt" timestamp(3) not null,
  "deletedAt" timestamp(3),
  "userId" text not null
);
do $$
begin
  -- Looked for first: "if not exists" asks for the owner of the table even where there is nothing to do.
  if not exists (
    select from pg_attribute where attrelid = 'public."ImportedGame"'::regclass and attname = 'igdbMatchStatus' and not attisdropped
  ) then
    alter table public."ImportedGame" add column "igdbMatchStatus" public."IgdbMatchStatus" not null default 'PENDING';
  end if;
  if exists (select from tables_made where name = 'ImportedGame') then
    create index "ImportedGame_userId_deletedAt_idx" on public."ImportedGame" ("userId", "deletedAt");
    create index "ImportedGame_storefrontGameId_idx" on public."ImportedGame" ("storefrontGameId");
    create index "ImportedGame_userId_playtime_idx" on public."ImportedGame" ("userId", playtime);
    create index "ImportedGame_userId_storefrontGameId_idx" on public."ImportedGame" ("userId", "storefrontGameId");
  end if;
end
$$;

create table if not exists public."Game" (
  id text primary key,
  "igdbId" integer not null unique,
  "hltbId" integer unique,
  title text not null,
  description text,
  "coverImage" text,
  "releaseDate" timestamp(3),
  "mainStory" integer,
  "mainExtra" integer,
  completionist integer,
  "createdAt" timestamp(3) not null default current_timestamp,
  "updatedAt" timestamp(3) not null,
  "steamAppId" integer,
  slug text not null unique,
  "franchiseId" integer
);
create table if not exists public."LibraryItem" (
  id serial primary key,
  status public."LibraryItemStatus" not null default 'CURIOUS_ABOUT',
  "createdAt" timestamp(3) not null default current_timestamp,
  "updatedAt" timestamp(3) not null,
  platform text,
  "userId" text not null,
  "acquisitionType" public."AcquisitionType" not null default 'DIGITAL',
  "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
  "startedAt" timestamp(3),
  "completedAt" timestamp(3)
);
create table if not exists public."Genre" (
  id text primary key,
  "igdbId" integer not null unique,
  name text not null unique,
  slug text not null unique,
  checksum text,
  "createdAt" timestamp(3) not null default current_timestamp,
  "updatedAt" timestamp(3) not null
);
create table if not exists public."Platform" (
  id text primary key,
  "igdbId" integer not null unique,
  name text not null unique,
  slug text not null unique,
  abbreviation text,
  "alternativeName" text,
  checksum text,
  generation integer,
  "platformFamily" integer,
  "platformType" integer,
  "createdAt" timestamp(3) not null default current_timestamp,
  "updatedAt" timestamp(3) not null
);
create table if not exists public."GameGenre" (
  "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
  "genreId" text not null references public."Genre" (id) on delete cascade on update cascade,
  primary key ("gameId", "genreId")
);
create table if not exists public."GamePlatform" (
  "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
  "platformId" text not null references public."Platform" (id) on delete cascade on update cascade,
  primary key ("gameId", "platformId")
);
do $$
begin
  if exists (select from tables_made where name = 'LibraryItem') then
    create index "LibraryItem_userId_gameId_idx" on public."LibraryItem" ("userId", "gameId");
  end if;
end
$$;

create table if not exists public.igdb_answers (
  uid text primary key,
  game jsonb,
  fetched_at timestamptz not null default now()
);
comment on table public.igdb_answers is 'What IGDB said of a Steam app within the last hour; a null game is a miss.';

create table if not exists public.web_tokens (
  name text primary key,
  token text not null,
  expires_at timestamptz not null
);
comment on table public.web_tokens is 'Access tokens of web APIs, kept because an application may only have a few at a time.';

------------------------------------------------------------------------------------------------------------- catalog

-- What the catalog knows of some apps. request {"appids": [appid, …]}
-- reply [{"appid", "type", "name", "release_year": null where unknown}, …], only apps with a type
create or replace function public.library_known_apps(request jsonb) returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'appid', appid, 'type', type, 'name', name,
    'release_year', extract(year from coalesce(original_release_date, steam_release_date) at time zone 'utc')
  ) order by appid), '[]')
  from apps
  where appid in (select jsonb_array_elements_text(request -> 'appids')::integer) and type is not null;
$$;

------------------------------------------------------------------------------------------------------------- IGDB

-- Answers that are younger than an hour. request {"uids": ["620", …]}; reply [{"uid", "game": object or null}, …]
create or replace function public.library_igdb_recall(request jsonb) returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('uid', uid, 'game', game)), '[]')
  from igdb_answers
  where uid in (select jsonb_array_elements_text(request -> 'uids')) and fetched_at > now() - interval '1 hour';
$$;

-- Keeps answers, hits and misses. request {"answers": [{"uid", "game": object or null}, …]}; reply {"kept"}
create or replace function public.library_igdb_keep(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  kept integer;
begin
  delete from igdb_answers where uid in (
    select uid from igdb_answers where fetched_at < now() - interval '1 hour' order by uid limit 5000 for update skip locked
  );
  insert into igdb_answers (uid, game)
  select uid, nullif(game, 'null') from jsonb_to_recordset(request -> 'answers') as a(uid text, game jsonb)
  order by uid
  on conflict (uid) do update set game = excluded.game, fetched_at = now();
  get diagnostics kept = row_count;
  return jsonb_build_object('kept', kept);
end
$$;

-- A token with at least a minute left. request {"name"}; reply {"token": text or null, "seconds_left"}
create or replace function public.web_token(request jsonb) returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select coalesce(
    (select jsonb_build_object('token', token, 'seconds_left', extract(epoch from expires_at - now())) from web_tokens
     where name = request ->> 'name' and expires_at > now() + interval '60 seconds'),
    '{"token": null, "seconds_left": 0}'
  );
$$;

-- Keeps a token. request {"name", "token", "seconds": how long it lasts}; reply {}
create or replace function public.web_token_keep(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
begin
  insert into web_tokens (name, token, expires_at)
  values (request ->> 'name', request ->> 'token', now() + make_interval(secs => (request ->> 'seconds')::double precision))
  on conflict (name) do update set token = excluded.token, expires_at = excluded.expires_at;
  return '{}';
end
$$;

------------------------------------------------------------------------------------------------------------- importing

-- Finds or makes the rows of genres or platforms; reply {"igdb id": "id of the row", …}. By IGDB's id, else by slug, else by name: rows made by
-- others are used as they are.
--   wanted   [{"id", "name", "slug", "abbreviation"}, …]
create or replace function public.library_labels(relation text, wanted jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  found_ids jsonb;
begin
  execute format($sql$
    insert into %1$I (id, "igdbId", name, slug, "updatedAt" %2$s)
    select gen_random_uuid()::text, w.id, w.name, w.slug, now() at time zone 'utc' %3$s
    from (
      select distinct on (slug) * from (
        select distinct on (name) * from (
          select distinct on (id) * from jsonb_to_recordset($1) as w(id integer, name text, slug text, abbreviation text) order by id
        ) by_id order by name, id
      ) by_name order by slug, id
    ) w
    where not exists (select from %1$I known where known."igdbId" = w.id or known.slug = w.slug or known.name = w.name)
    order by w.id
    on conflict do nothing
  $sql$, relation,
    case when relation = 'Platform' then ', abbreviation' else '' end,
    case when relation = 'Platform' then ', w.abbreviation' else '' end) using wanted;

  execute format($sql$
    select coalesce(jsonb_object_agg(w.id, (
      select known.id from %1$I known
      where known."igdbId" = w.id or known.slug = w.slug or known.name = w.name
      order by known."igdbId" = w.id desc, known.slug = w.slug desc
      limit 1
    )), '{}')
    from (select distinct on (id) * from jsonb_to_recordset($1) as w(id integer, name text, slug text) order by id) w
  $sql$, relation) into found_ids using wanted;
  return found_ids;
end
$$;

-- Writes some rows of an enriched file into a user's library, in one transaction.
--   request  {"request_id": uuid, "user_id", "games": [{"appid", "name": "" where Steam gave none, "playtime", "playtime_windows", "playtime_mac",
--             "playtime_linux": minutes, "last_played_at", "img_icon_url", "status": "MATCHED", "UNMATCHED" or "IGNORED", "igdb": {"id", "name",
--             "slug", "summary", "release_date", "cover_url", "genres": [{"id", "name", "slug"}], "platforms": [… and "abbreviation"]} or null}, …]}
--   reply    {"imported_games_created", "imported_games_updated", "games_created", "games_updated", "library_items_created"}
-- The tables have no unique key for most of it, so batches of one user, and the parts that all users share, go one after the other. What a
-- user or another application decided stays: a status other than PENDING or UNMATCHED, a library item, a game's IGDB id and slug.
-- The same request_id again returns the first reply and does nothing.
create or replace function public.library_apply(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
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

  perform pg_advisory_xact_lock(hashtextextended('library of ' || this_user, 0));

  -- Each app once; the row that stands for it is the user's oldest that is not deleted.
  with given as (
    select distinct on (g.appid) g.*, (
      select i.id from "ImportedGame" i
      where i."userId" = this_user and i.storefront = 'STEAM' and i."storefrontGameId" = g.appid::text
      order by i."deletedAt" is not null, i."createdAt", i.id limit 1
    ) as row_id
    from jsonb_to_recordset(request -> 'games') as g(
      appid integer, name text, playtime integer, playtime_windows integer, playtime_mac integer, playtime_linux integer,
      last_played_at timestamptz, img_icon_url text, status text
    )
    order by g.appid
  ), updated as (
    update "ImportedGame" i set
      name = coalesce(nullif(g.name, ''), i.name),
      playtime = g.playtime,
      "playtimeWindows" = g.playtime_windows,
      "playtimeMac" = g.playtime_mac,
      "playtimeLinux" = g.playtime_linux,
      "lastPlayedAt" = coalesce(g.last_played_at at time zone 'utc', i."lastPlayedAt"),
      img_icon_url = coalesce(g.img_icon_url, i.img_icon_url),
      "igdbMatchStatus" = case when i."igdbMatchStatus"::text in ('PENDING', 'UNMATCHED') then g.status::"IgdbMatchStatus" else i."igdbMatchStatus" end,
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
    insert into "ImportedGame" (
      id, name, storefront, "storefrontGameId", playtime, "playtimeWindows", "playtimeMac", "playtimeLinux", "lastPlayedAt", img_icon_url,
      "igdbMatchStatus", "createdAt", "updatedAt", "userId"
    )
    select
      gen_random_uuid()::text,
      coalesce(nullif(g.name, ''), (select nullif(a.name, '') from apps a where a.appid = g.appid), 'App ' || g.appid),
      'STEAM', g.appid::text, g.playtime, g.playtime_windows, g.playtime_mac, g.playtime_linux, g.last_played_at at time zone 'utc',
      g.img_icon_url, g.status::"IgdbMatchStatus", now_at, now_at, this_user
    from given g where g.row_id is null
    order by g.appid
    returning 1
  )
  select (select count(*) from created), (select count(*) from updated) into imported_created, imported_updated;

  -- Games, genres and platforms belong to all users.
  perform pg_advisory_xact_lock(hashtextextended('library games', 0));
  genres := library_labels('Genre', jsonb_path_query_array(matched, '$[*].igdb.genres[*]'));
  platforms := library_labels('Platform', jsonb_path_query_array(matched, '$[*].igdb.platforms[*]'));

  with given as (
    select distinct on (g.igdb_id) *
    from (
      select m.appid, (m.igdb ->> 'id')::integer as igdb_id, m.igdb ->> 'name' as title, m.igdb ->> 'slug' as slug, m.igdb ->> 'summary' as summary,
        ((m.igdb ->> 'release_date')::timestamptz at time zone 'utc')::timestamp(3) as released, m.igdb ->> 'cover_url' as cover
      from jsonb_to_recordset(matched) as m(appid integer, igdb jsonb)
    ) g
    order by g.igdb_id, g.appid
  ), updated as (
    update "Game" game set
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
    insert into "Game" (id, "igdbId", title, description, "coverImage", "releaseDate", "createdAt", "updatedAt", "steamAppId", slug)
    select gen_random_uuid()::text, g.igdb_id, g.title, g.summary, g.cover, g.released, now_at, now_at, g.appid,
      g.slug || case
        when exists (select from "Game" other where other.slug = g.slug) or row_number() over (partition by g.slug order by g.igdb_id) > 1
        then '-' || g.igdb_id else ''
      end
    from given g
    where not exists (select from "Game" known where known."igdbId" = g.igdb_id)
    order by g.igdb_id
    returning 1
  )
  select (select count(*) from created), (select count(*) from updated) into games_created, games_updated;

  insert into "GameGenre" ("gameId", "genreId")
  select distinct game.id, genres ->> (genre ->> 'id')
  from jsonb_to_recordset(matched) as m(igdb jsonb)
  join "Game" game on game."igdbId" = (m.igdb ->> 'id')::integer
  cross join lateral jsonb_array_elements(m.igdb -> 'genres') as genre
  order by 1, 2
  on conflict do nothing;

  insert into "GamePlatform" ("gameId", "platformId")
  select distinct game.id, platforms ->> (platform ->> 'id')
  from jsonb_to_recordset(matched) as m(igdb jsonb)
  join "Game" game on game."igdbId" = (m.igdb ->> 'id')::integer
  cross join lateral jsonb_array_elements(m.igdb -> 'platforms') as platform
  order by 1, 2
  on conflict do nothing;

  -- Not for what the user told to ignore.
  with given as (
    select game.id as game_id, bool_or(m.playtime > 0) as is_played
    from jsonb_to_recordset(matched) as m(appid integer, playtime integer, igdb jsonb)
    join "Game" game on game."igdbId" = (m.igdb ->> 'id')::integer
    where exists (
      select from "ImportedGame" i
      where i."userId" = this_user and i.storefront = 'STEAM' and i."storefrontGameId" = m.appid::text
        and i."igdbMatchStatus"::text = 'MATCHED' and i."deletedAt" is null
    )
    group by 1
  ), created as (
    insert into "LibraryItem" (status, "createdAt", "updatedAt", platform, "userId", "gameId")
    select (case when g.is_played then played else unplayed end)::"LibraryItemStatus", now_at, now_at, 'PC', this_user, g.game_id
    from given g
    where not exists (select from "LibraryItem" item where item."userId" = this_user and item."gameId" = g.game_id)
    order by g.game_id
    returning 1
  )
  select count(*) from created into items_created;

  this_reply := jsonb_build_object(
    'imported_games_created', imported_created,
    'imported_games_updated', imported_updated,
    'games_created', games_created,
    'games_updated', games_updated,
    'library_items_created', items_created
  );
  update pics_replies set reply = this_reply where request_id = this_request;
  return this_reply;
end
$$;

-------------------------------------------------------------------------------------------------------------- security
-- A user's rows are that user's, where there are users (Supabase's auth.uid()); what all users share, signed-in users may read. Anonymous
-- visitors see nothing, and tables that were here before keep their own rules.

do $$
declare
  made record;
  role_name name;
begin
  for made in
    select name, name in ('ImportedGame', 'LibraryItem') as is_personal, name in ('igdb_answers', 'web_tokens') as is_private
    from tables_made
  loop
    execute format('alter table public.%I enable row level security', made.name);
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on public.%I from %I', made.name, role_name);
    end loop;
    if exists (select from pg_roles where rolname = 'authenticated') and to_regprocedure('auth.uid()') is not null and not made.is_private then
      execute format('grant select on public.%I to authenticated', made.name);
      execute format('create policy %I on public.%I for select to authenticated using (%s)',
        case when made.is_personal then 'a user reads the own rows' else 'users read the games' end, made.name,
        case when made.is_personal then '(select auth.uid())::text = "userId"' else 'true' end);
    end if;
    if exists (select from pg_roles where rolname = 'service_role') then
      execute format('grant all on public.%I to service_role', made.name);
    end if;
  end loop;
  if exists (select from tables_made where name = 'LibraryItem') then
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on sequence public."LibraryItem_id_seq" from %I', role_name);
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') then
      grant usage, select on sequence public."LibraryItem_id_seq" to service_role;
    end if;
  end if;
end
$$;

drop table tables_made;

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
      p.proname like any (array['pics\_%', 'leader\_%', 'collector\_%', 'web\_%', 'library\_%'])
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
