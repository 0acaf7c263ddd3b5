-- The collector's tables: SteamSpy's numbers, the collector's progress, the store's app lists and quotas of web APIs.

create temporary table tables_made as
select name
from unnest(array['game_metadata', 'collector_state', 'app_list_entries', 'web_api_usage', 'web_api_throttles']) as name
where to_regclass('public.' || name) is null;

-------------------------------------------------------------------------------------------------------- game_metadata

do $$
begin
  if to_regtype('public.fetch_status') is null then
    create type public.fetch_status as enum ('pending', 'success', 'failed', 'not_found');
  end if;
end
$$;

create table if not exists public.game_metadata (
  appid integer primary key,
  developer text,
  publisher text,
  owners_estimate text,
  positive_reviews integer,
  negative_reviews integer,
  score_rank integer,
  average_playtime_forever integer,
  average_playtime_2weeks integer,
  price integer,
  genre text,
  languages text,
  tags_json jsonb,
  last_updated timestamptz,
  fetch_attempts integer not null default 0,
  fetch_status public.fetch_status not null default 'pending',
  fetched_at timestamptz,
  last_error text
);
-- owners_doubtful is generated, so that rows that were stored before have it, too; of built-in functions, so that every role may write them.
alter table public.game_metadata
  add column if not exists last_listed_at timestamptz,
  add column if not exists owners_doubtful boolean generated always as (
    (coalesce(positive_reviews, 0)::bigint + coalesce(negative_reviews, 0)) * 10
      > nullif(regexp_replace(split_part(owners_estimate, '..', 2), '\D', '', 'g'), '')::numeric
  ) stored;

create index if not exists game_metadata_by_fetch on public.game_metadata (fetch_status, fetched_at);

----------------------------------------------------------------------------------------------------------- progress

create table if not exists public.collector_state (
  id integer primary key check (id = 1),
  list_run integer not null default 0,
  list_phase text check (list_phase in ('reading', 'applying')),
  list_started_at timestamptz,
  list_completed_at timestamptz,
  list_cursor jsonb not null default '{}',
  list_counts jsonb not null default '{}',
  pass_started_at timestamptz,
  pass_completed_at timestamptz,
  pass_page integer not null default 0,
  pass_missed jsonb not null default '[]',
  pass_pages integer,
  refresh_since timestamptz
);
alter table public.collector_state add column if not exists pass_complete_since timestamptz;
insert into public.collector_state (id) values (1) on conflict do nothing;

create table if not exists public.app_list_entries (
  kind text not null,
  appid integer not null,
  name text not null,
  seen_in integer not null,
  is_member boolean not null default false,
  primary key (appid, kind)
);
alter table public.app_list_entries
  add column if not exists modified_at timestamptz,
  add column if not exists price_change_number integer;

create table if not exists public.web_api_usage (
  endpoint text,
  period_start timestamptz,
  used integer not null,
  primary key (endpoint, period_start)
);

create table if not exists public.web_api_throttles (
  server text primary key,
  throttled_at timestamptz not null
);

---------------------------------------------------------------------------------------------------------- dictionary
-- Meaning of every table and column: "Meaning. Values: …. Unit: …. Source: …. Example: …", of which docs/data.md is made (`npm run docs`).

comment on table public.game_metadata is
  'SteamSpy''s numbers, one row per game: estimates, as of last_updated. No foreign key, since a game may be stored here first.';
comment on column public.game_metadata.appid is 'The game. Source: SteamSpy appid. Example: 730';
comment on column public.game_metadata.developer is
  'Developers, comma-joined. Source: SteamSpy developer. Example: Valve, Hidden Path Entertainment';
comment on column public.game_metadata.publisher is 'Publishers, comma-joined. Source: SteamSpy publisher. Example: Valve';
comment on column public.game_metadata.owners_estimate is
  'Range of owners, one of SteamSpy''s 14. Unit: accounts. Source: SteamSpy owners. Example: 100,000,000 .. 200,000,000';
comment on column public.game_metadata.positive_reviews is 'Positive reviews on Steam. Unit: reviews. Source: SteamSpy positive. Example: 7352952';
comment on column public.game_metadata.negative_reviews is 'Negative reviews on Steam. Unit: reviews. Source: SteamSpy negative. Example: 1108422';
comment on column public.game_metadata.score_rank is
  'SteamSpy''s rank by reviews; null where it gives none, as for nearly all games. Source: SteamSpy score_rank. Example: null';
comment on column public.game_metadata.average_playtime_forever is
  'Average time played since March 2009; 0 also where SteamSpy reports none. Unit: minutes. Source: SteamSpy average_forever. Example: 0';
comment on column public.game_metadata.average_playtime_2weeks is
  'Average time played in the last two weeks; 0 also where SteamSpy reports none. Unit: minutes. Source: SteamSpy average_2weeks. Example: 0';
comment on column public.game_metadata.price is
  'Price in the US at the time; null where SteamSpy knows none. Unit: US cents. Source: SteamSpy price. Example: 199 (app 620)';
comment on column public.game_metadata.genre is
  'Genres, comma-joined; null until the details are fetched. Source: SteamSpy genre, details only. Example: Action, Free to Play';
comment on column public.game_metadata.languages is
  'Languages, comma-joined; null until the details are fetched. Source: SteamSpy languages, details only. '
  'Example: English, French, German, Italian, Spanish - Spain, Simplified Chinese, Traditional Chinese, Korean (app 10)';
comment on column public.game_metadata.tags_json is
  'Votes by tag; {} without votes, null until the details are fetched. Unit: votes. Source: SteamSpy tags, details only. '
  'Example: {"FPS": 89124, "Shooter": 64056, …}';
comment on column public.game_metadata.last_updated is
  'When SteamSpy''s numbers were last stored, from a page of all games or from the details. Source: the service. Example: 2026-11-28T12:00:00Z';
comment on column public.game_metadata.fetch_attempts is
  'Failed attempts at the details since SteamSpy last answered. Source: the service. Example: 0';
comment on column public.game_metadata.fetch_status is
  'State of the details. Values: pending (never fetched), success, failed, not_found (unknown to SteamSpy). Source: the service. Example: success';
comment on column public.game_metadata.fetched_at is
  'When the details were last fetched, successfully or not. Source: the service. Example: 2026-11-28T12:00:00Z';
comment on column public.game_metadata.last_error is
  'Error of the last attempt at the details; null after an answer. Source: the service. Example: null';
comment on column public.game_metadata.last_listed_at is
  'When a page of all games last had the game with a name or a developer. A blank answer to a request for the details of such a game is a failure. '
  'Source: the service. Example: 2026-11-28T12:00:00Z';
comment on column public.game_metadata.owners_doubtful is
  'Whether the reviews contradict owners_estimate: there are more than a tenth of its upper end. Of 3,111 real rows 3,107 have less than a twelfth '
  'of it. Null without owners_estimate. '
  'Source: generated from owners_estimate and the reviews. Example: false';

comment on table public.collector_state is 'One row: progress of the collector.';
comment on column public.collector_state.id is 'Always 1.';
comment on column public.collector_state.list_run is 'Number of the newest run of the app lists.';
comment on column public.collector_state.list_phase is 'Phase of that run; null when it is finished or was rejected. Values: reading, applying.';
comment on column public.collector_state.list_started_at is 'When that run began.';
comment on column public.collector_state.list_completed_at is 'When a run was last applied completely.';
comment on column public.collector_state.list_cursor is
  'Position of that run: while reading by kind, while applying {"after": appid}. Example: {"games": {"after": 730, "complete": false}, …}';
comment on column public.collector_state.list_counts is
  'What that run found and changed: lists, applied, inserted, relisted, delisted. Unit: apps.';
comment on column public.collector_state.pass_started_at is 'When the newest pass over SteamSpy''s pages of all games began.';
comment on column public.collector_state.pass_completed_at is 'When it was complete; null while it runs.';
comment on column public.collector_state.pass_page is 'Its next page, from 0.';
comment on column public.collector_state.pass_missed is 'Pages before that which failed and are retried at its end. Example: [12]';
comment on column public.collector_state.pass_pages is 'Pages of the last complete pass.';
comment on column public.collector_state.refresh_since is 'Begin of a full refresh: details fetched earlier are due; null when none is under way.';
comment on column public.collector_state.pass_complete_since is 'Begin of the last complete pass without missing pages.';

comment on table public.app_list_entries is 'Apps of the store''s lists, as staged and accepted.';
comment on column public.app_list_entries.kind is 'List. Values: games, dlc, software, videos, hardware.';
comment on column public.app_list_entries.appid is 'The app. Source: Web API IStoreService/GetAppList, appid. Example: 1840';
comment on column public.app_list_entries.name is
  'Its name there; may be empty. Source: Web API IStoreService/GetAppList, name. Example: Source Filmmaker';
comment on column public.app_list_entries.seen_in is 'Last run that listed the app, as collector_state.list_run.';
comment on column public.app_list_entries.is_member is 'Whether the last accepted run listed it.';
comment on column public.app_list_entries.modified_at is
  'When the store page was last changed. Source: Web API IStoreService/GetAppList, last_modified. Example: 2023-02-24T19:13:17Z';
comment on column public.app_list_entries.price_change_number is
  'Number that rises with each change of a price. Source: Web API IStoreService/GetAppList, price_change_number. Example: 0';

comment on table public.web_api_usage is
  'Requests reserved of the quota of each period of a day or longer, shared by all processes; kept for 60 days.';
comment on column public.web_api_usage.endpoint is
  'Limit that is counted: each of a day or longer. Values: steam_web_api, steam_store_api, steamspy, steamspy_all, igdb.';
comment on column public.web_api_usage.period_start is 'Begin of the period, in UTC.';
comment on column public.web_api_usage.used is 'Requests reserved. Unit: requests.';

comment on table public.web_api_throttles is
  'Servers of web APIs that answered 429, and nothing usable since. A 403 within a day of it is a block of this address.';
comment on column public.web_api_throttles.server is 'The server. Values: steam, igdb, twitch.';
comment on column public.web_api_throttles.throttled_at is 'When it last answered 429.';

-------------------------------------------------------------------------------------------------------------- security
-- SteamSpy's numbers are part of the catalog; only the service reads the rest.

do $$
declare
  made record;
  role_name name;
begin
  for made in select name, name = 'game_metadata' as is_public from tables_made loop
    execute format('alter table public.%I enable row level security', made.name);
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on public.%I from %I', made.name, role_name);
      if made.is_public then
        execute format('grant select on public.%I to %I', made.name, role_name);
        execute format('create policy %I on public.%I for select to %I using (true)',
                       role_name || ' reads the catalog', made.name, role_name);
      end if;
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') then
      execute format('grant all on public.%I to service_role', made.name);
    end if;
  end loop;
end
$$;

drop table tables_made;
