import { z } from "zod";

/** Types of parameters. The message of each says what a value must be; validation.ts adds the parameter, the value and what is near it. */

export function int(min: number, max: number) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z.int(rule).min(min, rule).max(max, rule);
}

export function flag() {
  return z.boolean("must be true or false");
}

/** One line of text: Postgres rejects NUL, and no name contains other control characters. */
export function line(longest: number) {
  const rule = `must be 1 to ${longest} characters of text, without control characters`;
  return z
    .string(rule)
    .min(1, rule)
    .max(longest, rule)
    .regex(/^\P{Cc}*$/u, rule);
}

/** A date or a time; a date is its first moment in UTC. */
export function time() {
  const rule = "must be a date or a time, such as 2026-07-01 or 2026-07-01T12:00:00Z";
  return z.union([z.iso.datetime({ offset: true }), z.iso.date()], rule);
}

export function oneOf<const Name extends string>(names: readonly Name[]) {
  return z.enum(names, `must be ${listed(names)}`);
}

/** Lists whose values may also be joined by commas: none of them contains one. */
const joined = new WeakSet<z.ZodType>();
export const isJoined = (type: z.ZodType) => joined.has(type);

/** A parameter that may be repeated. */
export function list<Item extends z.ZodType>(item: Item, most: number) {
  return z.array(item).max(most, `takes at most ${most} values`);
}

/** A parameter that may be repeated, or given once with its values joined by commas. */
export function joinedList<Item extends z.ZodType>(item: Item, most: number) {
  const type = list(item, most);
  joined.add(type);
  return type;
}

function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} or ${last}`;
}
