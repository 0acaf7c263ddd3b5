import type { AppQuery, OpenFilter, UnknownValue } from "../../db/catalog-queries.ts";
import type { CatalogReader } from "../../db/catalog-reader.ts";
import { didYouMean, editsOf } from "../../process/did-you-mean.ts";
import type { Problem } from "../problem.ts";
import { documentedPlatforms, documentedTypes } from "./parameters.ts";
import { problemOf, quoted } from "./validation.ts";

/** Filters of apps whose values only the database knows. */

/** The types and platforms of a query that are not documented: valid only if a stored app has them, since Steam adds some. */
export function undocumented({ types = [], platforms = [] }: Pick<AppQuery, "types" | "platforms">) {
  const others = (filter: OpenFilter, values: readonly string[], known: readonly string[]) =>
    values.filter((value) => !known.includes(value)).map((value): [OpenFilter, string] => [filter, value]);
  return [...others("type", types, documentedTypes), ...others("platform", platforms, documentedPlatforms)];
}

/** 400 for a value that no app can have, with the name that was probably meant. */
export async function unknownValue(catalog: CatalogReader, [filter, value]: UnknownValue): Promise<Problem> {
  const names = await candidates(catalog, filter, value);
  const detail = `unknown ${filter} ${quoted(value)}${didYouMean(value, names, quoted)}`;
  return problemOf([{ parameter: filter, detail }]);
}

async function candidates(catalog: CatalogReader, filter: UnknownValue[0], value: string): Promise<string[]> {
  if (filter === "platform") return documentedPlatforms;
  const stored = await catalog.similar(filter, value, editsOf(value));
  return filter === "type" ? [...documentedTypes, ...stored] : stored;
}
