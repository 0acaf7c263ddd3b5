import { at, type Pairs } from "./pairs.ts";

/** Single values of a payload, by the contract's rules: anything that does not fit reads as null. */

export const maxId = 2 ** 31 - 1;
/** 9999-12-31T23:59:59Z. */
const maxUnixSeconds = 253_402_300_799;

/** Plain text without NUL and without halves of surrogate pairs, trimmed; null when it is empty or a block. */
export function text(value: string | Pairs | undefined): string | null {
  if (typeof value !== "string") return null;
  return value.replaceAll("\0", "").toWellFormed().trim() || null;
}

export function lowerText(value: string | Pairs | undefined): string | null {
  return text(value)?.toLowerCase() ?? null;
}

/** Digits only, within the bounds; null otherwise. */
export function integer(value: string | Pairs | undefined, min: number, max: number): number | null {
  const digits = text(value);
  if (digits === null || !/^\d+$/.test(digits)) return null;
  const number = Number(digits);
  return number >= min && number <= max ? number : null;
}

export function id(value: string | Pairs | undefined): number | null {
  return integer(value, 1, maxId);
}

/** Unix seconds as ISO 8601 in UTC. */
export function time(value: string | Pairs | undefined): string | null {
  const seconds = integer(value, 1, maxUnixSeconds);
  return seconds === null ? null : new Date(seconds * 1000).toISOString();
}

export function saysOne(value: string | Pairs | undefined): boolean {
  return text(value) === "1";
}

export function saysTrue(value: string | Pairs | undefined): boolean {
  return saysOne(value) || text(value) === "true";
}

export function child(value: string | Pairs, key: string): string | Pairs | undefined {
  return typeof value === "string" ? undefined : at(value, key);
}

/** Deduplicated, ascending, without nulls. */
export function ascending(ids: (number | null)[]): number[] {
  return [...new Set(ids.filter((value) => value !== null))].sort((left, right) => left - right);
}

/** Of the items of a comma list: trimmed, lower-cased, without empty ones. */
export function commaItems(value: string | Pairs | undefined): string[] {
  return (lowerText(value) ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** The platforms of an `oslist`: windows, macos, linux in that order, then others by name. */
export function platformsOf(oslist: string | Pairs | undefined): string | null {
  const place = (platform: string) => {
    const index = ["windows", "macos", "linux"].indexOf(platform);
    return index === -1 ? platform : ` ${index}`;
  };
  const sorted = [...new Set(commaItems(oslist))].sort((left, right) => (place(left) < place(right) ? -1 : 1));
  return sorted.join(",") || null;
}

/** An object of the pairs that have a value, or null when none has. */
export function objectOf<T>(pairs: [key: string, value: T | null][]): Record<string, T> | null {
  const valued = pairs.filter((pair): pair is [string, T] => pair[1] !== null);
  return valued.length === 0 ? null : Object.fromEntries(valued);
}

/** Sorted by UTF-8 bytes; of equal names the first. */
export function sortedByName<T>(items: T[], nameOf: (item: T) => string): T[] {
  const first = items.filter((item, index) => items.findIndex((other) => nameOf(other) === nameOf(item)) === index);
  return first.sort((left, right) => Buffer.compare(Buffer.from(nameOf(left)), Buffer.from(nameOf(right))));
}

/**
 * The values of a numbered block (`"0" …`, `"1" …`) in numeric order of their keys; other keys are no members of the
 * list.
 */
export function inKeyOrder(block: Pairs): (string | Pairs)[] {
  const numbered = block.filter(([key]) => /^\d+$/.test(key));
  return numbered.sort(([left], [right]) => Number(left) - Number(right)).map(([, value]) => value);
}
