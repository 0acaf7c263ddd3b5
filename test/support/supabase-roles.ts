/**
 * An empty hosted Supabase project, as far as the tests need it. From the initial scripts of
 * github.com/supabase/postgres (migrations/db): the roles and their time limits, the default privileges that grant
 * every new object of `public` to the API roles, and the trigger that makes PostgREST reload a changed schema.
 */

/**
 * Once per server. `app` stands for the owner of a database on any other Postgres: not a superuser, and may not create
 * roles.
 */
export function clusterRoles(password: string): string {
  return `
    create role postgres login createdb createrole replication bypassrls password '${password}';
    create role anon nologin noinherit;
    create role authenticated nologin noinherit;
    create role service_role nologin noinherit bypassrls;
    create role authenticator login noinherit password '${password}';
    grant anon, authenticated, service_role to authenticator;
    grant anon, authenticated, service_role to postgres with admin option;
    alter role anon set statement_timeout = '3s';
    alter role authenticated set statement_timeout = '8s';
    alter role service_role set statement_timeout = '8s';
    alter role authenticator set statement_timeout = '8s';
    alter role authenticator set lock_timeout = '8s';
    create role app login password '${password}';
  `;
}

/** Once per database that stands for a project. */
export const projectDefaults = `
  create schema extensions;
  grant usage on schema extensions to postgres, anon, authenticated, service_role;
  grant usage on schema public to postgres, anon, authenticated, service_role;
  ${["postgres", "supabase_admin"]
    .flatMap((owner) =>
      ["tables", "functions", "sequences"].map(
        (kind) =>
          `alter default privileges for role ${owner} in schema public
             grant all on ${kind} to postgres, anon, authenticated, service_role;`,
      ),
    )
    .join("\n")}

  create function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
  begin
    notify pgrst, 'reload schema';
  end $$;
  create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
  create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_ddl_watch();
`;
