-- The state of the work: what Steam has announced, what is stored, and who is working on the difference.
--
-- There is no queue. An app has work exactly while `sync_status.pics_pending_change` is not null; workers take such rows
-- under short leases. Nobody but the service reads these tables.

create temporary table tables_made as
select name
from unnest(array[
  'sync_status', 'pics_sync_state', 'pics_gaps', 'pics_access_tokens', 'pics_replies', 'leader_leases', 'workers', 'app_changes'
]) as name
where to_regclass('public.' || name) is null;

----------------------------------------------------------------------------------------------------------- sync_status

create table if not exists public.sync_status (appid integer primary key);

alter table public.sync_status
  add column if not exists last_pics_sync timestamptz,
  add column if not exists pics_change_number bigint,
  add column if not exists pics_pending_change bigint,
  add column if not exists pending_since timestamptz,
  add column if not exists missing_token boolean not null default false,
  add column if not exists needs_token boolean not null default false,
  add column if not exists attempts integer not null default 0,
  add column if not exists last_error text,
  add column if not exists next_attempt_at timestamptz,
  add column if not exists lease_id uuid,
  add column if not exists lease_until timestamptz,
  add column if not exists lease_change bigint,
  add column if not exists last_steamspy_sync timestamptz;

-- A row changes several times between being announced and being stored; room on its page keeps that cheap.
alter table public.sync_status set (fillfactor = 70);

-- An older application's table may point at `apps`. Work on an app begins before it is stored, so that key has to go, columns
-- it knew as NOT NULL must be able to say "never", and an error is as long as it is.
do $$
declare
  item record;
begin
  for item in
    select conname as name from pg_constraint
    where conrelid = 'public.sync_status'::regclass and contype = 'f' and confrelid = 'public.apps'::regclass
  loop
    execute format('alter table public.sync_status drop constraint %I', item.name);
  end loop;

  for item in
    select attname as name from pg_attribute
    where attrelid = 'public.sync_status'::regclass and attnotnull and not attisdropped
      and attname in ('last_pics_sync', 'pics_change_number', 'pics_pending_change', 'pending_since', 'last_error',
                      'next_attempt_at', 'last_steamspy_sync')
  loop
    execute format('alter table public.sync_status alter column %I drop not null', item.name);
  end loop;

  alter table public.sync_status alter column attempts set default 0;
  if exists (
    select from pg_attribute
    where attrelid = 'public.sync_status'::regclass and attname = 'last_error' and atttypid <> 'text'::regtype
  ) then
    alter table public.sync_status alter column last_error type text;
  end if;

  if not exists (
    select from pg_index i
    where i.indrelid = 'public.sync_status'::regclass and i.indisunique and i.indpred is null and i.indnkeyatts = 1
      and i.indkey[0] = (select attnum from pg_attribute where attrelid = i.indrelid and attname = 'appid')
  ) then
    create unique index sync_status_appid on public.sync_status (appid);
  end if;
end
$$;

create index if not exists sync_status_pending on public.sync_status (pending_since, appid) where pics_pending_change is not null;
create index if not exists sync_status_leases on public.sync_status (lease_id) where lease_id is not null;

comment on table public.sync_status is 'Per app: what Steam announced, what is stored, and how the work on it goes.';
comment on column public.sync_status.pics_change_number is 'Change number of the app info that is stored.';
comment on column public.sync_status.pics_pending_change is 'Change number that Steam announced and that is not stored yet; null when there is no work.';
comment on column public.sync_status.missing_token is 'The stored app info is the public part only: Steam holds the rest back.';
comment on column public.sync_status.needs_token is 'Steam announced that it tells this app in full only to who has an access token.';
comment on column public.sync_status.attempts is 'Failed attempts since the last success; outages do not count.';
comment on column public.sync_status.lease_id is 'The claim that a worker holds; valid while lease_until lies ahead.';
comment on column public.sync_status.lease_change is 'What was pending when the lease was taken.';

------------------------------------------------------------------------------------------------------ one row of state

create table if not exists public.pics_sync_state (
  id integer primary key check (id = 1),
  last_change_number bigint,
  bulk_started_at timestamptz,
  bulk_completed_at timestamptz,
  last_verified_at timestamptz,
  last_reconciled_at timestamptz,
  installed_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
insert into public.pics_sync_state (id) values (1) on conflict do nothing;

comment on table public.pics_sync_state is 'One row: how far the catalog follows Steam.';
comment on column public.pics_sync_state.last_change_number is 'Every change up to this number is marked in sync_status or stored.';
comment on column public.pics_sync_state.last_verified_at is 'Begin of the last pass that found every stored change number current.';
comment on column public.pics_sync_state.installed_at is 'Older rows of sync_status are another application''s: what they call synced is fetched again.';

create table if not exists public.pics_gaps (
  id integer generated by default as identity primary key,
  from_change bigint not null,
  to_change bigint not null,
  detected_at timestamptz not null default now(),
  repaired_at timestamptz
);
comment on table public.pics_gaps is 'Stretches of change numbers that Steam could not list, and when a sweep made good for them.';

create table if not exists public.pics_access_tokens (
  appid integer primary key,
  access_token text,
  denied_at timestamptz,
  check ((access_token is null) <> (denied_at is null))
);
comment on table public.pics_access_tokens is 'Access tokens Steam granted (unsigned 64-bit, as text), and when it denied one.';

create table if not exists public.pics_replies (
  request_id uuid primary key,
  reply jsonb,
  created_at timestamptz not null default now()
);
create index if not exists pics_replies_by_age on public.pics_replies (created_at);
comment on table public.pics_replies is 'What a writing function answered, kept for an hour: the same request again gets the same answer and does nothing.';

create table if not exists public.leader_leases (
  role text primary key,
  worker_id uuid not null,
  lease_until timestamptz not null
);
comment on table public.leader_leases is 'The leader of each role (monitor, collector): one worker at a time, while lease_until lies ahead.';

create table if not exists public.workers (
  id uuid primary key,
  mode text not null,
  snapshot jsonb not null,
  seen_at timestamptz not null default now()
);
comment on table public.workers is 'Every worker''s status as it last wrote it.';

create table if not exists public.app_changes (
  id bigint generated always as identity primary key,
  appid integer not null,
  change_number bigint not null,
  field text not null,
  old jsonb,
  new jsonb,
  detected_at timestamptz not null default now()
);
create index if not exists app_changes_by_app on public.app_changes (appid, id);
comment on table public.app_changes is 'One row per field that changed on an app that was stored before.';

-------------------------------------------------------------------------------------------------------------- security
-- Only the service sees the state of the work. History is part of the catalog.

do $$
declare
  made record;
  role_name name;
begin
  for made in select name, name = 'app_changes' as is_public from tables_made loop
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
