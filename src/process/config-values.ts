import { z } from "zod";
import { hostOf, isHostName } from "./host-name.ts";
import { int32Max } from "./limits.ts";

/**
 * Types of environment variables. Each has a rule in words and a parser of the trimmed text, which returns undefined when the rule is
 * broken.
 */

/** Rate limit: at most `count` requests in any period of `periodMs`. Written `200/5minutes`. */
export interface RateLimit {
  count: number;
  periodMs: number;
}

/** Longest delay of a Node timer: longer ones become 1 ms. */
const maxSeconds = Math.floor(int32Max / 1_000);

/** @param explain what is wrong with a value that broke the rule, as a predicate that follows the name; null when only the rule is known. */
export function kind<T>(
  rule: string,
  read: (text: string) => T | undefined,
  explain: (text: string) => string | null = () => null,
) {
  return z.string().transform((given, context): T => {
    const text = given.trim();
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: (isQuoted(text) ? quoted : explain(text)) ?? rule });
    return z.NEVER;
  });
}

/** `docker run --env-file` keeps quotes, which a shell and a .env file remove. */
const isQuoted = (text: string) => text.length > 1 && /^(["'`]).*\1$/s.test(text);
const quoted = "is in quotes: remove them";

export function text() {
  return kind("must be text without line breaks", (given) => (/\p{Cc}/u.test(given) ? undefined : given));
}

/** A key as services issue them: one word that an HTTP header can carry. */
export function key() {
  return kind(
    "must be one line without spaces: it has a line break, a space or a character that no key has",
    (given) => (/^[!-~]+$/.test(given) && !isQuoted(given) ? given : undefined),
  );
}

const minApiKeyLength = 16;
const makeKey = "`openssl rand -hex 32` makes a good one";

/** The key that this service asks for. It must be hard to guess, and one word that an HTTP header can carry. */
export function apiKey() {
  const explain = (given: string) => {
    if (!/^[!-~]+$/.test(given)) return `must be letters, digits and signs of ASCII without spaces; ${makeKey}`;
    if (given.length < minApiKeyLength) return `must have at least ${minApiKeyLength} characters; ${makeKey}`;
    return isPlaceholder(given) ? `is a placeholder or easy to guess; ${makeKey}` : null;
  };
  return kind("must be a key", (given) => (explain(given) === null && !isQuoted(given) ? given : undefined), explain);
}

/** What examples write in place of a key; a key of few different letters. */
function isPlaceholder(given: string): boolean {
  const isExample =
    /^<.*>$|^\[.*\]$|[$]?\{.*\}|change.?(me|this)|your.?(own.?)?(api.?)?(key|secret|token|password)|^(example|placeholder)/i;
  return isExample.test(given) || new Set(given).size < 5 || /^(.{1,8}?)\1+.{0,7}$/.test(given);
}

export function choice<const Name extends string>(names: readonly Name[], aliases: Record<string, Name> = {}) {
  return kind(`must be one of ${names.join(", ")}`, (given) => {
    const lower = given.toLowerCase();
    return names.find((name) => name === lower) ?? aliases[lower];
  });
}

export function flag() {
  return kind("must be true or false (on or off, 1 or 0)", (given) => {
    if (/^(true|on|1)$/i.test(given)) return true;
    return /^(false|off|0)$/i.test(given) ? false : undefined;
  });
}

export function int(min: number, max: number) {
  return kind(`must be a whole number from ${min} to ${max}`, (given) =>
    /^\d+$/.test(given) ? inRange(Number(given), min, max) : undefined,
  );
}

export function fraction(min: number, max: number) {
  return kind(`must be a number from ${min} to ${max}`, (given) =>
    /^(\d+\.?\d*|\.\d+)$/.test(given) ? inRange(Number(given), min, max) : undefined,
  );
}

export function seconds(min: number) {
  return kind(`must be seconds, a number from ${min} to ${maxSeconds}`, (given) => {
    const value = /^(\d+\.?\d*|\.\d+)$/.test(given) ? inRange(Number(given), min, maxSeconds) : undefined;
    return value === undefined ? undefined : Math.round(value * 1000);
  });
}

function inRange(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}

/** Proxy URL. Only http:// and https:// are supported. */
export function proxy() {
  return kind("must be a proxy's URL that starts with http:// or https://", (given) => {
    return /^https?:$/.test(URL.parse(given)?.protocol ?? "") ? given : undefined;
  });
}

/** Comma-separated origins as browsers send them, or `*`. */
export function origins() {
  return kind("must be * or origins such as https://example.org, with commas", (given) => {
    const list = given.split(",").map((origin) => origin.trim());
    const isOrigin = (text: string) =>
      /^https?:$/.test(URL.parse(text)?.protocol ?? "") && URL.parse(text)?.origin === text;
    return list.every((origin) => isOrigin(origin) || (origin === "*" && list.length === 1)) ? list : undefined;
  });
}

/** Comma-separated hosts: names, IPv4, IPv6 in brackets; a port is ignored; `.example.org` and `*.example.org` are all names below it. */
export function hosts() {
  return kind("must be host names such as example.org or *.example.org, with commas, without https://", (given) => {
    const list = given.split(",").map((each) => {
      const [, wildcard = "", authority = ""] = /^(\*?\.)?(.*)$/.exec(each.trim()) ?? [];
      const host = hostOf(authority);
      return host === null ? null : `${wildcard && "."}${host}`;
    });
    return list.every((host) => host !== null) ? list : undefined;
  });
}

/** Comma-separated domains, in lower case. */
export function domains() {
  return kind("must be domains such as steamcontent.com, with commas", (given) => {
    const list = given.split(",").map((domain) => domain.trim().toLowerCase());
    return list.every(isHostName) ? list : undefined;
  });
}

/** Comma-separated words in lower case, each once. */
export function words(example: string) {
  return kind(`must be words such as ${example}, with commas`, (given) => {
    const list = given.split(",").map((word) => word.trim().toLowerCase());
    return list.every((word) => /^[a-z][a-z0-9_-]*$/.test(word)) ? [...new Set(list)] : undefined;
  });
}

const unitMs: Record<string, number> = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

export function rateLimit() {
  return kind("must be a limit such as 60/minute or 200/5minutes (second, minute, hour, day)", (given) => {
    const [, count, periods, unit] = /^(\d+)\/(\d*)(second|minute|hour|day)s?$/i.exec(given) ?? [];
    const limit: RateLimit = {
      count: Number(count),
      periodMs: Number(periods || 1) * (unitMs[unit?.toLowerCase() ?? ""] ?? 0),
    };
    return limit.count >= 1 && limit.periodMs > 0 ? limit : undefined;
  });
}
