/**
 * Parser of the subset of Apicalypse, IGDB's query language, that the simulation supports: `fields`, `where` with `=`
 * joined by `&`, `sort id asc`, `limit` and `offset`. Anything else is an error, so that a client cannot depend on
 * unverified syntax.
 */
export type Term = string | number;

export interface Query {
  fields: string[];
  /** Allowed values by field. */
  where: Map<string, Term[]>;
  limit: number;
  offset: number;
}

export const maxLimit = 500;
const defaultLimit = 10;

/** A syntax error; its message becomes the `cause` of IGDB's 400. */
export class ApicalypseError extends Error {}

const text = String.raw`"(?:[^"\\]|\\["\\])*"`;
const term = String.raw`(?:${text}|-?\d+)`;
const statementPattern = new RegExp(String.raw`\s*(\w+) ((?:${text}|[^";])*);`, "y");
const conditionPattern = new RegExp(String.raw`^(\w+) = (?:(${term})|\((${term}(?:,\s*${term})*)\))$`);

export function parseApicalypse(body: string): Query {
  const query: Query = { fields: [], where: new Map(), limit: defaultLimit, offset: 0 };
  let end = 0;
  for (const match of body.matchAll(new RegExp(statementPattern, "gy"))) {
    const [statement, word = "", rest = ""] = match;
    end = match.index + statement.length;
    apply(query, word, rest.trim());
  }
  if (body.slice(end).trim() !== "")
    throw new ApicalypseError(`Expecting a statement at '${body.slice(end, end + 40)}'`);
  return query;
}

function apply(query: Query, word: string, rest: string): void {
  if (word === "fields") query.fields = rest.split(",").map((field) => field.trim());
  else if (word === "where") query.where = new Map(conditionsOf(rest));
  else if (word === "limit") query.limit = numberOf(rest, maxLimit);
  else if (word === "offset") query.offset = numberOf(rest, Number.MAX_SAFE_INTEGER);
  else if (word !== "sort" || rest !== "id asc") throw new ApicalypseError(`Unexpected '${word} ${rest.slice(0, 40)}'`);
}

function conditionsOf(text: string): [string, Term[]][] {
  return splitOutsideQuotes(text, " & ").map((condition) => {
    const [, field = "", one, list] = conditionPattern.exec(condition) ?? [];
    if (!field) throw new ApicalypseError(`Expecting a condition at '${condition.slice(0, 40)}'`);
    const terms = (one ?? list ?? "").match(new RegExp(term, "g")) ?? [];
    return [
      field,
      terms.map((each) => (each.startsWith('"') ? each.slice(1, -1).replace(/\\(.)/g, "$1") : Number(each))),
    ];
  });
}

function splitOutsideQuotes(input: string, separator: string): string[] {
  const parts = [""];
  for (const piece of input.match(new RegExp(`${text}|[^"]+`, "g")) ?? []) {
    const [first = "", ...others] = piece.startsWith('"') ? [piece] : piece.split(separator);
    parts[parts.length - 1] += first;
    parts.push(...others);
  }
  return parts;
}

function numberOf(digits: string, most: number): number {
  if (!/^\d+$/.test(digits) || Number(digits) > most) throw new ApicalypseError(`Expecting a number up to ${most}`);
  return Number(digits);
}

/**
 * The requested fields of a row, nested ones by path, and always its id. A relation requested without a field is its
 * bare id.
 */
export function project(row: object, fields: readonly string[]): Record<string, unknown> {
  const source = row as Record<string, unknown>;
  const nested = Map.groupBy(fields, (field) => field.split(".")[0] as string);
  const result: Record<string, unknown> = { id: source.id };
  for (const [name, paths] of nested) {
    const value = source[name];
    if (value === undefined) continue;
    const deeper = paths.filter((path) => path.includes(".")).map((path) => path.slice(name.length + 1));
    const one = (each: unknown) =>
      typeof each !== "object" || each === null
        ? each
        : deeper.length > 0
          ? project(each, deeper)
          : (each as { id: number }).id;
    result[name] = Array.isArray(value) ? value.map(one) : one(value);
  }
  return result;
}
