/** A name without what two catalogs write differently: case, accents, trade marks, punctuation and white space. */
export function normalisedName(name: string): string {
  return withoutMarks(name)
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

/** IGDB leaves out the marks that Steam's names carry. */
export function withoutMarks(name: string): string {
  return name
    .replace(/[™®©℠]/g, "")
    .replace(/\s+/g, " ")
    .trim();
}
