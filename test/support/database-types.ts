import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { asSuperuser, type ClusterAddress, urlOf } from "./cluster.ts";
import { createCliProject } from "./supabase-cli.ts";
import { ownerOf, serverTemplate } from "./templates.ts";

/**
 * `supabase/database.types.ts`: the tables and functions that a client with the anonymous key may use, as
 * `supabase gen types` of the Supabase CLI writes them. `npm run types` writes the file, a test holds it.
 */

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

export const typesFile = join(root, "supabase/database.types.ts");

const header = `/**
 * Types of the catalog for \`createClient<Database>()\` of supabase-js: what the anonymous key may read. docs/clients.md has examples.
 * Generated from the migrations by \`npm run types\`, in the format of \`supabase gen types\`. Do not edit.
 */
`;

/** The CLI describes every object, also those that clients may not use; these are dropped from the copy that it reads. */
const dropInaccessible = `do $$
declare
  made record;
begin
  for made in
    select oid::regclass as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not has_table_privilege('anon', oid, 'select')
  loop
    execute format('drop table %s cascade', made.name);
  end loop;
  for made in
    select oid::regprocedure as name from pg_proc
    where pronamespace = 'public'::regnamespace and not has_function_privilege('anon', oid, 'execute')
  loop
    execute format('drop function if exists %s cascade', made.name);
  end loop;
  for made in
    select oid::regtype as name from pg_type t
    where typnamespace = 'public'::regnamespace and typtype = 'c'
      and exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')
  loop
    execute format('drop type %s cascade', made.name);
  end loop;
end $$`;

/** The text of `supabase/database.types.ts` by the migrations, made in a database of its own on that server. */
export async function databaseTypes(cluster: ClusterAddress): Promise<string> {
  const template = await serverTemplate(cluster, "supabase", true);
  const name = `types_${randomUUID().replaceAll("-", "")}`;
  await asSuperuser(cluster, "postgres", (client) =>
    client.query(`create database ${name} template ${template} owner ${ownerOf.supabase}`),
  );
  const project = await createCliProject();
  try {
    await asSuperuser(cluster, name, (client) => client.query(dropInaccessible));
    return await formatted(header + (await project.types(urlOf(cluster, ownerOf.supabase, name))));
  } finally {
    await project.remove();
    await asSuperuser(cluster, "postgres", (client) => client.query(`drop database ${name} with (force)`));
  }
}

async function formatted(source: string): Promise<string> {
  const program = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");
  const working = run(process.execPath, [program, "format", `--stdin-file-path=${typesFile}`], { cwd: root });
  working.child.stdin?.end(source);
  return (await working).stdout;
}
