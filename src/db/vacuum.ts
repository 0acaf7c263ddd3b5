/**
 * The statement of {@link SqlDatabase.vacuum}. It never waits for another vacuum, and does not give pages back to the operating system, for
 * which it would lock the table.
 */
export function vacuumStatement(tables: readonly string[]): string {
  return `vacuum (skip_locked, truncate false) ${tables.map((name) => `public.${name}`).join(", ")}`;
}
