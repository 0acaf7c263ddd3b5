import { readPaths } from "../../../src/catalog/unread-keys.ts";
import { picsKeys } from "./comment.ts";
import { enumerations } from "./enumerations.ts";
import type { Column, Dictionary, Table } from "./model.ts";

/** What is missing or wrong in the comments, as sentences. */
export function faultsOf(dictionary: Dictionary): string[] {
  const columns = dictionary.tables.flatMap((table) =>
    table.columns.map((column) => ({ ...column, table, path: `${table.name}.${column.name}` })),
  );
  const words = enumerations(dictionary);
  const unnamed = dictionary.tables.filter(({ comment }) => !comment?.endsWith("."));
  return [
    ...unnamed.map(({ name }) => `${name} has no comment`),
    ...columns.flatMap((column) => columnFault(column) ?? []),
    ...words.flatMap(({ title, columns: paths, words }) =>
      paths.flatMap((path) => {
        const meaning = columns.find((column) => column.path === path)?.meaning;
        if (!meaning) return `${title}: there is no ${path}`;
        const missing = [...words].filter(([code, word]) => meaning.values && !names(meaning.values, code, word));
        return missing.map(([code, word]) => `${path} does not list ${code} ${word}`);
      }),
    ),
    ...sourceFaults(columns.map(({ meaning }) => meaning?.source ?? "")),
  ];
}

/** Codes that are numbers stand with their words. Values may be those of another enumeration of the same column. */
function names(values: string, code: string | number, word: string): boolean {
  const isNumbered = /\d/.test(values);
  if (typeof code === "string") return isNumbered || values.split(/\W+/).includes(code);
  return values.includes(`${code} ${word}`);
}

function columnFault({
  path,
  table,
  comment,
  meaning,
  labels,
}: Column & { table: Table; path: string }): string | null {
  if (comment === null) return `${path} has no comment`;
  if (meaning === null) return `the comment of ${path} is not "Meaning. Values: …. Unit: …. Source: …. Example: …"`;
  const missing = labels.filter((label) => !meaning.values?.split(/\W+/).includes(label));
  if (missing.length > 0) return `${path} does not list ${missing.join(", ")}`;
  if (table.group !== "catalog") return null;
  if (meaning.source === null) return `${path} has no source`;
  return meaning.example === null ? `${path} has no example` : null;
}

/** Sources name what the extractor reads, and all of it. A block stands for all that is in it. */
function sourceFaults(sources: readonly string[]): string[] {
  const named = new Set(sources.flatMap(picsKeys));
  const read = readPaths.map((path) => path.replaceAll("#", "*"));
  const isWithin = (path: string, block: string) => path === block || path.startsWith(`${block}.`);
  return [
    ...[...named]
      .filter((key) => !read.some((path) => isWithin(path, key)))
      .map((key) => `the extractor does not read ${key}`),
    ...read
      .filter((path) => /\./.test(path) && ![...named].some((key) => isWithin(path, key)))
      .map((path) => `no column names its source ${path}`),
  ];
}
