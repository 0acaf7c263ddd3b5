-- Sync state: what Steam announced, what is stored, leases, workers and history.
--
-- There is no queue. An app is pending while `sync_status.pics_pending_change` is not null; workers claim such rows under short leases.
-- Only the service reads these tables, except the history.

create temporary table tables_made as
select name
from unnest(array[
  'sync_status', 'pics_sync_state', 'pics_gaps', 'pics_access_tokens', 'pics_replies', 'leader_leases', 'workers', 'app_changes',
  'app_events', 'steam_keys', 'pics_claims', 'pics_sizes', 'webhooks'
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

create table if not exists public.pics_gaps (
  id integer generated by default as identity primary key,
  from_change bigint not null,
  to_change bigint not null,
  detected_at timestamptz not null default now(),
  repaired_at timestamptz
);
-- One open gap at a time.
create unique index if not exists pics_gaps_open on public.pics_gaps ((true)) where repaired_at is null;

create table if not exists public.pics_access_tokens (
  appid integer primary key,
  access_token text,
  denied_at timestamptz,
  check ((access_token is null) <> (denied_at is null))
);

create table if not exists public.pics_claims (
  lease_id uuid primary key,
  appids integer[] not null,
  lease_until timestamptz not null
);

create table if not exists public.pics_replies (
  request_id uuid primary key,
  reply jsonb,
  created_at timestamptz not null default now()
);
create index if not exists pics_replies_by_age on public.pics_replies (created_at);

create table if not exists public.pics_sizes (
  day date primary key,
  bytes bigint not null,
  taken_at timestamptz not null default now()
);

create table if not exists public.leader_leases (
  role text primary key,
  worker_id uuid not null,
  lease_until timestamptz not null
);

create table if not exists public.workers (
  id uuid primary key,
  mode text not null,
  snapshot jsonb not null,
  seen_at timestamptz not null default now()
);

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

create table if not exists public.app_events (
  id bigint primary key,
  change_number bigint not null,
  detected_at timestamptz not null,
  appid integer not null,
  event text not null,
  subject text,
  change_ids bigint[] not null,
  old jsonb,
  new jsonb
);
create index if not exists app_events_by_app on public.app_events (appid, id);
create index if not exists app_events_by_event on public.app_events (event, id);

create table if not exists public.webhooks (
  id uuid primary key,
  url text not null,
  secret text not null,
  format text not null check (format in ('standard', 'discord')),
  filters jsonb not null default '{}',
  cursor bigint not null,
  delivered bigint not null default 0,
  attempts integer not null default 0,
  created_at timestamptz not null default now(),
  last_success_at timestamptz,
  failing_since timestamptz,
  next_attempt_at timestamptz,
  dead_at timestamptz,
  disabled_at timestamptz,
  last_error text
);

create table if not exists public.steam_keys (
  path text primary key,
  payloads bigint not null,
  first_appid integer not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  in_first_load boolean not null default false
);

---------------------------------------------------------------------------------------------------------- dictionary
-- Meaning of every table and column: "Meaning. Values: …. Unit: …. Source: …. Example: …", of which docs/data.md is made (`npm run docs`).

comment on table public.sync_status is
  'State of the sync of each app: change numbers announced and stored, attempts, lease. An app is pending while pics_pending_change is not null.';
comment on column public.sync_status.appid is 'The app. No foreign key, since an app is announced before it is stored.';
comment on column public.sync_status.attempts is 'Attempts since the last success, counted when the app is claimed; outages do not count.';
comment on column public.sync_status.last_pics_sync is
  'When Steam''s app info was last stored (or left out for its type), or the app was found to be gone.';
comment on column public.sync_status.pics_change_number is
  'Change number of the app info that is stored; null before the first. Source: PICS change_number. Example: 36053620';
comment on column public.sync_status.pics_pending_change is
  'Change number that Steam announced and that is not stored yet; null when nothing is pending. Source: PICS change_number. Example: 36053621';
comment on column public.sync_status.pending_since is 'When the app became pending; null when nothing is pending.';
comment on column public.sync_status.last_steamspy_sync is 'When SteamSpy last answered about the details of the game.';
comment on column public.sync_status.extractor_version is 'Version of the extractor that read the stored app info; null is 1. Example: 3';
comment on column public.sync_status.missing_token is
  'Whether the stored app info is the public part only: the rest needs an access token. Source: PICS missing_token.';
comment on column public.sync_status.needs_token is
  'Whether Steam announced that the whole app info needs an access token. Source: PICS needs_token of changes, missing_token of metadata.';
comment on column public.sync_status.lease_until is 'When the claim lapses, by the database''s clock; null when the app is not claimed.';
comment on column public.sync_status.lease_change is 'Change number that was pending when the claim was taken.';
comment on column public.sync_status.lease_id is 'Claim that a worker holds on the app; valid while lease_until lies ahead.';
comment on column public.sync_status.next_attempt_at is 'When a failing or unconfirmed app may be claimed again; null when at once.';
comment on column public.sync_status.unknown_since is
  'Since when Steam answers "unknown" about this app, which it has named before, and that is not believed yet.';
comment on column public.sync_status.unknown_at is 'When Steam last answered so while the app was stored and known.';
comment on column public.sync_status.skipped_type is
  'Type of an app that is not stored because APP_TYPES leaves it out; null for all others. Example: dlc';
comment on column public.sync_status.last_error is 'Error of the last attempt; null after a success.';

comment on table public.pics_sync_state is 'One row: the cursor of the change monitor and the times of the last passes.';
comment on column public.pics_sync_state.id is 'Always 1.';
comment on column public.pics_sync_state.last_change_number is
  'Cursor: every change up to this number is marked in sync_status or stored. Source: PICS current_change_number.';
comment on column public.pics_sync_state.bulk_started_at is 'When the last bulk sync of everything began.';
comment on column public.pics_sync_state.bulk_completed_at is
  'When a bulk sync of everything last ended; null before the first, while the catalog is incomplete.';
comment on column public.pics_sync_state.last_verified_at is 'Begin of the last pass that found every stored change number current.';
comment on column public.pics_sync_state.last_reconciled_at is 'When the last sweep of the change monitor ended.';
comment on column public.pics_sync_state.mass_unknown_at is
  'When "unknown" was last not believed, because Steam said it of too many known apps within an hour.';
comment on column public.pics_sync_state.installed_at is
  'When this service was installed. Rows of sync_status that were synced earlier are another application''s and count as not stored.';
comment on column public.pics_sync_state.updated_at is 'When the cursor or a time of this row last changed.';
comment on column public.pics_sync_state.changes_deleted_up_to is
  'Rows of app_changes up to this id are deleted, for their age (HISTORY_DAYS); 0 when none.';

comment on table public.pics_gaps is 'Ranges of change numbers that Steam could not list, and when a sweep repaired them. One is open at a time.';
comment on column public.pics_gaps.id is 'Given by this database.';
comment on column public.pics_gaps.from_change is 'Change number from which Steam could not list the changes.';
comment on column public.pics_gaps.to_change is 'Change number up to which it could not.';
comment on column public.pics_gaps.detected_at is 'When the gap was found.';
comment on column public.pics_gaps.repaired_at is 'When a complete sweep closed it; null while it is open.';

comment on table public.pics_access_tokens is 'Access tokens of apps that Steam shows only with one: granted or denied.';
comment on column public.pics_access_tokens.appid is 'The app.';
comment on column public.pics_access_tokens.access_token is 'Token that Steam granted: an unsigned 64-bit number as text; null when denied.';
comment on column public.pics_access_tokens.denied_at is 'When Steam denied the token; it is requested again after a day. Null when granted.';

comment on table public.pics_claims is
  'Apps that each claim took, so that the rows of a lease are found by appid; sync_status says which it still holds.';
comment on column public.pics_claims.lease_id is 'The claim.';
comment on column public.pics_claims.appids is 'Apps that it took.';
comment on column public.pics_claims.lease_until is 'When it lapses, by the database''s clock.';

comment on table public.pics_replies is 'Replies of writing functions by request id, kept for an hour, so that a repeat is idempotent.';
comment on column public.pics_replies.request_id is 'Id that the caller gave to the request.';
comment on column public.pics_replies.reply is 'The reply.';
comment on column public.pics_replies.created_at is 'When the request came first.';

comment on table public.pics_sizes is 'Size of the service''s tables once a day, for 30 days; from it comes the growth a day in the status.';
comment on column public.pics_sizes.day is 'Day, in UTC.';
comment on column public.pics_sizes.bytes is 'Size of all tables of the service with their indexes. Unit: bytes.';
comment on column public.pics_sizes.taken_at is 'When it was measured.';

comment on table public.leader_leases is 'Leader lease of each role: one worker at a time polls, collects or delivers.';
comment on column public.leader_leases.role is 'Role. Values: monitor, collector, webhooks.';
comment on column public.leader_leases.worker_id is 'Worker that leads.';
comment on column public.leader_leases.lease_until is 'When the lease lapses, by the database''s clock.';

comment on table public.workers is 'Last status snapshot of each running worker; of one that died, for a day.';
comment on column public.workers.id is 'Id that the worker gave itself when it started.';
comment on column public.workers.mode is 'What it does, as MODE. Values: sync, bulk_sync, change_monitor, collect, library_import.';
comment on column public.workers.snapshot is 'Its status, as /status serves it.';
comment on column public.workers.seen_at is 'Its last heartbeat, every 10 seconds.';

comment on table public.app_changes is 'History: one row per field that changed on an app that was stored before.';
comment on column public.app_changes.id is 'Ascending; a consumer that resumes by it misses no change. Source: the service. Example: 48151';
comment on column public.app_changes.appid is 'The app. No foreign key. Source: PICS appid. Example: 496520';
comment on column public.app_changes.change_number is
  'Steam''s change number of the app info that brought the change; of the collector''s fields the one that was stored, 0 when none. '
  'Source: PICS change_number. Example: 27459682';
comment on column public.app_changes.field is
  'Column of apps; or a relation as a whole: tags, genres, categories, franchises, developers, publishers, dlc, steam_deck, branches; or added, '
  'for an app that is stored for the first time after the first bulk sync. '
  'Source: the service. Example: pics_review_score';
comment on column public.app_changes.old is 'Value before, relations as sorted lists; null where there was none. Source: the service. Example: 5';
comment on column public.app_changes.new is 'Value since, in the same form; null where there is none any more. Source: the service. Example: 6';
comment on column public.app_changes.detected_at is 'When it was stored. Source: the service. Example: 2026-11-28T12:00:00Z';

comment on table public.app_events is 'What changes mean: a release, a new build, another verdict.';
comment on column public.app_events.id is
  'Ascending in the order of the changes: the id of the change × 65,536 + the place among its events. Source: the service. Example: 3155623936';
comment on column public.app_events.change_number is
  'Change number of the changes that it follows from. Source: PICS change_number. Example: 27459682';
comment on column public.app_events.detected_at is 'When these changes were stored. Source: the service. Example: 2026-11-28T12:00:00Z';
comment on column public.app_events.appid is 'The app. No foreign key. Source: PICS appid. Example: 496520';
comment on column public.app_events.event is 'Kind of the event. Source: the service, from app_changes. Example: review_verdict';
comment on column public.app_events.subject is
  'What of the app it is about: the branch of a build; null for other events. Source: the service, from app_changes. Example: public (of a build)';
comment on column public.app_events.change_ids is 'Rows of app_changes that it follows from, by id. Source: the service. Example: {48151}';
comment on column public.app_events.old is
  'Value before; of lists, what left; null where the event has none. Source: the service, from app_changes. Example: 5';
comment on column public.app_events.new is
  'Value since; of lists, what came; null where the event has none. Source: the service, from app_changes. Example: 6';

comment on table public.webhooks is 'Receivers of events over HTTP. A webhook is live unless dead_at or disabled_at is set.';
comment on column public.webhooks.id is 'Id of the webhook.';
comment on column public.webhooks.url is 'Address that events are posted to.';
comment on column public.webhooks.secret is 'Key of the signatures (whsec_…), which only the receiver knows besides.';
comment on column public.webhooks.format is 'Form of the messages. Values: standard (signed JSON), discord.';
comment on column public.webhooks.filters is
  'Which events it wants, as catalog_events takes it; {} for all. Example: {"events": ["build"], "appids": [730]}';
comment on column public.webhooks.cursor is 'Every event up to this id is delivered, or does not fit the filters.';
comment on column public.webhooks.delivered is 'Events delivered in all. Unit: events.';
comment on column public.webhooks.attempts is 'Failures since the last success.';
comment on column public.webhooks.created_at is 'When it was added.';
comment on column public.webhooks.last_success_at is 'When a delivery last succeeded; null before the first.';
comment on column public.webhooks.failing_since is 'First failure since the last success; null when none.';
comment on column public.webhooks.next_attempt_at is 'When it is tried again; null when at once.';
comment on column public.webhooks.dead_at is 'When it was given up, after days of failures; `webhook retry` revives it.';
comment on column public.webhooks.disabled_at is 'When its receiver answered 410 Gone.';
comment on column public.webhooks.last_error is 'Error of the last failure; null after a success.';

comment on table public.steam_keys is 'Keys of Steam''s app info that the extractor does not read, at most 2,000.';
comment on column public.steam_keys.path is 'Path of the key; at most 200 characters. Example: common.eulas';
comment on column public.steam_keys.payloads is 'App infos that had the key; one that is read again counts again.';
comment on column public.steam_keys.first_appid is 'App that it was first seen on.';
comment on column public.steam_keys.first_seen_at is 'When it was first seen.';
comment on column public.steam_keys.last_seen_at is 'When it was last seen.';
comment on column public.steam_keys.in_first_load is 'Whether it was first seen before a bulk sync was complete, when every key is new.';

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
  for made in select name, name in ('app_changes', 'app_events') as is_public from tables_made loop
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
