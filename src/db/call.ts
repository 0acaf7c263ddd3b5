/** A call of a SQL function, as a parameterized statement for `pg` and PGlite. */
export interface SqlCall {
  sql: string;
  params: SqlParam[];
}

export type SqlParam = string | number | boolean | null;

/**
 * Builds `select public."name"("arg" => $1, …) as result` with its parameters. Undefined arguments are left out, as
 * JSON leaves them out for PostgREST; objects and arrays become jsonb text.
 *
 * @throws {TypeError} when a name contains anything but a–z and _: names are written into the statement, so this
 *   prevents SQL injection.
 */
export function sqlCall(name: string, args: Record<string, unknown>): SqlCall {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  const named = given.map(([arg], index) => `${quoted(arg)} => $${index + 1}`);
  return {
    sql: `select public.${quoted(name)}(${named.join(", ")}) as result`,
    params: given.map(([, value]) => sqlParam(value)),
  };
}

/** Converts a value to a parameter that both drivers pass on unchanged. */
function sqlParam(value: unknown): SqlParam {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value);
}

/** Returns a name that may be written into a statement or a URL. Throws TypeError for any other. */
export function checkName(name: string): string {
  if (!/^[a-z_]+$/.test(name))
    throw new TypeError(`not the name of a SQL function or argument (a-z and _): ${JSON.stringify(name)}`);
  return name;
}

function quoted(name: string): string {
  return `"${checkName(name)}"`;
}
