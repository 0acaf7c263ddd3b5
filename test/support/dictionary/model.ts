import type pg from "pg";
import { type Meaning, parseComment } from "./comment.ts";

/** What the database says of itself. */
export interface Dictionary {
  tables: Table[];
  /** Views, and functions that the anonymous key may call. */
  callable: string[];
  genres: Map<number, string>;
  categories: Map<number, string>;
}

export interface Table {
  name: string;
  /** catalog: anonymous clients may read it. */
  group: "catalog" | "service" | "library";
  comment: string | null;
  columns: Column[];
  references: Reference[];
}

export interface Column {
  name: string;
  type: string;
  isKey: boolean;
  isNullable: boolean;
  /** Of an enum type; else empty. */
  labels: string[];
  comment: string | null;
  /** Null without a comment, and for one of another form. */
  meaning: Meaning | null;
}

/** A foreign key. */
export interface Reference {
  columns: string[];
  table: string;
  /** Whether each row of the other table has at most one of this. */
  isOneToOne: boolean;
}

/**
 * Describes a database that has the migrations, the roles of Supabase, and no rows.
 *
 * The library's tables exist only where an operator wants them, so they are created in a transaction that is rolled back.
 */
export async function describeDatabase(client: pg.Client): Promise<Dictionary> {
  await client.query("begin");
  try {
    await client.query("select public.library_create_tables('{}')");
    const { rows: tables } = await client.query<Table>(tablesQuery);
    for (const column of tables.flatMap(({ columns }) => columns)) {
      column.meaning = column.comment === null ? null : parseComment(column.comment);
    }
    const { rows: callable } = await client.query<{ name: string }>(callableQuery);
    return {
      tables,
      callable: callable.map(({ name }) => name),
      genres: await words(client, "select genre_id as code, name as word from steam_genres order by 1"),
      categories: await words(
        client,
        "select category_id as code, concat_ws(': ', name, description) as word from steam_categories order by 1",
      ),
    };
  } finally {
    await client.query("rollback");
  }
}

async function words(client: pg.Client, query: string): Promise<Map<number, string>> {
  const { rows } = await client.query<{ code: number; word: string }>(query);
  return new Map(rows.map(({ code, word }) => [code, word]));
}

const tablesQuery = `
  select c.relname::text as name, obj_description(c.oid, 'pg_class') as comment,
    case
      when public.library_comments() ? c.relname::text then 'library'
      when has_table_privilege('anon', c.oid, 'select') then 'catalog' else 'service'
    end as group,
    (
      select jsonb_agg(jsonb_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'isNullable', not a.attnotnull,
        'isKey', coalesce(a.attnum = any (key.conkey), false), 'comment', col_description(c.oid, a.attnum),
        'labels', (select coalesce(jsonb_agg(e.enumlabel), '[]') from pg_enum e where e.enumtypid = a.atttypid)
      ) order by a.attnum)
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) as columns,
    (
      select coalesce(jsonb_agg(jsonb_build_object(
        'table', f.confrelid::regclass::text, 'isOneToOne', coalesce(f.conkey = key.conkey, false),
        'columns', (select jsonb_agg(a.attname) from pg_attribute a where a.attrelid = c.oid and a.attnum = any (f.conkey))
      ) order by f.conkey), '[]')
      from pg_constraint f where f.conrelid = c.oid and f.contype = 'f'
    ) as references
  from pg_class c
  left join pg_constraint key on key.conrelid = c.oid and key.contype = 'p'
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  order by c.oid`;

const callableQuery = `
  select c.relname::text as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm')
  union all
  select p.oid::regprocedure::text from pg_proc p
  where p.pronamespace = 'public'::regnamespace and has_function_privilege('anon', p.oid, 'execute')
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  order by 1`;
