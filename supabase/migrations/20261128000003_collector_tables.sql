-- The collector's tables: SteamSpy's numbers, the collector's progress, the store's app lists and quotas of web APIs.

create temporary table tables_made as
select name
from unnest(array['game_metadata', 'collector_state', 'app_list_entries', 'web_api_usage']) as name
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

comment on table public.game_metadata is 'SteamSpy''s numbers, one row per game. Estimates, as of last_updated. No foreign key: a game may be stored here first.';
comment on column public.game_metadata.owners_estimate is 'One of SteamSpy''s ranges, such as "20,000 .. 50,000".';
comment on column public.game_metadata.score_rank is 'SteamSpy''s rank by reviews; null where it gives none.';
comment on column public.game_metadata.average_playtime_forever is 'Minutes since March 2009; 0 also where SteamSpy reports none.';
comment on column public.game_metadata.average_playtime_2weeks is 'Minutes in the last two weeks; 0 also where SteamSpy reports none.';
comment on column public.game_metadata.price is 'US cents at the time; null where SteamSpy knows none.';
comment on column public.game_metadata.genre is 'Comma-joined, as SteamSpy has them. Like languages and tags_json, of the details only.';
comment on column public.game_metadata.tags_json is '{"tag": votes, …}; {} without votes, null until the details are fetched.';
comment on column public.game_metadata.last_updated is 'When SteamSpy''s numbers were last stored, from a page of all games or from the details.';
comment on column public.game_metadata.fetch_status is 'State of the details: pending (never fetched), success, not_found (unknown to SteamSpy), failed.';
comment on column public.game_metadata.fetch_attempts is 'Failed attempts at the details since SteamSpy last answered.';
comment on column public.game_metadata.fetched_at is 'When the details were last fetched, successfully or not.';

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
insert into public.collector_state (id) values (1) on conflict do nothing;

comment on table public.collector_state is 'One row: progress of the collector.';
comment on column public.collector_state.list_run is 'Number of the newest run of the app lists.';
comment on column public.collector_state.list_phase is 'Phase of that run; null when it is finished or was rejected.';
comment on column public.collector_state.list_cursor is 'While reading {"kind": {"after": appid, "complete": bool}, …}, while applying {"after": appid}.';
comment on column public.collector_state.pass_page is 'Next page of SteamSpy''s list of all games; pass_missed are the failed pages before it.';
comment on column public.collector_state.pass_pages is 'Number of pages of the last complete pass.';
comment on column public.collector_state.refresh_since is 'Begin of a full refresh: details fetched earlier are due; null when none is under way.';

create table if not exists public.app_list_entries (
  kind text not null,
  appid integer not null,
  name text not null,
  seen_in integer not null,
  is_member boolean not null default false,
  primary key (appid, kind)
);
comment on table public.app_list_entries is 'Apps of the store''s lists: seen_in is the last run that listed the app, is_member whether the last accepted one did.';

create table if not exists public.web_api_usage (
  endpoint text,
  period_start timestamptz,
  used integer not null,
  primary key (endpoint, period_start)
);
comment on table public.web_api_usage is 'Requests reserved of each period''s quota, shared by all processes.';

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
