import type { Transaction } from "../db/database.ts";
import { quoted } from "./schema.ts";

/** A load of whole tables: without the checks and indexes that would be kept up to date row by row. */
export interface BulkLoad {
  /** Builds the indexes of a table that is loaded, and counts it for the planner. */
  finishTable(name: string): Promise<void>;
  /** Checks the foreign keys, and turns triggers on again. */
  finish(): Promise<void>;
}

interface Dropped {
  relation: string;
  name: string;
  definition: string;
}

/**
 * Drops foreign keys and indexes that are not unique, and turns triggers off, until the end of the load. For the owner of the tables.
 *
 * @param tables names.
 * @param options.deriving tables whose triggers stay on, since what they derive is not loaded.
 */
export async function beginLoad(
  tx: Transaction,
  tables: readonly string[],
  { deriving }: { deriving: readonly string[] },
): Promise<BulkLoad> {
  const keys = await tx.query<Dropped>(
    `select c.relname::text as relation, k.conname::text as name, pg_get_constraintdef(k.oid) as definition
     from pg_constraint k join pg_class c on c.oid = k.conrelid
     where k.contype = 'f' and c.relnamespace = 'public'::regnamespace and c.relname = any ($1::text[])`,
    [tables],
  );
  const indexes = await tx.query<Dropped>(
    `select c.relname::text as relation, i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i join pg_class c on c.oid = i.indrelid
     where not i.indisunique and c.relnamespace = 'public'::regnamespace and c.relname = any ($1::text[])`,
    [tables],
  );
  const silenced = tables.filter((name) => !deriving.includes(name));
  for (const { relation, name } of keys) await tx.query(`alter table ${of(relation)} drop constraint ${quoted(name)}`);
  for (const { name } of indexes) await tx.query(`drop index ${name}`);
  for (const name of silenced) await tx.query(`alter table ${of(name)} disable trigger user`);
  return {
    async finishTable(name) {
      for (const { relation, definition } of indexes) if (relation === name) await tx.query(definition);
      await tx.query(`analyze ${of(name)}`);
    },
    async finish() {
      for (const { relation, name, definition } of keys) {
        await tx.query(`alter table ${of(relation)} add constraint ${quoted(name)} ${definition}`);
      }
      for (const name of silenced) await tx.query(`alter table ${of(name)} enable trigger user`);
    },
  };
}

const of = (table: string) => `public.${quoted(table)}`;
