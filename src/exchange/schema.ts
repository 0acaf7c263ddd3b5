import type { Transaction } from "../db/database.ts";
import { ConfigError } from "../process/errors.ts";
import { columnTypeOf, selectOf } from "./cells.ts";
import type { Column } from "./table-file.ts";
import { appColumns, type ExportedTable } from "./tables.ts";

/** A table of {@link ExportedTable} as it is in a database. */
export interface StoredTable {
  table: ExportedTable;
  description: string;
  columns: StoredColumn[];
}

export interface StoredColumn extends Column {
  /** As Postgres writes it in a definition. */
  sqlType: string;
  /** The comment on the column; empty without one. */
  description: string;
  isIdentity: boolean;
  /** The database derives it, and refuses any other value. */
  isGenerated: boolean;
}

/**
 * Looks the columns of tables up. Columns that an older application gave to its tables are none of the catalog's, and are left out; so is a
 * table that this database does not have.
 *
 * @throws {ConfigError} for a column whose type has no place in an export.
 */
export async function describeTables(tx: Transaction, tables: readonly ExportedTable[]): Promise<StoredTable[]> {
  const [{ names: ofPics = [] } = {}] = await tx.query<{ names: string[] }>(
    "select public.pics_app_columns() as names",
  );
  const stored: StoredTable[] = [];
  for (const table of tables) {
    const wanted = table.columns ?? [
      ...table.key,
      ...ofPics,
      ...appColumns.filter((name) => !table.key.includes(name)),
    ];
    const found = await tx.query<Attribute>(attributes, [table.name, wanted]);
    if (found.length === 0) continue;
    stored.push({
      table,
      description: found[0]?.table_description ?? "",
      columns: found.map((each) => columnOf(table, each)),
    });
  }
  return stored;
}

interface Attribute {
  name: string;
  type: string;
  kind: string;
  sql_type: string;
  description: string;
  table_description: string;
  is_identity: boolean;
  is_generated: boolean;
}

const attributes = `
  select a.attname::text as name, t.typname::text as type, t.typtype::text as kind,
    format_type(a.atttypid, a.atttypmod) as sql_type, a.attidentity <> '' as is_identity,
    a.attgenerated <> '' as is_generated,
    coalesce(col_description(a.attrelid, a.attnum), '') as description,
    coalesce(obj_description(a.attrelid, 'pg_class'), '') as table_description
  from unnest($2::text[]) with ordinality as wanted(name, place)
  join pg_attribute a on a.attname = wanted.name and a.attrelid = to_regclass(format('public.%I', $1::text))
  join pg_type t on t.oid = a.atttypid
  where not a.attisdropped and a.attnum > 0
  order by wanted.place`;

function columnOf(table: ExportedTable, attribute: Attribute): StoredColumn {
  const { name, sql_type: sqlType, description, is_identity: isIdentity, is_generated: isGenerated } = attribute;
  const type = columnTypeOf(attribute.type, attribute.kind);
  if (type === null) {
    throw new ConfigError(`The column ${table.name}.${name} is ${sqlType}, which an export cannot hold.`);
  }
  return { name, type, sqlType, description, isIdentity, isGenerated };
}

/**
 * SQL that reads the rows of a table in the order of its primary key, which is the same in every database: texts are
 * compared byte by byte, whatever the collation.
 *
 * @param condition on the table, whose alias is `t`.
 */
export function selectRows({ table, columns }: StoredTable, condition = "true"): string {
  const shown = columns.map(({ name, type }) => selectOf(type, `t.${quoted(name)}`)).join(", ");
  const order = table.key.map((name) => {
    const isText = columns.find((column) => column.name === name)?.type === "text";
    return `t.${quoted(name)}${isText ? ' collate "C"' : ""}`;
  });
  return `select ${shown} from public.${quoted(table.name)} t where ${condition} order by ${order.join(", ")}`;
}

/** An identifier in SQL. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
