/** Splits into batches of at most `size`, each with whether it is the last. An empty list gives one empty batch. */
export function* batches<T>(items: readonly T[], size: number): Generator<[part: readonly T[], isLast: boolean]> {
  let start = 0;
  do {
    yield [items.slice(start, start + size), start + size >= items.length];
    start += size;
  } while (start < items.length);
}
