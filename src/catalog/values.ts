import { emptyBlock, type KeyValues } from "./key-values.ts";

/**
 * Tolerant readers of single values. None throws: an invalid value reads as `null`, `false` or empty, also a block in
 * the place of a text and a text in the place of a block.
 */

export type Value = string | KeyValues | undefined;

/** The largest app id, and the largest id of anything else: a Postgres `int`. */
export const maxId = 2_147_483_647;
/** 9999-12-31T23:59:59Z, the last second that ISO 8601 writes with four digits of year. */
const maxTimeSeconds = 253_402_300_799;

/**
 * A text that Postgres accepts as text and inside jsonb: without NUL, lone surrogates replaced by U+FFFD, trimmed (as
 * `String.trim` defines white space: zero-width spaces and joiners stay). Empty is `null`.
 */
export function text(value: Value): string | null {
  if (typeof value !== "string") return null;
  const clean = value.includes("\0") ? value.replaceAll("\0", "") : value;
  return clean.toWellFormed().trim() || null;
}

export function lowerText(value: Value): string | null {
  return text(value)?.toLowerCase() ?? null;
}

/** An integer from `min` to `max` in decimal digits only: `05` is 5, while `+5`, `5.0` and `0x5` are null. */
export function int(value: Value, min: number, max: number): number | null {
  if (value === undefined) return null;
  const digits = text(value);
  if (digits === null || !/^\d+$/.test(digits)) return null;
  const number = Number(digits);
  return number >= min && number <= max ? number : null;
}

/** An id of an app, tag, genre, … */
export function id(value: Value): number | null {
  return int(value, 1, maxId);
}

/** Unix seconds as ISO 8601 in UTC. Steam writes 0 for "none". */
export function time(value: Value): string | null {
  const seconds = int(value, 1, maxTimeSeconds);
  return seconds === null ? null : isoTime(seconds);
}

const secondsPerDay = 86_400;
const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, "0"));
/** `2026-11-28T` by day since 1970. An app has a dozen times, and looking a date up takes a quarter of the time of writing it. */
const dates = new Map<number, string>();
/** Times come from outside. */
const maxDates = 10_000;

function isoTime(seconds: number): string {
  const ofDay = seconds % secondsPerDay;
  const day = (seconds - ofDay) / secondsPerDay;
  let date = dates.get(day);
  if (date === undefined) {
    date = new Date(day * secondsPerDay * 1_000).toISOString().slice(0, 11);
    if (dates.size === maxDates) dates.clear();
    dates.set(day, date);
  }
  const minutes = Math.floor(ofDay / 60);
  return `${date}${twoDigits[Math.floor(minutes / 60)]}:${twoDigits[minutes % 60]}:${twoDigits[ofDay % 60]}.000Z`;
}

/** Whether Steam set a flag: `1`. */
export function flag(value: Value): boolean {
  return text(value) === "1";
}

/** A block; empty when there is none. */
export function block(value: Value): KeyValues {
  return typeof value === "object" ? value : emptyBlock;
}

/** The values of a list (`{ "0" "19" "1" "492" … }`) in the order of their keys as numbers; other keys come last. */
export function listed(value: Value): Value[] {
  const found: { position: number; item: Value }[] = [];
  block(value).each((key, item) => {
    found.push({ position: /^\d+$/.test(key) ? Number(key) : Number.MAX_VALUE, item });
  });
  return found.sort((a, b) => a.position - b.position).map(({ item }) => item);
}

/** The valid ids among values, deduplicated, in their order. */
export function ids(values: readonly Value[]): number[] {
  return unique(values.map(id));
}

/** Deduplicated, without `null`. */
export function unique<T>(values: readonly (T | null)[]): T[] {
  return [...new Set(values)].filter((value) => value !== null);
}

/** Null in place of an empty list. */
export function orNull<T>(list: T[]): T[] | null {
  return list.length > 0 ? list : null;
}

/** The items of a comma list, lower-cased and trimmed. */
export function commaList(value: Value): string[] {
  return (lowerText(value) ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Steam's name of a language (`english`, `sc_schinese`). Keys such as `#lang_russian` or `german;` are mistakes of publishers. */
export function languageKey(key: string): string | null {
  return /^[a-z_]+$/.test(key) ? key : null;
}

/** The texts of a block by key, without the keys and values that read as null; null when none is left. */
export function texts(
  value: Value,
  keyOf: (key: string) => string | null,
  read: (value: Value) => string | null = text,
): Record<string, string> | null {
  const found = new Map<string, string>();
  block(value).each((_, item, written) => {
    const key = keyOf(written);
    const content = key === null ? null : read(item);
    if (key !== null && content !== null && !found.has(key)) found.set(key, content);
  });
  return found.size === 0 ? null : Object.fromEntries(found);
}

/** The platforms of an `oslist` (`android,macos, windows`): windows, macos, linux in that order, then others by name. */
export function platforms(oslist: Value): string | null {
  const named = unique(commaList(oslist));
  const usual = ["windows", "macos", "linux"];
  const others = named.filter((platform) => !usual.includes(platform)).sort();
  return [...usual.filter((platform) => named.includes(platform)), ...others].join(",") || null;
}
