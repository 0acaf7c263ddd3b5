-- Webhooks: receivers of events, each with its cursor. A webhook is live unless it is dead or disabled; live ones hold back the
-- deletion of the history (pics_trim_changes).

-- A webhook as the service reads it; `lag_seconds` is the age of the oldest event that it has not passed, 0 when there is none.
create or replace function public.webhook_row(hook public.webhooks) returns jsonb
language sql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  select to_jsonb(hook) - 'secret' || jsonb_build_object(
    'state', case
      when hook.disabled_at is not null then 'disabled' when hook.dead_at is not null then 'dead'
      when hook.failing_since is not null then 'failing' else 'live'
    end,
    'next_attempt_in_seconds', greatest(0, extract(epoch from hook.next_attempt_at - clock_timestamp())),
    'lag_seconds', coalesce(greatest(0, extract(epoch from clock_timestamp() - (
      select e.detected_at from public.app_events e where e.id > hook.cursor order by e.id limit 1
    ))), 0)
  );
$$;

-- Adds a webhook.
--   request  {"id": uuid, "url", "secret", "format": standard | discord, "filters": as catalog_events takes them,
--             "after": id of the last event that it does not want, null for all up to now}
--   reply    the webhook as webhook_row; or {"deleted_up_to": id} where events after `after` are deleted already, and nothing is added
-- Idempotent by id.
create or replace function public.webhook_add(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_id constant uuid := (request ->> 'id')::uuid;
  -- As in catalog_events: of the last event that no running transaction can precede.
  horizon constant bigint := (public.pics_changes_horizon() << 16) | 65535;
  after constant bigint := (request ->> 'after')::bigint;
  deleted_up_to constant bigint := (select (s.changes_deleted_up_to << 16) | 65535 from public.pics_sync_state s where s.changes_deleted_up_to > 0);
begin
  if after < deleted_up_to then
    return jsonb_build_object('deleted_up_to', deleted_up_to);
  end if;
  insert into public.webhooks (id, url, secret, format, filters, cursor)
  values (this_id, request ->> 'url', request ->> 'secret', request ->> 'format', coalesce(request -> 'filters', '{}'), least(after, horizon))
  on conflict (id) do nothing;
  return (select public.webhook_row(w) from public.webhooks w where w.id = this_id);
end
$$;

-- Webhooks by age.
--   request  {"prefix": of the id, or absent for all, "live": whether only those that are delivered to, "secrets": whether with them}
--   reply    [as webhook_row, with "secret" where it is asked for, …]
create or replace function public.webhook_list(request jsonb) returns jsonb
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(
    public.webhook_row(w) || case when (request ->> 'secrets')::boolean then jsonb_build_object('secret', w.secret) else '{}' end
    order by w.created_at, w.id
  ), '[]')
  from public.webhooks w
  where starts_with(w.id::text, coalesce(request ->> 'prefix', ''))
    and (not coalesce((request ->> 'live')::boolean, false) or (w.dead_at is null and w.disabled_at is null));
$$;

-- request {"id"}; reply {"removed"}
create or replace function public.webhook_remove(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.webhooks where id = (request ->> 'id')::uuid;
  return jsonb_build_object('removed', found);
end
$$;

-- Makes a webhook live again, from its cursor on. request {"id"}; reply {"revived"}
create or replace function public.webhook_revive(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.webhooks set
    attempts = 0, failing_since = null, next_attempt_at = null, last_error = null, dead_at = null, disabled_at = null
  where id = (request ->> 'id')::uuid;
  return jsonb_build_object('revived', found);
end
$$;

-- Moves cursors past what is delivered or does not fit. A cursor never moves back, so that a deliverer that has lost its lease does no harm.
--   request  {"webhooks": [{"id", "cursor": event id, "delivered": events since the last report}, …]}
--   reply    {"moved"}
-- A delivery ends a streak of failures. May be repeated: only the count of deliveries would then be too high.
create or replace function public.webhook_progress(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  moved integer;
begin
  update public.webhooks w set
    cursor = greatest(w.cursor, given.cursor),
    delivered = w.delivered + given.delivered,
    attempts = case when given.delivered > 0 then 0 else w.attempts end,
    failing_since = case when given.delivered > 0 then null else w.failing_since end,
    next_attempt_at = case when given.delivered > 0 then null else w.next_attempt_at end,
    last_error = case when given.delivered > 0 then null else w.last_error end,
    last_success_at = case when given.delivered > 0 then now() else w.last_success_at end
  from jsonb_to_recordset(request -> 'webhooks') as given(id uuid, cursor bigint, delivered bigint)
  where w.id = given.id;
  get diagnostics moved = row_count;
  return jsonb_build_object('moved', moved);
end
$$;

-- Records a delivery that failed.
--   request  {"id", "error", "retry_seconds": until the next attempt, "dead_after_seconds": of failures without a success, and
--             "dead_after_attempts", so that an outage of the service itself is not counted against the receiver, "gone": whether the receiver wants no more}
--   reply    {"attempts": failures since the last success, "dead", "disabled"}, all null for a webhook that was removed
create or replace function public.webhook_failed(request jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  hook public.webhooks;
begin
  update public.webhooks w set
    attempts = w.attempts + 1,
    failing_since = coalesce(w.failing_since, now()),
    next_attempt_at = now() + make_interval(secs => (request ->> 'retry_seconds')::double precision),
    last_error = left(request ->> 'error', 500),
    disabled_at = case when (request ->> 'gone')::boolean then coalesce(w.disabled_at, now()) else w.disabled_at end,
    dead_at = case
      when now() - w.failing_since >= make_interval(secs => (request ->> 'dead_after_seconds')::double precision)
        and w.attempts + 1 >= (request ->> 'dead_after_attempts')::integer then coalesce(w.dead_at, now())
      else w.dead_at
    end
  where w.id = (request ->> 'id')::uuid
  returning * into hook;
  return jsonb_build_object('attempts', hook.attempts, 'dead', hook.dead_at is not null, 'disabled', hook.disabled_at is not null);
end
$$;
