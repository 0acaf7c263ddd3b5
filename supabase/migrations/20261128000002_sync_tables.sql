-- Sync state: what Steam announced, what is stored, leases, workers and history.
--
-- There is no queue. An app is pending while `sync_status.pics_pending_change` is not null; workers claim such rows under short leases.
-- Only the service reads these tables, except the history.

create temporary table tables_made as
select name
from unnest(array[
  'sync_status', 'pics_sync_state', 'pics_gaps', 'pics_access_tokens', 'pics_replies', 'leader_leases', 'workers', 'app_changes',
  'steam_keys', 'pics_claims', 'pics_sizes'
]) as name
where to_regclass('public.' || name) is null;

----------------------------------------------------------------------------------------------------------- sync_status

create table if not exists public.sync_status (appid integer primary key);

-- Columns of eight bytes first, then four, one, and what is null after a success: no padding between them.
alter table public.sync_status
  add column if not exists attempts integer not null default 0,
  add column if not exists last_pics_sync timestamptz,
  add column if not exists pics_change_number bigint,
  add column if not exists pics_pending_change bigint,
  add column if not exists pending_since timestamptz,
  add column if not exists last_steamspy_sync timestamptz,
  add column if not exists extractor_version integer,
  add column if not exists missing_token boolean not null default false,
  add column if not exists needs_token boolean not null default false,
  add column if not exists lease_until timestamptz,
  add column if not exists lease_change bigint,
  add column if not exists lease_id uuid,
  add column if not exists next_attempt_at timestamptz,
  add column if not exists unknown_since timestamptz,
  add column if not exists unknown_at timestamptz,
  add column if not exists skipped_type text,
  add column if not exists last_error text;

-- Free space on a row's page lets a claim be a HOT update. More of it would cost more bytes than it saves in index entries: during a first
-- load, when all rows of a page are claimed at once, dead rows are vacuumed every few thousand apps (src/sync/bulk-vacuum.ts).
alter table public.sync_status set (fillfactor = 95, autovacuum_vacuum_scale_factor = 0.05);

-- Loosens an older application's table. Its foreign key to `apps` is dropped, because an app is announced and claimed before it is stored;
-- NOT NULL is dropped where null means "never"; `last_error` loses its length limit.
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

-- Apps that are marked together have one pending_since, so that their entries deduplicate. No index holds a column that a claim or its
-- release changes: both are HOT updates (pics_claims finds the rows of a lease).
create index if not exists sync_status_pending on public.sync_status (pending_since) where pics_pending_change is not null;
create index if not exists sync_status_unknown on public.sync_status (unknown_at) where unknown_at is not null;
create index if not exists sync_status_unconfirmed on public.sync_status (appid) where unknown_since is not null;

comment on table public.sync_status is 'Sync state of each app: change numbers announced and stored, attempts, lease.';
comment on column public.sync_status.pics_change_number is 'Change number of the app info that is stored.';
comment on column public.sync_status.pics_pending_change is 'Change number that Steam announced and that is not stored yet; null when nothing is pending.';
comment on column public.sync_status.missing_token is 'The stored app info is the public part only; the rest needs an access token.';
comment on column public.sync_status.extractor_version is 'Version of the extractor that stored the app; null is 1.';
comment on column public.sync_status.needs_token is 'Steam announced that the whole app info needs an access token.';
comment on column public.sync_status.attempts is 'Attempts since the last success, counted when the app is claimed; outages do not count.';
comment on column public.sync_status.lease_id is 'The claim that a worker holds; valid while lease_until lies ahead.';
comment on column public.sync_status.lease_change is 'Change number that was pending when the lease was taken.';
comment on column public.sync_status.skipped_type is 'Type of an app that is not stored because APP_TYPES leaves it out; null for all others.';
comment on column public.sync_status.unknown_since is 'Since when Steam answers that it does not know this app, which it has named before, and that is not believed yet.';
comment on column public.sync_status.unknown_at is 'When Steam last answered so while the app was stored and known.';

------------------------------------------------------------------------------------------------------ one row of state

create table if not exists public.pics_sync_state (
  id integer primary key check (id = 1),
  last_change_number bigint,
  bulk_started_at timestamptz,
  bulk_completed_at timestamptz,
  last_verified_at timestamptz,
  last_reconciled_at timestamptz,
  mass_unknown_at timestamptz,
  installed_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table public.pics_sync_state add column if not exists changes_deleted_up_to bigint not null default 0;
insert into public.pics_sync_state (id) values (1) on conflict do nothing;

comment on table public.pics_sync_state is 'One row: the cursor of the change monitor and the times of the last passes.';
comment on column public.pics_sync_state.last_change_number is 'Cursor: every change up to this number is marked in sync_status or stored.';
comment on column public.pics_sync_state.last_verified_at is 'Begin of the last pass that found every stored change number current.';
comment on column public.pics_sync_state.mass_unknown_at is 'When "unknown" was last not believed, because Steam said it of too many known apps within an hour.';
comment on column public.pics_sync_state.changes_deleted_up_to is 'Rows of app_changes up to this id are deleted, for their age (HISTORY_DAYS); 0 when none.';
comment on column public.pics_sync_state.installed_at is 'Rows of sync_status that were synced earlier are another application''s and count as not stored.';

create table if not exists public.pics_gaps (
  id integer generated by default as identity primary key,
  from_change bigint not null,
  to_change bigint not null,
  detected_at timestamptz not null default now(),
  repaired_at timestamptz
);
-- One open gap at a time.
create unique index if not exists pics_gaps_open on public.pics_gaps ((true)) where repaired_at is null;
comment on table public.pics_gaps is 'Ranges of change numbers that Steam could not list, and when a sweep repaired them.';

create table if not exists public.pics_access_tokens (
  appid integer primary key,
  access_token text,
  denied_at timestamptz,
  check ((access_token is null) <> (denied_at is null))
);
comment on table public.pics_access_tokens is 'Access tokens that Steam granted (unsigned 64-bit, as text), and when it denied one.';

create table if not exists public.pics_claims (
  lease_id uuid primary key,
  appids integer[] not null,
  lease_until timestamptz not null
);
comment on table public.pics_claims is 'Apps that each claim took, so that the rows of a lease are found by appid; sync_status says which it still holds.';

create table if not exists public.pics_replies (
  request_id uuid primary key,
  reply jsonb,
  created_at timestamptz not null default now()
);
create index if not exists pics_replies_by_age on public.pics_replies (created_at);
comment on table public.pics_replies is 'Replies of writing functions by request id, kept for an hour, so that a repeat is idempotent.';

create table if not exists public.pics_sizes (
  day date primary key,
  bytes bigint not null,
  taken_at timestamptz not null default now()
);
comment on table public.pics_sizes is 'Bytes of the service''s tables once a day, for 30 days; from them comes the growth a day in the status.';

create table if not exists public.leader_leases (
  role text primary key,
  worker_id uuid not null,
  lease_until timestamptz not null
);
comment on table public.leader_leases is 'Leader lease of each role (monitor, collector); valid while lease_until lies ahead.';

create table if not exists public.workers (
  id uuid primary key,
  mode text not null,
  snapshot jsonb not null,
  seen_at timestamptz not null default now()
);
comment on table public.workers is 'Last status snapshot of each worker.';

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
-- History only grows at its end, where such an index costs next to nothing.
create index if not exists app_changes_by_time on public.app_changes using brin (detected_at) with (pages_per_range = 16);
comment on table public.app_changes is 'One row per field that changed on an app that was stored before.';

create table if not exists public.steam_keys (
  path text primary key,
  payloads bigint not null,
  first_appid integer not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  in_first_load boolean not null default false
);
comment on table public.steam_keys is 'Keys of Steam''s app info that the extractor does not read, at most 2,000 (see pics_count_keys).';
comment on column public.steam_keys.path is 'Path of the key, such as common.eulas; at most 200 characters.';
comment on column public.steam_keys.payloads is 'App infos that had the key; one that is read again counts again.';
comment on column public.steam_keys.first_appid is 'The app that it was first seen on.';
comment on column public.steam_keys.in_first_load is 'First seen before a bulk sync was complete, when every key is new.';

------------------------------------------------------------------------------------------------------------- verdicts

do $$
begin
  if to_regtype('public.pics_verdict') is null then
    create type public.pics_verdict as (
      appid integer,
      verdict text,
      change_number bigint,
      missing_token boolean,
      was_stored boolean,
      error text,
      retry_at timestamptz,
      skipped_type text
    );
  end if;
end
$$;
comment on type public.pics_verdict is 'What pics_apply does with one app of a request: see pics_verdicts.';

-------------------------------------------------------------------------------------------------------------- security
-- Only the service reads the sync state. History is part of the catalog.

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

  -- An insert does not need to read the sequence of the ids; pics_announce_changes does.
  if exists (select from tables_made where name = 'app_changes') then
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on sequence public.app_changes_id_seq from %I', role_name);
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') then
      grant select on sequence public.app_changes_id_seq to service_role;
    end if;
  end if;
end
$$;

drop table tables_made;
