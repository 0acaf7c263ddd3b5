-- Privileges of functions. Every role may execute a new function unless that is revoked, and a hosted project's default privileges grant it
-- to the API roles by name. So every migration that makes functions ends with a call of this one; only its owner may call it.

create or replace function public.pics_secure_functions() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  made regprocedure;
  role_name name;
begin
  for made in
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = 'public'::regnamespace and pg_has_role(p.proowner, 'usage') and (
      p.proname like any (array['pics\_%', 'leader\_%', 'collector\_%', 'web\_%', 'library\_%', 'catalog\_%', 'webhook\_%'])
      or p.proname in ('schema_version', 'get_apps_for_sync', 'report_worker', 'forget_worker')
    )
  loop
    execute format('revoke all on function %s from public', made);
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
      execute format('revoke all on function %s from %I', made, role_name);
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') and made <> 'public.pics_secure_functions()'::regprocedure then
      execute format('grant execute on function %s to service_role', made);
    end if;
  end loop;
end
$$;

-- The service's tables that the API roles reach beyond the contract: those of an older application, which keep their grants and policies
-- (everything that a migration of this service made is closed). Without row-level security, all who have the project's public key may do what
-- the grants allow; where it is on, the policies are the owner's choice. Empty where there are no API roles.
--   reply [{"name", "privileges": "anon: DELETE, INSERT, …; authenticated: …", "statements": [SQL that closes it, …]}, …] by name
create or replace function public.pics_open_tables() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with api_roles as (
    select rolname::text as role from pg_roles where rolname in ('anon', 'authenticated')
  ), tables(name, is_public) as (
    select unnest(array[
      'apps', 'app_info', 'app_branches', 'app_depots', 'app_depot_manifests', 'app_changes', 'app_events', 'app_steam_deck', 'app_steam_tags',
      'app_genres', 'app_categories', 'app_franchises', 'app_developers', 'app_publishers', 'app_dlc', 'steam_tags', 'steam_genres',
      'steam_categories', 'franchises', 'developers', 'publishers', 'game_metadata'
    ]), true
    union all
    select unnest(array[
      'sync_status', 'pics_sync_state', 'pics_gaps', 'pics_access_tokens', 'pics_claims', 'pics_replies', 'pics_sizes', 'leader_leases', 'workers', 'steam_keys', 'webhooks',
      'collector_state', 'app_list_entries', 'web_api_usage', 'web_api_throttles', 'ImportedGame', 'Game', 'LibraryItem', 'Genre', 'Platform',
      'GameGenre', 'GamePlatform', 'library_choices', 'library_written', 'igdb_answers', 'web_tokens'
    ]), false
  ), ours as (
    select c.oid, name, format('public.%I', name) as qualified, is_public
    from pg_class c join tables on c.relname = name
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity
  ), granted as (
    select ours.oid, role, string_agg(privilege, ', ' order by privilege) as privileges
    from ours, api_roles, unnest(array['DELETE', 'INSERT', 'SELECT', 'TRUNCATE', 'UPDATE']) privilege
    where not (is_public and privilege = 'SELECT') and (
      has_table_privilege(role, ours.oid, privilege)
      or privilege in ('INSERT', 'SELECT', 'UPDATE') and has_any_column_privilege(role, ours.oid, privilege)
    )
    group by ours.oid, role
  ), listed as (
    select string_agg(role, ', ' order by role) as roles from api_roles
  ), found as (
    select name, qualified, is_public, string_agg(role || ': ' || privileges, '; ' order by role) as privileges
    from ours join granted using (oid) group by name, qualified, is_public
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', name,
    'privileges', privileges,
    'statements', to_jsonb(array_remove(array[
      format('alter table %s enable row level security;', qualified),
      format('revoke all on table %s from public, %s;', qualified, roles),
      case when is_public then format('grant select on table %s to %s;', qualified, roles) end,
      case when is_public then
        format('create policy "API roles read the catalog" on %s for select to %s using (true);', qualified, roles)
      end,
      -- It may have had its privileges through PUBLIC.
      case when exists (select from pg_roles where rolname = 'service_role') then
        format('grant all on table %s to service_role;', qualified)
      end
    ], null))
  ) order by name collate "C"), '[]')
  from found, listed;
$$;

select public.pics_secure_functions();
