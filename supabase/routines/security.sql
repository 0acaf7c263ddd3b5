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
      p.proname like any (array['pics\_%', 'leader\_%', 'collector\_%', 'web\_%', 'library\_%', 'catalog\_%'])
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

select public.pics_secure_functions();
