/**
 * A name normalized for comparison across catalogs: case, accents, trademark signs, punctuation and white space do not
 * matter.
 */
export function normalizeName(name: string): string {
  return stripTrademarks(name)
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

/** A name without trademark signs, which Steam's names have and IGDB's do not. White space is collapsed. */
export function stripTrademarks(name: string): string {
  return name
    .replace(/[™®©℠]/g, "")
    .replace(/\s+/g, " ")
    .trim();
}
