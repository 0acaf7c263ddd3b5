-- The library import's tables. Another application may own them (their names come from its Prisma schema), so each is created only where
-- it does not exist, and existing ones are not changed, except that one missing column is added.

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
  -- Checked first: `add column if not exists` needs the owner of the table even where the column exists.
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
comment on table public.igdb_answers is 'TTL cache of IGDB''s answers about Steam apps, an hour; a null game is a miss.';

create table if not exists public.web_tokens (
  name text primary key,
  token text not null,
  expires_at timestamptz not null
);
comment on table public.web_tokens is 'Access tokens of web APIs, stored because an application may only have a few at a time.';

-------------------------------------------------------------------------------------------------------------- security
-- Where there are users (Supabase's auth.uid()), a signed-in user reads the own rows and what all users share. Anonymous visitors read
-- nothing, and tables that existed before keep their own policies.

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
