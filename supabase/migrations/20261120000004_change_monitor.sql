-- Following Steam: who polls, what a poll announces, what a gap costs, and what the workers say of themselves.

create or replace function public.schema_version() returns text
language sql immutable
set search_path = public, pg_temp
as $$ select '20261120000004' $$;

create unique index if not exists pics_gaps_open on public.pics_gaps ((true)) where repaired_at is null;

------------------------------------------------------------------------------------------------------ leader lease
-- Leader election by lease, by the database's clock. Each role (monitor, collector) has one leader at a time. A leader renews its
-- lease by acquiring it again; a worker that died leaves a lease that lapses.

-- Acquires or renews the lease of a role.
--   request  {"role": monitor | collector, "worker_id": uuid, "lease_seconds": n}
--   reply    {"leading", "free_in_seconds": until another worker's lease lapses, null when leading}
create or replace function public.leader_acquire(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  this_role constant text := request ->> 'role';
  this_worker constant uuid := (request ->> 'worker_id')::uuid;
  now_at constant timestamptz := clock_timestamp();
  until constant timestamptz := now_at + make_interval(secs => (request ->> 'lease_seconds')::double precision);
  leader leader_leases;
begin
  insert into leader_leases as l (role, worker_id, lease_until) values (this_role, this_worker, until)
  on conflict (role) do update set worker_id = excluded.worker_id, lease_until = excluded.lease_until
  where l.worker_id = this_worker or l.lease_until <= now_at;

  select * into leader from leader_leases where role = this_role;
  return jsonb_build_object(
    'leading', coalesce(leader.worker_id = this_worker, false),
    'free_in_seconds', case when leader.worker_id <> this_worker then greatest(0, extract(epoch from leader.lease_until - now_at)) end
  );
end
$$;

-- Releases the lease, so that the next leader need not wait for it to lapse. request {"role", "worker_id"}; reply {"released"}
create or replace function public.leader_release(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
begin
  delete from leader_leases where role = request ->> 'role' and worker_id = (request ->> 'worker_id')::uuid;
  return jsonb_build_object('released', found);
end
$$;

-- Whether this worker leads, and keeps others from taking over until the transaction ends. Functions that only a leader may call begin
-- with it, so that a worker that was suspended past its lease changes nothing.
create or replace function public.leader_holds(role_name text, worker uuid) returns boolean
language plpgsql volatile
set search_path = public, pg_temp
as $$
begin
  perform from leader_leases where role = role_name and worker_id = worker and lease_until > clock_timestamp() for update;
  return found;
end
$$;

------------------------------------------------------------------------------------------------------------- polling

-- What the monitor decides by.
--   reply {"last_change_number", "bulk_completed_at", "reconciled_seconds_ago": since the last sweep of everything, or null,
--          "gap": {"from_change", "to_change"} or null}
create or replace function public.pics_monitor_state() returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'last_change_number', state.last_change_number,
    'bulk_completed_at', state.bulk_completed_at,
    'reconciled_seconds_ago',
      extract(epoch from clock_timestamp() - greatest(state.last_reconciled_at, state.last_verified_at)),
    'gap', (select jsonb_build_object('from_change', from_change, 'to_change', to_change) from pics_gaps where repaired_at is null)
  )
  from pics_sync_state state where id = 1;
$$;

-- Makes a poll durable: every announced app becomes pending and the cursor moves, in one transaction.
--   request  {"worker_id", "change_number": Steam's current one, "apps": [[appid, change_number, needs_token], …],
--             "since": where the poll counted from}
--   reply    {"accepted", "last_change_number", "marked": apps now pending that were not, or not so far}
-- Only the leader is heard, so that one that wakes up late moves nothing. The cursor moves only from where the poll counted: past
-- an open gap polls still mark what they announce, but the cursor waits for the sweep (pics_finish_sweep). With no cursor at
-- all, the first poll (since 0) sets it.
create or replace function public.pics_poll(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
-- As for pics_mark: no plan that was made while the tables were empty.
set plan_cache_mode = force_custom_plan
as $$
declare
  since constant bigint := (request ->> 'since')::bigint;
  marked integer;
begin
  if not leader_holds('monitor', (request ->> 'worker_id')::uuid) then
    return jsonb_build_object('accepted', false, 'last_change_number', null, 'marked', 0);
  end if;

  insert into sync_status as s (appid, pics_pending_change, pending_since, needs_token)
  select announced.appid, announced.change, now(), announced.needs_token
  from (
    select (e ->> 0)::integer as appid, max((e ->> 1)::bigint) as change, bool_or(coalesce((e ->> 2)::boolean, false)) as needs_token
    from jsonb_array_elements(request -> 'apps') as e
    group by 1
  ) announced
  left join sync_status stored on stored.appid = announced.appid
  where stored.pics_change_number is null or stored.pics_change_number < announced.change
  order by announced.appid
  on conflict (appid) do update set
    pics_pending_change = excluded.pics_pending_change,
    pending_since = coalesce(s.pending_since, excluded.pending_since),
    needs_token = excluded.needs_token,
    attempts = 0,
    next_attempt_at = null
  where (s.pics_pending_change is null or s.pics_pending_change < excluded.pics_pending_change)
    and (s.pics_change_number is null or s.pics_change_number < excluded.pics_pending_change);
  get diagnostics marked = row_count;

  update pics_sync_state set
    last_change_number = greatest(last_change_number, (request ->> 'change_number')::bigint),
    updated_at = now()
  where id = 1 and (last_change_number is null or last_change_number = since)
    and not exists (select from pics_gaps where repaired_at is null);

  return jsonb_build_object(
    'accepted', true,
    'last_change_number', (select last_change_number from pics_sync_state where id = 1),
    'marked', marked
  );
end
$$;

-- Records that Steam could not list the changes between two numbers. An open gap grows instead of being joined by another.
--   request  {"worker_id", "from_change", "to_change"}; reply {"accepted"}
create or replace function public.pics_open_gap(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
begin
  if not leader_holds('monitor', (request ->> 'worker_id')::uuid) then
    return jsonb_build_object('accepted', false);
  end if;
  insert into pics_gaps as g (from_change, to_change)
  values ((request ->> 'from_change')::bigint, (request ->> 'to_change')::bigint)
  on conflict ((true)) where repaired_at is null do update set to_change = greatest(g.to_change, excluded.to_change);
  return jsonb_build_object('accepted', true);
end
$$;

-- Ends a sweep of everything: all that differed when it began is marked by now, so an open gap is repaired and the cursor moves past it.
--   request  {"worker_id", "seconds": since the sweep began, "change_number": up to where polls have been made durable}
--   reply    {"accepted", "last_change_number"}
create or replace function public.pics_finish_sweep(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
  state pics_sync_state;
begin
  if not leader_holds('monitor', (request ->> 'worker_id')::uuid) then
    return jsonb_build_object('accepted', false, 'last_change_number', null);
  end if;
  update pics_sync_state set
    last_change_number = greatest(last_change_number, (request ->> 'change_number')::bigint),
    last_reconciled_at = now(),
    last_verified_at = greatest(last_verified_at, now() - make_interval(secs => (request ->> 'seconds')::double precision)),
    updated_at = now()
  where id = 1
  returning * into state;
  update pics_gaps set repaired_at = now() where repaired_at is null;
  return jsonb_build_object('accepted', true, 'last_change_number', state.last_change_number);
end
$$;

------------------------------------------------------------------------------------------------------------- workers

-- A worker says how it is, and hears how the others are.
--   request  {"id": uuid, "mode", "snapshot": {…}}
--   reply    [{"id", "mode", "snapshot", "seen_at", "seen_seconds_ago"}, …] of the last minute, this one included
create or replace function public.report_worker(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
begin
  insert into workers (id, mode, snapshot) values ((request ->> 'id')::uuid, request ->> 'mode', request -> 'snapshot')
  on conflict (id) do update set mode = excluded.mode, snapshot = excluded.snapshot, seen_at = now();
  delete from workers where seen_at < now() - interval '1 day';
  return (
    select coalesce(jsonb_agg(to_jsonb(w) || jsonb_build_object('seen_seconds_ago', extract(epoch from now() - w.seen_at)) order by w.id), '[]')
    from workers w where w.seen_at > now() - interval '1 minute'
  );
end
$$;

-- A worker that stops takes its row along. request {"id"}; reply {"forgotten"}
create or replace function public.forget_worker(request jsonb) returns jsonb
language plpgsql volatile
set search_path = public, pg_temp
as $$
begin
  delete from workers where id = (request ->> 'id')::uuid;
  return jsonb_build_object('forgotten', found);
end
$$;

-- How far the work is behind.
--   reply {"pending": not in backoff, "failing": in backoff, "lag_seconds": age of the oldest pending, null when none,
--          "failing_apps": as pics_failing}
create or replace function public.pics_backlog() returns jsonb
language sql stable
set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'pending', count(*) filter (where attempts = 0),
    'failing', count(*) filter (where attempts > 0),
    'lag_seconds', extract(epoch from clock_timestamp() - min(pending_since) filter (where attempts = 0)),
    'failing_apps', pics_failing('{"max": 20}')
  )
  from sync_status where pics_pending_change is not null;
$$;

-------------------------------------------------------------------------------------------------------------- security

select public.pics_secure_functions();
