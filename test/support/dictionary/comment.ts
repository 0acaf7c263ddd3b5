/** A comment of the database: "Meaning. Values: …. Unit: …. Source: …. Example: …", of which all but the meaning may be absent. */
export interface Meaning {
  meaning: string;
  values: string | null;
  unit: string | null;
  /** Keys of PICS as `common/review_score`, a field of a web API, or the service itself. */
  source: string | null;
  /** A value, or the beginning of one, perhaps with a note in parentheses. */
  example: string | null;
}

const form =
  /^(?<meaning>.+?\.)(?: Values: (?<values>.+?)\.)?(?: Unit: (?<unit>.+?)\.)?(?: Source: (?<source>.+?)\.)?(?: Example: (?<example>.+))?$/s;

/** Parses a comment; null for one of another form. */
export function parseComment(comment: string): Meaning | null {
  const { meaning = "", values = null, unit = null, source = null, example = null } = form.exec(comment)?.groups ?? {};
  const hasLabelWithin = / (Values|Unit|Source|Example): /.test([meaning, values, unit, source].join("\n"));
  return meaning === "" || hasLabelWithin ? null : { meaning, values, unit, source, example };
}

/** Keys of PICS in a source, as `readPaths` of the catalog writes them: `depots.#.manifests.*.gid`. */
export function picsKeys(source: string): string[] {
  const keys = source.match(/\b(common|extended|config|depots)(\/[\w*]+)*/g) ?? [];
  return source.startsWith("PICS ") ? keys.map((key) => key.replaceAll("/", ".")) : [];
}
