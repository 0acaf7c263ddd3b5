-- The catalog: what Steam says about its apps.
--
-- Additive. A database that already holds an older application's `apps` keeps every row and column and gains what is
-- missing; only what would reject Steam's data is loosened (docs/decisions/0006). Row-level security and grants are set on
-- tables that this file creates, never on tables that were there before.

-- API roles. Supabase has these three; elsewhere they are created so that the same grants apply. Where this login may not create
-- roles, the grants are left out.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = role_name) then
      begin
        execute format('create role %I nologin noinherit%s', role_name,
                       case when role_name = 'service_role' then ' bypassrls' else '' end);
      exception
        when insufficient_privilege then
          raise notice 'role % does not exist and may not be created: its grants are left out', role_name;
        when duplicate_object or unique_violation then
          null; -- another database of this cluster was migrated at the same moment
      end;
    end if;
  end loop;
end
$$;

-- Compatibility check of an older application's tables: a column that has the right name and a type of another kind is an error that names
-- it, before anything is changed.
do $$
declare
  col record;
begin
  for col in
    select wanted.relation, a.attname as name, format_type(a.atttypid, a.atttypmod) as type
    from (values
      ('apps', 'S', 'name type release_state platforms controller_support metacritic_url homepage_url app_state current_build_id'),
      ('apps', 'S', 'vr_support os_arch install_dir'),
      ('apps', 'B', 'is_known is_listed is_active is_free has_workshop family_sharing_excluded'),
      ('apps', 'D', 'steam_release_date original_release_date store_asset_mtime last_content_update created_at updated_at'),
      ('apps', 'D', 'store_modified_at'),
      ('apps', 'N', 'appid pics_review_score pics_review_percentage metacritic_score parent_appid primary_genre_id'),
      ('apps', 'N', 'pics_review_score_without_bombs pics_review_percentage_without_bombs must_own_appid playtest_type'),
      ('apps', 'N', 'price_change_number'),
      ('apps', 'jsonb', 'content_descriptors languages name_localized assets'),
      ('apps', '_text', 'ai_content restricted_countries'),
      ('sync_status', 'S', 'last_error'),
      ('sync_status', 'B', 'missing_token'),
      ('sync_status', 'D', 'last_pics_sync pending_since next_attempt_at lease_until last_steamspy_sync'),
      ('sync_status', 'N', 'appid pics_change_number pics_pending_change attempts lease_change extractor_version'),
      ('sync_status', 'uuid', 'lease_id')
    ) as wanted(relation, kind, names)
    join pg_attribute a on a.attrelid = to_regclass('public.' || wanted.relation)
      and a.attname = any (string_to_array(wanted.names, ' ')) and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    where not (wanted.kind in (t.typcategory, t.typname) or (wanted.kind = 'S' and t.typcategory = 'E'))
  loop
    raise exception using
      errcode = 'datatype_mismatch',
      message = format('column %s.%s is %s, which cannot hold what Steam sends', col.relation, col.name, col.type),
      hint = 'Rename that column and migrate again: the column that is needed is then added.';
  end loop;
end
$$;

-- Tables that this migration creates. Row-level security and grants are set on these only (at the end).
create temporary table tables_made as
select name
from unnest(array[
  'apps', 'steam_tags', 'steam_genres', 'steam_categories', 'franchises', 'developers', 'publishers',
  'app_steam_tags', 'app_genres', 'app_categories', 'app_franchises', 'app_developers', 'app_publishers',
  'app_dlc', 'app_steam_deck', 'app_branches', 'app_depots', 'app_depot_manifests', 'app_info'
]) as name
where to_regclass('public.' || name) is null;

------------------------------------------------------------------------------------------------------------------- apps

-- One column a line. What PICS writes is listed once more, in pics_app_columns (supabase/routines/pics.sql).
create table if not exists public.apps (appid integer primary key);

alter table public.apps
  add column if not exists name text,
  add column if not exists type text,
  add column if not exists is_known boolean not null default true,
  add column if not exists is_listed boolean,
  add column if not exists is_active boolean not null default true,
  add column if not exists is_free boolean,
  add column if not exists release_state text,
  add column if not exists steam_release_date timestamptz,
  add column if not exists original_release_date timestamptz,
  add column if not exists store_asset_mtime timestamptz,
  add column if not exists platforms text,
  add column if not exists controller_support text,
  add column if not exists pics_review_score smallint,
  add column if not exists pics_review_percentage smallint,
  add column if not exists metacritic_score smallint,
  add column if not exists metacritic_url text,
  add column if not exists parent_appid integer,
  add column if not exists homepage_url text,
  add column if not exists app_state text,
  add column if not exists last_content_update timestamptz,
  add column if not exists current_build_id text,
  add column if not exists content_descriptors jsonb,
  add column if not exists languages jsonb,
  add column if not exists has_workshop boolean,
  add column if not exists primary_genre_id integer,
  add column if not exists pics_review_score_without_bombs smallint,
  add column if not exists pics_review_percentage_without_bombs smallint,
  add column if not exists name_localized jsonb,
  add column if not exists assets jsonb,
  add column if not exists ai_content text[],
  add column if not exists vr_support text,
  add column if not exists os_arch text,
  add column if not exists restricted_countries text[],
  add column if not exists family_sharing_excluded boolean,
  add column if not exists install_dir text,
  add column if not exists must_own_appid integer,
  add column if not exists playtest_type smallint,
  add column if not exists store_modified_at timestamptz,
  add column if not exists price_change_number integer,
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists updated_at timestamptz not null default now();

-- Loosens an older application's table: an enum cannot hold the types that Steam adds, a length limit cuts, NOT NULL rejects an app
-- without a name. Such columns become plain nullable text.
do $$
declare
  col record;
begin
  if exists (select from tables_made where name = 'apps') then
    return;
  end if;

  for col in
    select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, t.typcategory in ('S', 'E') as is_text,
           a.attnotnull as not_null, pg_get_expr(d.adbin, d.adrelid) as default_value
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = 'public.apps'::regclass and not a.attisdropped and a.attname in (
      'name', 'type', 'is_listed', 'is_free', 'release_state', 'steam_release_date', 'original_release_date',
      'store_asset_mtime', 'platforms', 'controller_support', 'pics_review_score', 'pics_review_percentage',
      'metacritic_score', 'metacritic_url', 'parent_appid', 'homepage_url', 'app_state', 'last_content_update',
      'current_build_id', 'content_descriptors', 'languages', 'has_workshop', 'primary_genre_id',
      'pics_review_score_without_bombs', 'pics_review_percentage_without_bombs', 'name_localized', 'assets', 'ai_content', 'vr_support',
      'os_arch', 'restricted_countries', 'family_sharing_excluded', 'install_dir', 'must_own_appid', 'playtest_type', 'store_modified_at',
      'price_change_number'
    )
  loop
    if col.is_text and col.type <> 'text' then
      execute format('alter table public.apps alter column %I drop default', col.name);
      execute format('alter table public.apps alter column %I type text using %I::text', col.name, col.name);
      if col.default_value is not null then
        execute format('alter table public.apps alter column %I set default (%s)::text', col.name, col.default_value);
      end if;
    end if;
    if col.not_null then
      execute format('alter table public.apps alter column %I drop not null', col.name);
    end if;
  end loop;

  if not exists (
    select from pg_index i
    where i.indrelid = 'public.apps'::regclass and i.indisunique and i.indpred is null and i.indnkeyatts = 1
      and i.indkey[0] = (select attnum from pg_attribute where attrelid = i.indrelid and attname = 'appid')
  ) then
    create unique index apps_appid on public.apps (appid);
  end if;
end
$$;

-- What a search by name looks through: ' stardew valley ¦ 星 露 谷 物 语', the name and its translations as catalog_fold (lists.sql) folds
-- them: lower case, without accents, apostrophes and dots, other punctuation as a space, each character of a script without spaces as a word.
-- Generated, so that rows of other applications have it, too; of built-in functions, so that every role may write them. As
-- long as an index can hold.
alter table public.apps
  add column if not exists search_text text generated always as (rtrim(left(' ' || btrim(
    case when name_localized is null and octet_length(name) = char_length(name)
      -- ASCII, as most names are: the same by one regular expression, for a fraction of the time.
      then regexp_replace(translate(lower(left(name, 200)), '.''`', ''), '[!-/:-@\[-`{-~\s]+', ' ', 'g')
      else regexp_replace(regexp_replace(regexp_replace(lower(regexp_replace(
        normalize(translate(
          coalesce(left(name, 200), '') || coalesce(' ¦ ' || left(jsonb_path_query_array(name_localized, '$.*')::text, 1000), ''), '.''’`™®©', ''
        ), nfkd), '[\u0300-\u036f\u3099\u309a]', '', 'g')),
        '[!-/:-@\[-`{-~\s–—“”‘「」『』【】・：！？、。]+', ' ', 'g'),
        '([\u3040-\u30ff\u3400-\u9fff])', ' \1 ', 'g'), '\s+', ' ', 'g')
    end), 400))) stored,
  -- Written with the relations, see catalog_labels_of.
  add column if not exists labels integer[],
  -- A name that an index can hold.
  add column if not exists sort_name text generated always as (left(name, 100)) stored;

-- Sort orders of lists, each in both directions. What most apps have none of is indexed by type, too, since a list of the other types would
-- have to read past all the rest.
create index if not exists apps_by_name on public.apps (sort_name, appid);
create index if not exists apps_by_release_date on public.apps (steam_release_date, appid);
create index if not exists apps_by_type_and_release_date on public.apps (type, steam_release_date, appid);
create index if not exists apps_by_reviews on public.apps (pics_review_percentage, appid);
create index if not exists apps_by_type_and_reviews on public.apps (type, pics_review_percentage, appid);
create index if not exists apps_by_update on public.apps (updated_at, appid);
-- What lists filter, sort and search by, a quarter of the table: read in its place, by appid.
-- The filters by tag, genre, category and verdict share one inverted index, which finds the apps that have several of them at once.
create index if not exists apps_by_label on public.apps using gin (labels) with (gin_pending_list_limit = 64);
create index if not exists apps_by_parent on public.apps (parent_appid) where parent_appid is not null;
create index if not exists apps_by_platforms on public.apps (platforms);
create index if not exists apps_by_vr_support on public.apps (vr_support, appid) where vr_support is not null;
create index if not exists apps_with_ai on public.apps (appid) where ai_content is not null;
create index if not exists apps_with_live_ai on public.apps (appid) where ai_content @> array['live'];
create index if not exists apps_inactive on public.apps (appid) where not is_active;

------------------------------------------------------------------------------------------------------------- references

create table if not exists public.steam_tags (
  tag_id integer primary key,
  name text
);
create table if not exists public.steam_genres (
  genre_id integer primary key,
  name text
);
create table if not exists public.steam_categories (
  category_id integer primary key,
  name text,
  description text
);
alter table public.steam_categories add column if not exists named_at timestamptz;
create table if not exists public.franchises (
  id integer generated by default as identity primary key,
  name text not null unique
);
create table if not exists public.developers (
  id integer generated by default as identity primary key,
  name text not null unique
);
create table if not exists public.publishers (
  id integer generated by default as identity primary key,
  name text not null unique
);

------------------------------------------------------------------------------------------------------------- relations

create table if not exists public.app_steam_tags (
  appid integer not null references public.apps (appid) on delete cascade,
  tag_id integer not null references public.steam_tags (tag_id),
  rank smallint not null,
  primary key (tag_id, appid)
);
create table if not exists public.app_genres (
  appid integer not null references public.apps (appid) on delete cascade,
  genre_id integer not null references public.steam_genres (genre_id),
  is_primary boolean not null default false,
  primary key (genre_id, appid)
);
create table if not exists public.app_categories (
  appid integer not null references public.apps (appid) on delete cascade,
  category_id integer not null references public.steam_categories (category_id),
  primary key (category_id, appid)
);
create table if not exists public.app_franchises (
  appid integer not null references public.apps (appid) on delete cascade,
  franchise_id integer not null references public.franchises (id),
  primary key (franchise_id, appid)
);
create table if not exists public.app_developers (
  appid integer not null references public.apps (appid) on delete cascade,
  developer_id integer not null references public.developers (id),
  primary key (developer_id, appid)
);
create table if not exists public.app_publishers (
  appid integer not null references public.apps (appid) on delete cascade,
  publisher_id integer not null references public.publishers (id),
  primary key (publisher_id, appid)
);
create table if not exists public.app_dlc (
  appid integer not null references public.apps (appid) on delete cascade,
  dlc_appid integer not null,
  primary key (appid, dlc_appid)
);
create table if not exists public.app_steam_deck (
  appid integer primary key references public.apps (appid) on delete cascade,
  category text not null check (category in ('unknown', 'unsupported', 'playable', 'verified')),
  steamos_category text,
  test_timestamp timestamptz,
  tested_build_id text,
  tests jsonb,
  updated_at timestamptz not null default now()
);
alter table public.app_steam_deck
  add column if not exists machine_category text,
  add column if not exists frame_category text,
  add column if not exists steamos_tests jsonb,
  add column if not exists machine_tests jsonb,
  add column if not exists frame_tests jsonb,
  add column if not exists configuration jsonb;

create table if not exists public.app_branches (
  appid integer not null references public.apps (appid) on delete cascade,
  branch text not null,
  build_id text,
  built_at timestamptz,
  updated_at timestamptz,
  description text,
  password_required boolean not null default false,
  primary key (appid, branch)
);
create table if not exists public.app_depots (
  appid integer not null references public.apps (appid) on delete cascade,
  depot_id integer not null,
  name text,
  os_list text,
  os_arch text,
  language text,
  dlc_appid integer,
  from_appid integer,
  shared_install boolean not null default false,
  primary key (appid, depot_id)
);
create table if not exists public.app_depot_manifests (
  appid integer not null references public.apps (appid) on delete cascade,
  depot_id integer not null,
  branch text not null,
  manifest_id text not null,
  size_bytes bigint,
  download_bytes bigint,
  primary key (appid, depot_id, branch)
);
create table if not exists public.app_info (
  appid integer primary key references public.apps (appid) on delete cascade,
  change_number bigint not null,
  sha1 text not null,
  size integer not null,
  partial boolean not null,
  fetched_at timestamptz not null default now(),
  data bytea not null
);
-- The data is deflated already: Postgres would only try in vain to compress it.
alter table public.app_info alter column data set storage external;

-- Relations are read from both sides. Their primary keys begin with the label or company and find its apps without reading the table. What
-- an app has is found by an index of its appid alone, which takes a third of the bytes of one with both columns: equal keys share an entry.
do $$
declare
  relation record;
begin
  for relation in
    select *
    from (values
      ('app_steam_tags', 'tag_id'), ('app_genres', 'genre_id'), ('app_categories', 'category_id'),
      ('app_franchises', 'franchise_id'), ('app_developers', 'developer_id'), ('app_publishers', 'publisher_id')
    ) as r(name, id_column)
  loop
    execute format('create index if not exists %I on public.%I (appid)', relation.name || '_by_app', relation.name);
    -- In a table of an older application the primary key may begin with the appid.
    if not exists (
      select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indrelid = to_regclass('public.' || relation.name) and i.indpred is null and a.attname = relation.id_column
    ) then
      execute format('create index if not exists %I on public.%I (%I, appid)', relation.name || '_by_label', relation.name, relation.id_column);
    end if;
  end loop;
end
$$;
create index if not exists app_dlc_by_dlc on public.app_dlc (dlc_appid);
create index if not exists app_depots_by_depot on public.app_depots (depot_id);

-- Search: trigrams where the extension can be had, in the schema where it is; else, and for scripts that it does not know in a database of
-- locale C, the words of each name. A pending list of GIN is read by every search, so it is short.
do $$
declare
  trigrams name;
  indexed record;
begin
  if not exists (select from pg_extension where extname = 'pg_trgm') then
    begin
      execute 'create extension pg_trgm' || case when to_regnamespace('extensions') is not null then ' schema extensions' else '' end;
    exception
      when others then
        raise notice 'the extension pg_trgm cannot be installed (%): search finds whole words and their beginnings, and no close misses', sqlerrm;
    end;
  end if;
  trigrams := (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_trgm');
  if trigrams is not null then
    for indexed in
      select * from (values ('apps', 'search_text'), ('developers', 'name'), ('publishers', 'name'), ('franchises', 'name')) as i(relation, name)
    loop
      execute format('create index if not exists %I on public.%I using gin (%I %I.gin_trgm_ops) with (gin_pending_list_limit = 64)',
                     indexed.relation || '_by_trigram', indexed.relation, indexed.name, trigrams);
    end loop;
  end if;
  if trigrams is null or (select datctype in ('C', 'POSIX') from pg_database where datname = current_database()) then
    create index if not exists apps_by_word on public.apps
      using gin (array_to_tsvector(string_to_array(ltrim(search_text), ' '))) with (gin_pending_list_limit = 64);
  end if;
end
$$;

---------------------------------------------------------------------------------------------------------- dictionary
-- Meaning of every table and column: "Meaning. Values: …. Unit: …. Source: …. Example: …", of which docs/data.md is made (`npm run docs`).
-- Sources are keys of Steam's app info (PICS) and fields of web APIs. Examples are of app 730, Counter-Strike 2, where no other is named.

comment on table public.apps is
  'Every app that Steam has or had, one row each, as PICS describes it. An app that Steam no longer knows keeps its row, with is_known false.';
comment on column public.apps.appid is 'Steam''s id of the app. Source: PICS appid. Example: 730';
comment on column public.apps.name is
  'Name as Steam writes it. From the store''s app list only until PICS has stored the app. Source: PICS common/name. Example: Counter-Strike 2';
comment on column public.apps.type is
  'Kind of app, lower-cased; Steam adds kinds. '
  'Values: game, dlc, demo, beta (a playtest), application, tool, music, video, series, config, hardware, …. Source: PICS common/type. '
  'Example: game';
comment on column public.apps.is_known is
  'Whether Steam knows the app: false once Steam has answered "unknown" and that is believed. Source: the service, by the unknown ids of PICS. '
  'Example: true';
comment on column public.apps.is_listed is
  'Whether the store''s app lists name the app: true while one does, false once the lists no longer do (delisted), null until one has. Demos, '
  'music and tools are in no list. '
  'Source: Web API IStoreService/GetAppList. Example: true';
comment on column public.apps.is_active is 'is_known and is_listed is not false. Source: the service. Example: true';
comment on column public.apps.is_free is
  'Whether Steam marks the app as free; demos and playtests are. Null while the section that would tell is withheld. '
  'Source: PICS common/freetodownload, extended/isfreeapp or common/type. Example: true';
comment on column public.apps.release_state is
  'State of release, lower-cased; null where Steam names none. Values: released, prerelease, preloadonly, unavailable, disabled, …. '
  'Source: PICS common/releasestate. Example: released (app 900270)';
comment on column public.apps.steam_release_date is
  'Release on Steam; may lie ahead. Source: PICS common/steam_release_date. Example: 2012-08-21T17:00:00Z';
comment on column public.apps.original_release_date is
  'Release before or outside of Steam; null where Steam names none. Source: PICS common/original_release_date. '
  'Example: 2007-10-10T07:00:00Z (app 440)';
comment on column public.apps.store_asset_mtime is
  'When the art of the store page was last changed. Source: PICS common/store_asset_mtime. Example: 2025-06-04T16:17:38Z';
comment on column public.apps.platforms is
  'Platforms, comma-joined: windows, macos, linux in this order, then any other by name; null where Steam names none. '
  'Values: windows, macos, linux, android, …. Source: PICS common/oslist. Example: windows,linux';
comment on column public.apps.controller_support is
  'Support of game controllers; null where Steam names none. Values: full, partial. Source: PICS common/controller_support. '
  'Example: partial (app 440)';
comment on column public.apps.pics_review_score is
  'Verdict of the user reviews; null without one. '
  'Values: 1 overwhelmingly negative, 2 very negative, 3 negative, 4 mostly negative, 5 mixed, 6 mostly positive, 7 positive, 8 very positive, 9 '
  'overwhelmingly positive. '
  'Source: PICS common/review_score. Example: 8';
comment on column public.apps.pics_review_percentage is
  'Share of positive user reviews. Unit: percent, 0 to 100. Source: PICS common/review_percentage. Example: 86';
comment on column public.apps.metacritic_score is
  'Score at Metacritic. Unit: points, 0 to 100. Source: PICS common/metacritic_score. Example: 92 (app 440)';
comment on column public.apps.metacritic_url is
  'Page at Metacritic. Source: PICS common/metacritic_fullurl, else built from common/metacritic_url. '
  'Example: https://www.metacritic.com/game/pc/team-fortress-2?ftag=MCD-06-10aaa1f (app 440)';
comment on column public.apps.parent_appid is
  'App that this one belongs to: the game of a DLC, demo, playtest, soundtrack or server. No foreign key, since it may be stored later or never. '
  'Source: PICS common/parent, else extended/dlcforappid, extended/demoofappid or extended/betaforappid. Example: 730 (app 740)';
comment on column public.apps.homepage_url is
  'Website of the app, else that of its developer. Source: PICS extended/homepage, else extended/developer_url. '
  'Example: http://counter-strike.net/';
comment on column public.apps.app_state is 'Steam''s code of a state, mostly on old apps. Source: PICS extended/state. Example: eStateAvailable';
comment on column public.apps.last_content_update is
  'When the build of the public branch was made; where Steam does not say, when that branch was last changed. '
  'Source: PICS depots/branches/*/timebuildupdated, else depots/branches/*/timeupdated, of public. Example: 2026-05-22T22:11:39Z';
comment on column public.apps.current_build_id is
  'Build of the public branch: an unsigned 64-bit number as text. Source: PICS depots/branches/*/buildid of public. Example: 23371447';
comment on column public.apps.content_descriptors is
  'Warnings about content, ascending; null where Steam lists none. '
  'Values: 1 some nudity or sexual content, 2 frequent violence or gore, 3 adult only sexual content, 4 frequent nudity or sexual content, 5 '
  'general mature content. '
  'Source: PICS common/content_descriptors. Example: [2, 5]';
comment on column public.apps.languages is
  'Support of each language by Steam''s key: supported is that of the interface. Null where Steam lists none. '
  'Source: PICS common/supported_languages, else common/languages. '
  'Example: {"english": {"supported": true, "full_audio": true, "subtitles": false}, …}';
comment on column public.apps.has_workshop is
  'Whether the app has a Steam Workshop, in which players share items. Source: PICS common/category (category_30) or common/workshop_visible. '
  'Example: true';
comment on column public.apps.primary_genre_id is
  'Genre that Steam calls primary (steam_genres); it need not be among those of the app. Null where Steam names none. '
  'Source: PICS common/primary_genre. Example: 37';
comment on column public.apps.pics_review_score_without_bombs is
  'As pics_review_score, as far as is known without the reviews of review bombs; null on all but a few apps. '
  'Source: PICS common/review_score_bombs. Example: 9 (app 1250, whose pics_review_score is 8)';
comment on column public.apps.pics_review_percentage_without_bombs is
  'As pics_review_percentage, as far as is known without the reviews of review bombs; null on all but a few apps. Unit: percent, 0 to 100. '
  'Source: PICS common/review_percentage_bombs. Example: 95 (app 1250, whose pics_review_percentage is 94)';
comment on column public.apps.name_localized is
  'Names in other languages, by Steam''s key of the language; null where there are none. Source: PICS common/name_localized. '
  'Example: {"sc_schinese": "反恐精英：全球攻势"}';
comment on column public.apps.assets is
  'Art: paths by kind and language; under icons by the icon''s name. The API makes addresses of them. Null where Steam names none. '
  'Source: PICS common/header_image, common/small_capsule and common/library_assets_full; icons from common/icon, common/logo, common/logo_small, '
  'common/clienticon, common/clienticns, common/clienttga and common/linuxclienticon. '
  'Example: {"header": {"english": "header.jpg", …}, "icons": {"icon": "8dbc71957312bbd3baea65848b545be9eae2a355.jpg", …}, …}';
comment on column public.apps.ai_content is
  'What the developer says was made with generative AI; null where nothing. '
  'Values: pre_generated (shipped with the app), live (made while it runs). Source: PICS common/aicontenttype. '
  'Example: {pre_generated} (app 329970)';
comment on column public.apps.vr_support is
  'Virtual reality; null where Steam names none. Values: supported, only (needs it). '
  'Source: PICS common/onlyvrsupport, common/openvrsupport, common/openxrsupport and common/othervrsupport. Example: supported (app 218620)';
comment on column public.apps.os_arch is
  'Word size that the app needs; null where Steam names none. Values: 64, 32. Unit: bit. Source: PICS common/osarch. Example: 64 (app 230410)';
comment on column public.apps.restricted_countries is
  'Countries in which Steam does not sell the app, as two-letter codes, ascending; null where it names none. '
  'Source: PICS common/restricted_countries. Example: {DE} (app 324090)';
comment on column public.apps.family_sharing_excluded is
  'Whether the app is excluded from family sharing. Steam''s values 1 to 9 are reasons that it does not document. Source: PICS common/exfgls. '
  'Example: true';
comment on column public.apps.install_dir is
  'Name of the app''s folder under steamapps/common. Source: PICS config/installdir. Example: Counter-Strike Global Offensive';
comment on column public.apps.must_own_appid is
  'App that must be owned to buy this one. No foreign key, as for parent_appid. Source: PICS extended/mustownapptopurchase. '
  'Example: 1250 (app 1256)';
comment on column public.apps.playtest_type is
  'Steam''s code of a kind of playtest, which Steam does not document; 0 and 1 were seen. Null for other apps. '
  'Source: PICS extended/playtest_type. Example: 0 (app 1470590)';
comment on column public.apps.store_modified_at is
  'When the store page was last changed; null until an app list has told. Source: Web API IStoreService/GetAppList, last_modified. '
  'Example: 2023-02-24T19:13:17Z (app 1840)';
comment on column public.apps.price_change_number is
  'Number that rises with each change of a price; null until an app list has told. Which price is not told. '
  'Source: Web API IStoreService/GetAppList, price_change_number. Example: 31509480 (app 100400)';
comment on column public.apps.created_at is 'When this database first stored the app. Source: the service. Example: 2026-11-28T12:00:00Z';
comment on column public.apps.updated_at is
  'When a column of this row last changed its value; the first value of store_modified_at and price_change_number does not count. '
  'Source: the service. Example: 2026-11-28T12:00:00Z';
comment on column public.apps.search_text is
  'What a search by name looks through: the name and its translations, in lower case, without accents and punctuation. '
  'Source: generated from name and name_localized. Example:  counter strike 2 ¦ 反 恐 精 英 全 球 攻 势';
comment on column public.apps.labels is
  'What lists are filtered by: ids of tags, of genres + 2^28, of categories + 2 × 2^28, and verdicts (1 unknown to 4 verified) on Deck + 3 × 2^28, '
  'Machine + 4 × 2^28 and Frame + 5 × 2^28, ascending. '
  'Source: the service, from the relations. Example: {1663,268435457} (tag 1663 and genre 1)';
comment on column public.apps.sort_name is
  'The first 100 characters of the name, by which lists are sorted. Source: generated from name. Example: Counter-Strike 2';

comment on table public.steam_tags is 'Tags that players give to apps in the store.';
comment on column public.steam_tags.tag_id is 'Steam''s id of the tag. Source: PICS common/store_tags. Example: 1663';
comment on column public.steam_tags.name is
  'English name; null until it has been fetched. Source: Steam service method Store.GetLocalizedNameForTags. Example: FPS';

comment on table public.steam_genres is 'Genres of the store.';
comment on column public.steam_genres.genre_id is 'Steam''s id of the genre. Source: PICS common/genres. Example: 37';
comment on column public.steam_genres.name is
  'English name, seeded by the migration; null for an id that it does not know. Source: the migration. Example: Free to Play';

comment on table public.steam_categories is 'Categories of the store: features such as Single-player or Steam Cloud.';
comment on column public.steam_categories.category_id is 'Steam''s id of the category. Source: PICS common/category. Example: 30';
comment on column public.steam_categories.name is
  'English name: the seeded one until Steam has given its own; null where neither is known. '
  'Source: Steam service method StoreBrowse.GetStoreCategories. Example: Steam Workshop';
comment on column public.steam_categories.description is
  'What the category means, in the words of the seed; null where Steam''s name is another than the seeded one. Source: the migration. '
  'Example: Players share what they make.';
comment on column public.steam_categories.named_at is
  'When Steam last gave this name; null while it is a seed or unknown. Source: the service. Example: 2026-11-28T12:00:00Z';

comment on table public.franchises is 'Names of franchises, each exact name once.';
comment on column public.franchises.id is 'Given by this database, in the order in which names were first stored. Source: the service. Example: 1';
comment on column public.franchises.name is
  'As Steam writes it, trimmed. Source: PICS common/associations, type franchise. Example: Dota (app 570)';

comment on table public.developers is 'Names of developers, each exact name once.';
comment on column public.developers.id is 'Given by this database, in the order in which names were first stored. Source: the service. Example: 1';
comment on column public.developers.name is
  'As Steam writes it, trimmed. Source: PICS common/associations, type developer; without one extended/developer, else common/developer. '
  'Example: Valve';

comment on table public.publishers is 'Names of publishers, each exact name once.';
comment on column public.publishers.id is 'Given by this database, in the order in which names were first stored. Source: the service. Example: 1';
comment on column public.publishers.name is
  'As Steam writes it, trimmed. Source: PICS common/associations, type publisher; without one extended/publisher, else common/publisher. '
  'Example: Valve';

comment on table public.app_steam_tags is 'Tags of an app.';
comment on column public.app_steam_tags.appid is 'The app. Source: PICS appid. Example: 730';
comment on column public.app_steam_tags.tag_id is 'The tag (steam_tags). Source: PICS common/store_tags. Example: 1663';
comment on column public.app_steam_tags.rank is
  'Place among the tags of the app: 1 is the one that most players gave. Source: order in PICS common/store_tags. Example: 1';

comment on table public.app_genres is 'Genres of an app.';
comment on column public.app_genres.appid is 'The app. Source: PICS appid. Example: 730';
comment on column public.app_genres.genre_id is 'The genre (steam_genres). Source: PICS common/genres. Example: 37';
comment on column public.app_genres.is_primary is
  'Whether Steam calls it the primary genre of the app. Source: PICS common/primary_genre. Example: true';

comment on table public.app_categories is 'Categories (features) of an app.';
comment on column public.app_categories.appid is 'The app. Source: PICS appid. Example: 730';
comment on column public.app_categories.category_id is 'The category (steam_categories). Source: PICS common/category. Example: 30';

comment on table public.app_franchises is 'Franchises of an app.';
comment on column public.app_franchises.appid is 'The app. Source: PICS appid. Example: 570';
comment on column public.app_franchises.franchise_id is 'The franchise (franchises). Source: as franchises.name. Example: 1';

comment on table public.app_developers is 'Developers of an app.';
comment on column public.app_developers.appid is 'The app. Source: PICS appid. Example: 730';
comment on column public.app_developers.developer_id is 'The developer (developers). Source: as developers.name. Example: 1';

comment on table public.app_publishers is 'Publishers of an app.';
comment on column public.app_publishers.appid is 'The app. Source: PICS appid. Example: 730';
comment on column public.app_publishers.publisher_id is 'The publisher (publishers). Source: as publishers.name. Example: 1';

comment on table public.app_dlc is 'DLC of an app. Steam cuts its list at 64, so that a DLC that fell off it stays here.';
comment on column public.app_dlc.appid is 'The game or other app that has the DLC. Source: PICS appid. Example: 730';
comment on column public.app_dlc.dlc_appid is
  'The DLC. No foreign key, since it may be stored later or never. Source: PICS extended/listofdlc and depots/*/dlcappid. Example: 2279720';

comment on table public.app_steam_deck is
  'Compatibility with Steam Deck, SteamOS, Steam Machine and Steam Frame by Valve''s review; no row where Steam has none.';
comment on column public.app_steam_deck.appid is 'The app. Source: PICS appid. Example: 730';
comment on column public.app_steam_deck.category is
  'Verdict for the Steam Deck. Values: unknown, unsupported, playable, verified. Source: PICS common/steam_deck_compatibility/category. '
  'Example: playable';
comment on column public.app_steam_deck.steamos_category is
  'Verdict for SteamOS; null where there is none. Values: unknown, unsupported, compatible. '
  'Source: PICS common/steam_deck_compatibility/steamos_compatibility. Example: compatible';
comment on column public.app_steam_deck.test_timestamp is
  'When Valve tested the app. Source: PICS common/steam_deck_compatibility/test_timestamp. Example: 2024-02-24T00:00:00Z';
comment on column public.app_steam_deck.tested_build_id is
  'Build that was tested: an unsigned 64-bit number as text. Source: PICS common/steam_deck_compatibility/tested_build_id. Example: 13439412';
comment on column public.app_steam_deck.tests is
  'Results of the tests on the Steam Deck, in Valve''s order: the token names the test, display how it is shown. '
  'Values: display 1 informational, 2 unsupported, 3 playable, 4 verified. Source: PICS common/steam_deck_compatibility/tests. '
  'Example: [{"display": 3, "token": "#SteamDeckVerified_TestResult_ControllerGlyphsDoNotMatchDeckDevice"}, …]';
comment on column public.app_steam_deck.updated_at is
  'When a column of this row last changed its value. Source: the service. Example: 2026-11-28T12:00:00Z';
comment on column public.app_steam_deck.machine_category is
  'Verdict for the Steam Machine; null where there is none. Values: unknown, unsupported, playable, verified. '
  'Source: PICS common/steam_deck_compatibility/steam_machine_compatibility. Example: verified (app 48000)';
comment on column public.app_steam_deck.frame_category is
  'Verdict for the Steam Frame; null where there is none. Values: unknown, unsupported, playable, verified. '
  'Source: PICS common/steam_deck_compatibility/steam_frame_compatibility. Example: null';
comment on column public.app_steam_deck.steamos_tests is
  'Results of the tests on SteamOS, as tests. Values: display 1 informational, 2 unsupported, 3 compatible. '
  'Source: PICS common/steam_deck_compatibility/steamos_tests. Example: [{"display": 3, "token": "#SteamOS_TestResult_GameStartupFunctional"}]';
comment on column public.app_steam_deck.machine_tests is
  'Results of the tests on the Steam Machine, as tests. Source: PICS common/steam_deck_compatibility/steam_machine_tests. Example: null';
comment on column public.app_steam_deck.frame_tests is
  'Results of the tests on the Steam Frame, as tests. Source: PICS common/steam_deck_compatibility/steam_frame_tests. Example: null';
comment on column public.app_steam_deck.configuration is
  'What Valve noted for the Steam Deck; keys and values as Steam writes them, flags as 0 and 1. '
  'Source: PICS common/steam_deck_compatibility/configuration. '
  'Example: {"small_text": "1", "supported_input": "gamepad", "recommended_runtime": "native", …}';

comment on table public.app_branches is
  'Branches of an app with their builds, private ones included. The branch public is the one that all owners get.';
comment on column public.app_branches.appid is 'The app. Source: PICS appid. Example: 730';
comment on column public.app_branches.branch is 'Name of the branch. Source: PICS depots/branches. Example: public';
comment on column public.app_branches.build_id is
  'Build that the branch has: an unsigned 64-bit number as text; null where Steam lists none. Source: PICS depots/branches/*/buildid. '
  'Example: 23371447';
comment on column public.app_branches.built_at is
  'When the build was made; null where Steam does not say. Source: PICS depots/branches/*/timebuildupdated. Example: 2026-05-22T22:11:39Z';
comment on column public.app_branches.updated_at is
  'When the branch was last changed, mere edits included. Source: PICS depots/branches/*/timeupdated. Example: 2026-05-22T22:31:46Z';
comment on column public.app_branches.description is
  'Text of the developer about the branch. Source: PICS depots/branches/*/description. '
  'Example: Game version 1.40.8.8 (16-Jul-2025) (branch 1.40.8.8)';
comment on column public.app_branches.password_required is
  'Whether a password is needed to get the branch. Source: PICS depots/branches/*/pwdrequired. Example: false';

comment on table public.app_depots is 'Depots (content packages) of an app; kept where KEEP_DEPOTS is on.';
comment on column public.app_depots.appid is 'App that lists the depot. Source: PICS appid. Example: 730';
comment on column public.app_depots.depot_id is 'Steam''s id of the depot. Source: PICS depots. Example: 2347770';
comment on column public.app_depots.name is
  'Name of the depot; null where Steam gives none. Source: PICS depots/*/name. Example: Base Goldsrc Shared Content (app 20)';
comment on column public.app_depots.os_list is
  'Platforms that the depot is for, as apps.platforms; null for all. Source: PICS depots/*/config/oslist. Example: windows (depot 732)';
comment on column public.app_depots.os_arch is
  'Word size that the depot is for; null for all. Values: 64, 32. Unit: bit. Source: PICS depots/*/config/osarch. Example: 64';
comment on column public.app_depots.language is
  'Language that the depot is for, by Steam''s key; null for all. Source: PICS depots/*/config/language. Example: french (app 20, depot 22)';
comment on column public.app_depots.dlc_appid is
  'DLC that the depot belongs to; null for the app itself. Source: PICS depots/*/dlcappid. Example: 2279721 (depot 2347779)';
comment on column public.app_depots.from_appid is
  'App that owns the depot and shares it; null where this app owns it. Source: PICS depots/*/depotfromapp. Example: 228980 (depot 228988)';
comment on column public.app_depots.shared_install is
  'Whether it is installed once for all apps that share it, such as a runtime. Source: PICS depots/*/sharedinstall. Example: true (depot 228988)';

comment on table public.app_depot_manifests is
  'Manifests (versions) of a depot, one for each branch that has it; kept where KEEP_DEPOTS is on. Those of branches with a password are encrypted '
  'and not listed.';
comment on column public.app_depot_manifests.appid is 'App that lists the depot. Source: PICS appid. Example: 730';
comment on column public.app_depot_manifests.depot_id is 'The depot (app_depots). Source: PICS depots. Example: 2347770';
comment on column public.app_depot_manifests.branch is
  'Branch that has this version of the depot. Source: PICS depots/*/manifests. Example: public';
comment on column public.app_depot_manifests.manifest_id is
  'Steam''s id of the manifest: an unsigned 64-bit number as text. Source: PICS depots/*/manifests/*/gid, before 2023 depots/*/manifests/*. '
  'Example: 2228861118498014425';
comment on column public.app_depot_manifests.size_bytes is
  'Size when installed; null in the form of before 2023. Unit: bytes. Source: PICS depots/*/manifests/*/size. Example: 59298831523';
comment on column public.app_depot_manifests.download_bytes is
  'Size of the download, compressed; null in the form of before 2023. Unit: bytes. Source: PICS depots/*/manifests/*/download. '
  'Example: 50698810592';

comment on table public.app_info is 'App info exactly as Steam sent it; kept where KEEP_APP_INFO is on.';
comment on column public.app_info.appid is 'The app. Source: PICS appid. Example: 730';
comment on column public.app_info.change_number is
  'Steam''s change number of this text. Older than the stored one where a partial text came since, since that never replaces a whole one. '
  'Source: PICS change_number. Example: 36053620';
comment on column public.app_info.sha1 is
  'SHA-1 of the text, in hex; Steam announces the same. Source: the service. Example: 6dba2efa8139da3cd61311cf8d648755d824f1e3';
comment on column public.app_info.size is 'Size of the text. Unit: bytes. Source: the service. Example: 44025';
comment on column public.app_info.partial is 'Whether Steam withheld sections. Source: PICS public_only and missing_token. Example: false';
comment on column public.app_info.fetched_at is 'When the text was stored. Source: the service. Example: 2026-11-28T12:00:00Z';
comment on column public.app_info.data is
  'The text (KeyValues) deflated by zlib (RFC 1950); base64 over PostgREST. Source: PICS, the whole reply for the app. Example: \x789c…';

----------------------------------------------------------------------------------------------------------------- seeds
-- Names as the store shows them. `on conflict do nothing` keeps names that exist already. Those of categories are for a database that
-- never meets Steam: Steam's names replace them (pics_name_categories).

insert into public.steam_genres (genre_id, name) values
  (1, 'Action'),
  (2, 'Strategy'),
  (3, 'RPG'),
  (4, 'Casual'),
  (9, 'Racing'),
  (18, 'Sports'),
  (23, 'Indie'),
  (25, 'Adventure'),
  (28, 'Simulation'),
  (29, 'Massively Multiplayer'),
  (37, 'Free to Play'),
  (50, 'Accounting'),
  (51, 'Animation & Modeling'),
  (52, 'Audio Production'),
  (53, 'Design & Illustration'),
  (54, 'Education'),
  (55, 'Photo Editing'),
  (56, 'Software Training'),
  (57, 'Utilities'),
  (58, 'Video Production'),
  (59, 'Web Publishing'),
  (60, 'Game Development'),
  (70, 'Early Access'),
  (71, 'Sexual Content'),
  (72, 'Nudity'),
  (73, 'Violent'),
  (74, 'Gore'),
  (81, 'Documentary'),
  (84, 'Tutorial')
on conflict do nothing;

insert into public.steam_categories (category_id, name, description) values
  (1, 'Multi-player', 'More than one person can play.'),
  (2, 'Single-player', 'Can be played alone.'),
  (6, 'Mods (require HL2)', 'Needs Half-Life 2.'),
  (8, 'Valve Anti-Cheat enabled', 'Servers may be protected by Valve Anti-Cheat.'),
  (9, 'Co-op', 'Players play together against the game.'),
  (10, 'Game demo', 'A free part of a game.'),
  (13, 'Captions available', 'Speech is captioned.'),
  (14, 'Commentary available', 'Has a developers'' commentary.'),
  (15, 'Stats', 'Keeps statistics on Steam.'),
  (16, 'Includes Source SDK', 'Comes with the Source SDK.'),
  (17, 'Includes level editor', 'Comes with a level editor.'),
  (18, 'Partial Controller Support', 'A controller works in parts of it.'),
  (19, 'Mods', 'A modification of another game.'),
  (20, 'MMO', 'Many players share one world.'),
  (21, 'Downloadable Content', 'Adds to a base game.'),
  (22, 'Steam Achievements', 'Has achievements on Steam.'),
  (23, 'Steam Cloud', 'Saves are kept in Steam Cloud.'),
  (24, 'Shared/Split Screen', 'Several players share one screen.'),
  (25, 'Steam Leaderboards', 'Has leaderboards on Steam.'),
  (27, 'Cross-Platform Multiplayer', 'Players of different platforms play together.'),
  (28, 'Full controller support', 'A controller works everywhere in it.'),
  (29, 'Steam Trading Cards', 'Drops Steam trading cards.'),
  (30, 'Steam Workshop', 'Players share what they make.'),
  (31, 'VR Support', 'Supports virtual reality (older mark).'),
  (32, 'Steam Turn Notifications', 'Notifies players of their turn.'),
  (33, 'Native Steam Controller', 'Speaks to the Steam Controller directly.'),
  (35, 'In-App Purchases', 'Sells things inside the game.'),
  (36, 'Online PvP', 'Players against each other, online.'),
  (37, 'Shared/Split Screen PvP', 'Players against each other, on one screen.'),
  (38, 'Online Co-op', 'Players together, online.'),
  (39, 'Shared/Split Screen Co-op', 'Players together, on one screen.'),
  (40, 'SteamVR Collectibles', 'Has collectibles for SteamVR.'),
  (41, 'Remote Play on Phone', 'Streams to a phone.'),
  (42, 'Remote Play on Tablet', 'Streams to a tablet.'),
  (43, 'Remote Play on TV', 'Streams to a television.'),
  (44, 'Remote Play Together', 'Friends join a local game over the network.'),
  (47, 'LAN PvP', 'Players against each other, in one network.'),
  (48, 'LAN Co-op', 'Players together, in one network.'),
  (49, 'PvP', 'Players against each other.'),
  (50, 'Additional High-Quality Audio', 'Comes with audio of higher quality.'),
  (51, 'Steam Workshop', 'Uses the Steam Workshop.'),
  (52, 'Tracked Controller Support', 'Supports tracked motion controllers.'),
  (53, 'VR Supported', 'Can be played in virtual reality.'),
  (54, 'VR Only', 'Needs virtual reality.'),
  (61, 'HDR available', 'Supports high dynamic range.'),
  (62, 'Family Sharing', 'Can be shared within a Steam family.'),
  (63, 'Steam Timeline', 'Marks moments on the Steam timeline.')
on conflict do nothing;

-------------------------------------------------------------------------------------------------------------- security
-- Every API role reads the catalog, only the service writes it. A hosted project's default privileges grant everything on new tables to
-- every API role, so the revokes are needed as much as the grants.

do $$
declare
  made record;
  role_name name;
begin
  for made in select name from tables_made loop
    execute format('alter table public.%I enable row level security', made.name);
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on public.%I from %I', made.name, role_name);
      execute format('grant select on public.%I to %I', made.name, role_name);
      execute format('create policy %I on public.%I for select to %I using (true)',
                     role_name || ' reads the catalog', made.name, role_name);
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') then
      execute format('grant all on public.%I to service_role', made.name);
    end if;
  end loop;
end
$$;

drop table tables_made;
