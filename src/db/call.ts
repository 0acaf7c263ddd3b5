/** A call of a SQL function as both SQL drivers send it. */
export interface SqlCall {
  sql: string;
  params: SqlParam[];
}

export type SqlParam = string | number | boolean | null;

/**
 * `select public."name"("arg" => $1, …) as result` with its parameters. Arguments that are undefined are left out, as JSON
 * leaves them out on the way to PostgREST; objects and arrays become the text of a jsonb.
 *
 * @throws {TypeError} when a name is not made of a–z and _: names are written into the statement.
 */
export function sqlCall(name: string, args: Record<string, unknown>): SqlCall {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  const named = given.map(([arg], index) => `${quoted(arg)} => $${index + 1}`);
  return {
    sql: `select public.${quoted(name)}(${named.join(", ")}) as result`,
    params: given.map(([, value]) => sqlParam(value)),
  };
}

/** The value as a parameter that either driver passes on unchanged. */
function sqlParam(value: unknown): SqlParam {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value);
}

/** Checks a name that is written into a statement or a URL. */
export function checkName(name: string): string {
  if (!/^[a-z_]+$/.test(name)) throw new TypeError(`not a name of a SQL function or argument: ${JSON.stringify(name)}`);
  return name;
}

function quoted(name: string): string {
  return `"${checkName(name)}"`;
}
