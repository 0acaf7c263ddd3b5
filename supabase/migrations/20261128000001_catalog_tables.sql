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
      ('apps', 'N', 'appid pics_review_score pics_review_percentage metacritic_score parent_appid primary_genre_id'),
      ('apps', 'N', 'pics_review_score_without_bombs pics_review_percentage_without_bombs must_own_appid playtest_type'),
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
      'os_arch', 'restricted_countries', 'family_sharing_excluded', 'install_dir', 'must_own_appid', 'playtest_type'
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

comment on table public.apps is 'Every app Steam has or had, one row each, as PICS describes it.';
comment on column public.apps.name is 'As Steam writes it. The collector sets it only until PICS has stored the app.';
comment on column public.apps.type is 'Lower-cased: game, dlc, demo, beta (a playtest), tool, music, video, config, … An open set.';
comment on column public.apps.is_known is 'False when Steam''s last answer was that it does not know the app.';
comment on column public.apps.is_listed is 'Whether the store''s app lists have the app; null until one has had it.';
comment on column public.apps.is_active is 'is_known and is_listed is not false.';
comment on column public.apps.platforms is 'Comma-joined: windows, macos, linux in that order, then any other by name.';
comment on column public.apps.is_free is 'Whether Steam marks the app as free; demos and playtests are.';
comment on column public.apps.pics_review_score is '0 to 9; 9 is Overwhelmingly Positive.';
comment on column public.apps.pics_review_percentage is 'Share of positive reviews, 0 to 100.';
comment on column public.apps.parent_appid is 'The game that a DLC, demo or playtest belongs to. No foreign key: the parent may be stored later or never.';
comment on column public.apps.last_content_update is 'When the public branch was last built.';
comment on column public.apps.current_build_id is 'Build of the public branch.';
comment on column public.apps.content_descriptors is 'Steam''s ids, ascending: 1 some nudity, 2 violence, 3 adult only, 4 frequent nudity, 5 general mature.';
comment on column public.apps.languages is '{"english": {"supported": true, "full_audio": true, "subtitles": false}, …}';
comment on column public.apps.primary_genre_id is 'Steam''s primary genre; it need not be among the genres of the app.';
comment on column public.apps.pics_review_score_without_bombs is 'Steam''s review_score_bombs: as far as is known, pics_review_score without the reviews of review bombs. Null where Steam gives none.';
comment on column public.apps.pics_review_percentage_without_bombs is 'Steam''s review_percentage_bombs: as pics_review_score_without_bombs.';
comment on column public.apps.name_localized is '{"japanese": "…", …} by Steam''s language key; null where there is none.';
comment on column public.apps.assets is 'Art: paths as Steam names them, by kind and language: {"header": {"english": "header.jpg"}, …}; under "icons" by name.';
comment on column public.apps.ai_content is 'What the developer says was made with generative AI: pre_generated (shipped with the game), live (while it runs); null where nothing.';
comment on column public.apps.vr_support is 'supported, or only (needs virtual reality); null where Steam names none.';
comment on column public.apps.os_arch is 'Word size that the app needs: 64, 32; null where Steam names none.';
comment on column public.apps.restricted_countries is 'Two-letter codes of the countries where Steam does not sell the app; null where it names none.';
comment on column public.apps.family_sharing_excluded is 'Whether the app is excluded from family sharing (Steam''s exfgls, whose values 1 to 9 are reasons that Steam does not document).';
comment on column public.apps.install_dir is 'Name of the folder under steamapps/common.';
comment on column public.apps.must_own_appid is 'App that must be owned to buy this one. No foreign key, as for parent_appid.';
comment on column public.apps.playtest_type is 'Steam''s code of a playtest (0 and 1 were seen); Steam does not document it.';
comment on column public.apps.sort_name is 'The first 100 characters of the name, by which lists are sorted.';
comment on column public.apps.labels is 'Ids of tags, and with 2^28 added for each next kind of genres, categories, verdicts on Deck, Machine and Frame: what lists are filtered by.';
comment on column public.apps.search_text is 'What a search by name looks through: the name and its translations, folded.';
comment on column public.apps.updated_at is 'When a column of this row last changed its value.';

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

comment on table public.steam_tags is 'Store tags. The name is null until it has been fetched.';
comment on table public.steam_genres is 'Store genres. The name is null where it is unknown.';
comment on table public.steam_categories is 'Store categories (features such as Single-player or Steam Cloud).';
comment on column public.steam_categories.name is 'Steam''s English name; the seeded one until Steam was asked, null where neither is known.';
comment on column public.steam_categories.description is 'In the seeds'' words; null where Steam''s name is another than the seeded one.';
comment on column public.steam_categories.named_at is 'When Steam last gave this name; null while it is a seed or unknown.';
comment on table public.franchises is 'Exact names; one row each.';
comment on table public.developers is 'Exact names; one row each.';
comment on table public.publishers is 'Exact names; one row each.';

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

comment on table public.app_steam_tags is 'Tags of an app; rank 1 is the one that most players applied.';
comment on column public.app_genres.is_primary is 'Steam''s primary genre of the app.';
comment on table public.app_dlc is 'DLC that Steam lists for an app, or that are depots of it. No foreign key: a DLC may be stored later or never.';
comment on table public.app_steam_deck is 'Steam Deck compatibility by Valve''s review; no row where there is none.';
comment on column public.app_steam_deck.configuration is 'What Valve noted for the Steam Deck: {"supported_input": "gamepad", "small_text": "0", …}.';
comment on table public.app_branches is 'Branches of an app with their builds, as Steam lists them; public is the one that everybody gets.';
comment on column public.app_branches.built_at is 'When the build was made; null where Steam does not say.';
comment on column public.app_branches.updated_at is 'When the branch was last changed, which includes mere edits.';
comment on table public.app_depots is 'Depots (content packages) of an app; kept where KEEP_DEPOTS is on.';
comment on column public.app_depots.os_list is 'Platforms that the depot is for, as apps.platforms; null for all.';
comment on column public.app_depots.dlc_appid is 'DLC that the depot belongs to.';
comment on column public.app_depots.from_appid is 'App that the depot is shared from: its owner; null where this app owns it.';
comment on table public.app_depot_manifests is 'Manifests (versions) of a depot, one for each branch that has it. Those of branches with a password are encrypted and not listed.';
comment on column public.app_depot_manifests.manifest_id is 'Unsigned 64-bit, as text.';
comment on column public.app_depot_manifests.download_bytes is 'Compressed size.';
comment on table public.app_info is 'App info exactly as Steam sent it; kept where KEEP_APP_INFO is on.';
comment on column public.app_info.data is 'The text, deflated (zlib, RFC 1950).';
comment on column public.app_info.sha1 is 'Of the text, in hex; Steam announces the same.';
comment on column public.app_info.size is 'Bytes of the text.';
comment on column public.app_info.partial is 'Steam withheld sections. A partial text never replaces a whole one, so change_number may be older than the stored one.';
comment on column public.app_steam_deck.steamos_category is 'SteamOS compatibility: unknown, unsupported or compatible; null where there is none.';
comment on column public.app_steam_deck.machine_category is 'Steam Machine compatibility, as category; null where there is none.';
comment on column public.app_steam_deck.frame_category is 'Steam Frame compatibility, as category; null where there is none.';
comment on column public.app_steam_deck.tests is 'Valve''s test results in their order: [{"display": 4, "token": "#SteamDeckVerified_…"}, …]; display is 1 unsupported, 2 information, 3 with limits, 4 passed.';

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
