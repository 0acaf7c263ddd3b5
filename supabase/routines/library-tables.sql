-- The library's tables, which this service owns (LIBRARY_TABLES=own) or another application (shared). Their columns and labels change with
-- that application's releases, so they are read from the catalog and never assumed. No function needs the tables or their types to exist
-- before it runs. (docs/decisions/0020)

-- The values that an import writes into a new row, by table and column, as expressions over a source `s`, with the user as $2. Columns that
-- a table does not have are left out, so that this is also the list of the columns that the import knows.
create or replace function public.library_values() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select $json${
    "ImportedGame": {
      "id": "s.row_id",
      "name": "coalesce(nullif(s.name, ''), (select nullif(a.name, '') from public.apps a where a.appid = s.appid), 'App ' || s.appid)",
      "storefront": "'STEAM'",
      "storefrontGameId": "s.appid",
      "playtime": "s.playtime",
      "playtimeWindows": "s.playtime_windows",
      "playtimeMac": "s.playtime_mac",
      "playtimeLinux": "s.playtime_linux",
      "lastPlayedAt": "s.last_played_at at time zone 'utc'",
      "img_icon_url": "s.img_icon_url",
      "igdbMatchStatus": "s.decided",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'",
      "userId": "$2"
    },
    "Game": {
      "id": "s.row_id",
      "igdbId": "s.igdb_id",
      "title": "s.title",
      "description": "s.summary",
      "coverImage": "s.cover",
      "releaseDate": "s.released",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'",
      "steamAppId": "s.appid",
      "slug": "s.slug || case when exists (select from public.\"Game\" other where other.slug = s.slug) or row_number() over (partition by s.slug order by s.igdb_id) > 1 then '-' || s.igdb_id else '' end"
    },
    "LibraryItem": {
      "status": "s.status",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'",
      "platform": "'PC (Microsoft Windows)'",
      "userId": "$2",
      "gameId": "s.game_id"
    },
    "Genre": {
      "id": "gen_random_uuid()",
      "igdbId": "s.id",
      "name": "s.name",
      "slug": "s.slug",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'"
    },
    "Platform": {
      "id": "gen_random_uuid()",
      "igdbId": "s.id",
      "name": "s.name",
      "slug": "s.slug",
      "abbreviation": "s.abbreviation",
      "createdAt": "now() at time zone 'utc'",
      "updatedAt": "now() at time zone 'utc'"
    },
    "GameGenre": {"gameId": "s.game_id", "genreId": "s.label_id"},
    "GamePlatform": {"gameId": "s.game_id", "platformId": "s.label_id"}
  }$json$::jsonb;
$$;

-- Names of a table's columns; empty for a table that does not exist.
create or replace function public.library_columns(relation text) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select attname::text from pg_attribute
    where attrelid = to_regclass(format('public.%I', relation)) and attnum > 0 and not attisdropped
    order by attnum
  );
$$;

-- Labels of the enum type that `"LibraryItem".status` has; empty for a column of another type.
create or replace function public.library_status_labels() returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select e.enumlabel::text from pg_enum e
    join pg_attribute a on a.atttypid = e.enumtypid
    where a.attrelid = to_regclass('public."LibraryItem"') and a.attname = 'status'
    order by e.enumsortorder
  );
$$;

-- Whether an import can write the library's tables. request {}; reply {"missing": [names of tables that do not exist],
--   "faults": [sentences about tables that exist and that this version cannot write]}
create or replace function public.library_tables(request jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with tables as (
    select key as name, value as known, to_regclass(format('public.%I', key)) as oid from jsonb_each(public.library_values())
  ), optional(name) as (
    values ('playtime'), ('playtimeWindows'), ('playtimeMac'), ('playtimeLinux'), ('lastPlayedAt'), ('img_icon_url'), ('igdbMatchStatus'),
      ('description'), ('coverImage'), ('releaseDate'), ('platform'), ('abbreviation'), ('createdAt'), ('updatedAt')
  ), faults as (
    select format('"%s" has no column "%s"', tables.name, wanted) as fault
    from tables, jsonb_object_keys(known) as wanted
    where oid is not null and wanted not in (select name from optional) and not wanted = any (public.library_columns(tables.name))
    union all
    select format('"%s" requires a value in its column "%s", which this version does not know', tables.name, a.attname)
    from tables join pg_attribute a on a.attrelid = oid
    where a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef and a.attidentity = '' and not known ? a.attname::text
    union all
    select format('"LibraryItem".status has none of the labels SHELF, OWNED, or CURIOUS_ABOUT with EXPERIENCED, but %s', array_to_string(labels, ', '))
    from public.library_status_labels() as labels
    where labels <> '{}' and not (labels && '{SHELF,OWNED}' or labels @> '{CURIOUS_ABOUT,EXPERIENCED}')
  )
  select jsonb_build_object(
    'missing', (select coalesce(jsonb_agg(name order by name), '[]') from tables where oid is null),
    'faults', (select coalesce(jsonb_agg(fault order by fault), '[]') from faults)
  );
$$;

-- The beginning of an INSERT, up to its FROM, with the columns that the table has; each value is cast to the type of its column.
create or replace function public.library_insert(relation text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format('insert into public.%I (%s) select %s ', relation,
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(format('(%s)::%s', given ->> a.attname::text, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
  )
  from pg_attribute a, (select public.library_values() -> relation) as v(given)
  where a.attrelid = to_regclass(format('public.%I', relation)) and a.attnum > 0 and not a.attisdropped and given ? a.attname::text;
$$;

-- An UPDATE of the rows `t` that differ from the given values, which sets "updatedAt" where the table has it.
--   given    column → expression over t and a source s; columns that the table does not have are left out
--   source   what follows FROM, named s
--   matches  which row of s belongs to t
create or replace function public.library_update(relation text, given jsonb, source text, matches text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format('update public.%I t set %s%s from %s where %s and row(%s) is distinct from row(%s)', relation,
    string_agg(format('%I = %s', name, value), ', '),
    case when 'updatedAt' = any (public.library_columns(relation)) then ', "updatedAt" = now() at time zone ''utc''' else '' end,
    source, matches,
    string_agg(format('t.%I', name), ', '),
    string_agg(value, ', ')
  )
  from (
    select a.attname as name, format('(%s)::%s', given ->> a.attname::text, format_type(a.atttypid, a.atttypmod)) as value
    from pg_attribute a
    where a.attrelid = to_regclass(format('public.%I', relation)) and a.attnum > 0 and not a.attisdropped and given ? a.attname::text
    order by a.attnum
  ) columns;
$$;

-- Meaning of each of the library's tables (under "") and of their columns, in the form of the comments of the migrations; docs/data.md is made
-- of it (`npm run docs`). Set on tables that library_create_tables creates.
create or replace function public.library_comments() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select $json${
    "ImportedGame": {
      "": "Games of users' libraries, one row per app and user.",
      "id": "Given by the import: a UUID; another application may have other forms.",
      "name": "Name as Steam gives it, else that of the catalog. Source: Web API IPlayerService/GetOwnedGames, name.",
      "storefront": "Store that the game is from; the import writes STEAM. Values: STEAM, PLAYSTATION, XBOX.",
      "storefrontGameId": "The appid, as text. Source: Web API IPlayerService/GetOwnedGames, appid.",
      "playtime": "Time played in all. Unit: minutes. Source: Web API IPlayerService/GetOwnedGames, playtime_forever.",
      "playtimeWindows": "Time played on Windows. Unit: minutes. Source: Web API IPlayerService/GetOwnedGames, playtime_windows_forever.",
      "playtimeMac": "Time played on macOS. Unit: minutes. Source: Web API IPlayerService/GetOwnedGames, playtime_mac_forever.",
      "playtimeLinux": "Time played on Linux. Unit: minutes. Source: Web API IPlayerService/GetOwnedGames, playtime_linux_forever.",
      "lastPlayedAt": "When it was last played, in UTC; null where unknown. Source: Web API IPlayerService/GetOwnedGames, rtime_last_played.",
      "img_icon_url": "Icon of the game: a hash. Source: Web API IPlayerService/GetOwnedGames, img_icon_url.",
      "img_logo_url": "Logo of the game. Steam no longer gives it, and the import leaves it null.",
      "igdbMatchStatus": "Whether IGDB has the game. Values: PENDING (never compared), MATCHED, UNMATCHED, IGNORED (no game, such as a demo or DLC).",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC.",
      "deletedAt": "When the user deleted it, in UTC; null while it is there. The import never sets it.",
      "userId": "The user."
    },
    "Game": {
      "": "Games by IGDB, shared by all users.",
      "id": "Given by the import: a UUID; another application may have other forms.",
      "igdbId": "IGDB's id of the game. Source: IGDB game.id.",
      "hltbId": "Id at HowLongToBeat; the import leaves it null.",
      "title": "Name. Source: IGDB game.name.",
      "description": "Summary. Source: IGDB game.summary.",
      "coverImage": "Address of the cover. Source: IGDB game.cover.image_id.",
      "releaseDate": "First release, in UTC. Source: IGDB game.first_release_date.",
      "mainStory": "Time for the main story; the import leaves it null.",
      "mainExtra": "Time with extras; the import leaves it null.",
      "completionist": "Time for everything; the import leaves it null.",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC.",
      "steamAppId": "Steam's appid of the game; null where no import has linked one.",
      "slug": "IGDB's name for addresses; with the IGDB id as suffix where another game has the same. Source: IGDB game.slug.",
      "franchiseId": "Franchise; the import leaves it null."
    },
    "LibraryItem": {
      "": "Games in users' libraries, with what the user does with each.",
      "id": "Given by this database.",
      "status": "What the user does with the game. The import writes CURIOUS_ABOUT for a game that was never played, else EXPERIENCED. Values: CURIOUS_ABOUT, CURRENTLY_EXPLORING, TOOK_A_BREAK, EXPERIENCED, WISHLIST, REVISITING; in tables of an application, that application's own.",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC.",
      "platform": "Platform; the import writes PC (Microsoft Windows).",
      "userId": "The user.",
      "acquisitionType": "How the user got the game; the import leaves the default, DIGITAL. Values: PHYSICAL, DIGITAL, SUBSCRIPTION.",
      "gameId": "The game (\"Game\").",
      "startedAt": "When the user began, in UTC; the import leaves it null.",
      "completedAt": "When the user ended, in UTC; the import leaves it null."
    },
    "Genre": {
      "": "Genres by IGDB.",
      "id": "Given by the import: a UUID; another application may have other forms.",
      "igdbId": "IGDB's id of the genre. Source: IGDB game.genres.id.",
      "name": "Name. Source: IGDB game.genres.name.",
      "slug": "IGDB's name for addresses. Source: IGDB game.genres.slug.",
      "checksum": "IGDB's checksum; the import leaves it null.",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC."
    },
    "Platform": {
      "": "Platforms by IGDB.",
      "id": "Given by the import: a UUID; another application may have other forms.",
      "igdbId": "IGDB's id of the platform. Source: IGDB game.platforms.id.",
      "name": "Name. Source: IGDB game.platforms.name.",
      "slug": "IGDB's name for addresses. Source: IGDB game.platforms.slug.",
      "abbreviation": "Short name. Source: IGDB game.platforms.abbreviation.",
      "alternativeName": "Other name; the import leaves it null.",
      "checksum": "IGDB's checksum; the import leaves it null.",
      "generation": "Generation of consoles; the import leaves it null.",
      "platformFamily": "IGDB's id of the family; the import leaves it null.",
      "platformType": "IGDB's id of the type; the import leaves it null.",
      "createdAt": "When the row was made, in UTC.",
      "updatedAt": "When the row was last changed, in UTC."
    },
    "GameGenre": {
      "": "Genres of a game.",
      "gameId": "The game (\"Game\").",
      "genreId": "The genre (\"Genre\")."
    },
    "GamePlatform": {
      "": "Platforms of a game.",
      "gameId": "The game (\"Game\").",
      "platformId": "The platform (\"Platform\")."
    }
  }$json$::jsonb;
$$;

-- Sets the comments of one of the library's tables.
create or replace function public.library_comment(relation text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  meaning record;
begin
  for meaning in select key as name, value as text from jsonb_each_text(public.library_comments() -> relation) loop
    if meaning.name = '' then
      execute format('comment on table public.%I is %L', relation, meaning.text);
    else
      execute format('comment on column public.%I.%I is %L', relation, meaning.name, meaning.text);
    end if;
  end loop;
end
$$;

-- Creates those of the library's tables and types that do not exist, with indexes, row-level security and grants; existing ones stay as they
-- are. Where there are users (Supabase's auth.uid()), a signed-in user reads the own rows and what all users share; anonymous visitors read
-- nothing. As the owner of the schema, which alone may do that. request {}; reply {"created": [names of tables]}
-- Idempotent, and safe when several callers race.
create or replace function public.library_create_tables(request jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10s'
as $$
declare
  wanted record;
  role_name name;
  created text[] := '{}';
  has_users constant boolean :=
    exists (select from pg_roles where rolname = 'authenticated') and to_regprocedure('auth.uid()') is not null;
begin
  perform pg_advisory_xact_lock(hashtextextended('library tables', 0));

  for wanted in select * from (values
    ('Storefront', '{STEAM,PLAYSTATION,XBOX}'::text[]),
    ('IgdbMatchStatus', '{PENDING,MATCHED,UNMATCHED,IGNORED}'),
    ('LibraryItemStatus', '{CURIOUS_ABOUT,CURRENTLY_EXPLORING,TOOK_A_BREAK,EXPERIENCED,WISHLIST,REVISITING}'),
    ('AcquisitionType', '{PHYSICAL,DIGITAL,SUBSCRIPTION}')
  ) as t(name, labels) where to_regtype(format('public.%I', name)) is null loop
    execute format('create type public.%I as enum (%s)', wanted.name,
      (select string_agg(quote_literal(label), ', ' order by position) from unnest(wanted.labels) with ordinality as l(label, position)));
  end loop;

  for wanted in select * from (values
    ('ImportedGame', $t$
      id text primary key, name text not null, storefront public."Storefront" not null, "storefrontGameId" text,
      playtime integer default 0, "playtimeWindows" integer default 0, "playtimeMac" integer default 0, "playtimeLinux" integer default 0,
      "lastPlayedAt" timestamp(3), img_icon_url text, img_logo_url text,
      "igdbMatchStatus" public."IgdbMatchStatus" not null default 'PENDING',
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, "deletedAt" timestamp(3),
      "userId" text not null $t$),
    ('Game', $t$
      id text primary key, "igdbId" integer not null unique, "hltbId" integer unique, title text not null, description text,
      "coverImage" text, "releaseDate" timestamp(3), "mainStory" integer, "mainExtra" integer, completionist integer,
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, "steamAppId" integer,
      slug text not null unique, "franchiseId" integer $t$),
    ('LibraryItem', $t$
      id serial primary key, status public."LibraryItemStatus" not null default 'CURIOUS_ABOUT',
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, platform text,
      "userId" text not null, "acquisitionType" public."AcquisitionType" not null default 'DIGITAL',
      "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
      "startedAt" timestamp(3), "completedAt" timestamp(3) $t$),
    ('Genre', $t$
      id text primary key, "igdbId" integer not null unique, name text not null unique, slug text not null unique, checksum text,
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null $t$),
    ('Platform', $t$
      id text primary key, "igdbId" integer not null unique, name text not null unique, slug text not null unique, abbreviation text,
      "alternativeName" text, checksum text, generation integer, "platformFamily" integer, "platformType" integer,
      "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null $t$),
    ('GameGenre', $t$
      "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
      "genreId" text not null references public."Genre" (id) on delete cascade on update cascade, primary key ("gameId", "genreId") $t$),
    ('GamePlatform', $t$
      "gameId" text not null references public."Game" (id) on delete cascade on update cascade,
      "platformId" text not null references public."Platform" (id) on delete cascade on update cascade, primary key ("gameId", "platformId") $t$)
  ) as t(name, columns) where to_regclass(format('public.%I', name)) is null loop
    execute format('create table public.%I (%s)', wanted.name, wanted.columns);
    execute format('alter table public.%I enable row level security', wanted.name);
    perform public.library_comment(wanted.name);
    created := created || wanted.name::text;
  end loop;

  for wanted in select * from (values
    ('ImportedGame', '{userId,deletedAt}'::text[]), ('ImportedGame', '{storefrontGameId}'), ('ImportedGame', '{userId,playtime}'),
    ('ImportedGame', '{userId,storefrontGameId}'), ('Game', '{steamAppId}'), ('LibraryItem', '{userId,gameId}')
  ) as t(name, columns) where name = any (created) loop
    execute format('create index %I on public.%I (%s)', array_to_string(wanted.name || wanted.columns || 'idx'::text, '_'), wanted.name,
      (select string_agg(quote_ident(c), ', ' order by position) from unnest(wanted.columns) with ordinality as l(c, position)));
  end loop;

  for wanted in select name, name in ('ImportedGame', 'LibraryItem') as is_personal from unnest(created) as name loop
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on public.%I from %I', wanted.name, role_name);
      if wanted.name = 'LibraryItem' then
        execute format('revoke all on sequence public."LibraryItem_id_seq" from %I', role_name);
      end if;
    end loop;
    if has_users then
      execute format('grant select on public.%I to authenticated', wanted.name);
      execute format('create policy %I on public.%I for select to authenticated using (%s)',
        case when wanted.is_personal then 'a user reads the own rows' else 'users read the games' end, wanted.name,
        case when wanted.is_personal then '(select auth.uid())::text = "userId"' else 'true' end);
    end if;
    if exists (select from pg_roles where rolname = 'service_role') then
      execute format('grant all on public.%I to service_role', wanted.name);
      if wanted.name = 'LibraryItem' then
        grant usage, select on sequence public."LibraryItem_id_seq" to service_role;
      end if;
    end if;
  end loop;
  if created <> '{}' then
    -- PostgREST, if one serves this database, does not know the tables before it reloads its schema cache.
    notify pgrst, 'reload schema';
  end if;
  return jsonb_build_object('created', to_jsonb(created));
end
$$;
