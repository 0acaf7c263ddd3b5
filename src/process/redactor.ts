/** Removal of secrets from texts that are logged, stored or served. */

const hidden = "[hidden]";

/** Shorter values would redact ordinary words. */
const shortestSecretLength = 6;
/** A piece of a key that is as long as this is redacted, too: a gateway may cut off what it repeats. */
const pieceLength = 12;

const secretShapes: [RegExp, string][] = [
  // A JSON member whose name ends in the name of a secret. Its quotes may be escaped: JSON inside a JSON text.
  [
    /((\\*)"[\w.-]*(?:password|secret|api_?key|service_?key|service_role_key|access_?token|authorization|webapi-key)\2"\s*:\s*\2")(?:(?!\2")(?:\\.|[^\\]))*/gi,
    `$1${hidden}`,
  ],
  // A header as plain text.
  [/\b((?:proxy-)?authorization:\s*(?:\w+ )?|(?:x-)?api-?key:\s*)[^\s"'\\<>,;]+/gi, `$1${hidden}`],
  // scheme://user:password@host
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"]*:)[^\s"]+@/gi, `$1${hidden}@`],
  [/([?&](?:key|api_?key|access_token|client_secret|password)=)[^&\s"\\]+/gi, `$1${hidden}`],
  [/\b(bearer )[\w.~+/=-]+/gi, `$1${hidden}`],
  // A JSON web token, and Supabase's newer kind of key.
  [/\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+/g, hidden],
  [/\bsb_secret_[\w-]+/g, hidden],
  // Of webhooks: the key of signatures, and the token in an address of Discord.
  [/\bwhsec_[\w+/=-]+/g, hidden],
  [/(\/api\/(?:v\d+\/)?webhooks\/\d+\/)[\w-]+/g, `$1${hidden}`],
];

export type Redact = (text: string) => string;

/**
 * Returns a function that redacts secrets in a text: by their value, also encoded (JSON, percent, base64) or broken over lines, by pieces of
 * their value, and by their shape.
 */
export function createRedactor(secrets: readonly string[] = []): Redact {
  const windows = windowsOf(secrets);
  return (text) => {
    let clean = redactValues(text, windows);
    for (const [shape, replacement] of secretShapes) clean = clean.replace(shape, replacement);
    return clean;
  };
}

/** A copy of a plain value, such as a parsed JSON document, in which every text is redacted. */
export function redactTexts<T>(value: T, redact: Redact): T {
  if (typeof value === "string") return redact(value) as T;
  if (Array.isArray(value)) return value.map((each) => redactTexts(each, redact)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, redactTexts(each, redact)])) as T;
}

/** Texts of one length to find. */
interface Pieces {
  texts: Set<string>;
  /** 1 for the hash of the first letters of each text: almost every position of a text is passed over without a look at `texts`. */
  beginnings: Uint8Array;
}

/** By length. */
type Windows = ReadonlyMap<number, Pieces>;

function windowsOf(secrets: readonly string[]): Windows {
  const windows = new Map<number, Pieces>();
  for (const secret of secrets.filter(({ length }) => length >= shortestSecretLength)) {
    // A connection string consists of more than its password: pieces of it, such as the host, are no secrets.
    const isWhole = /\s|:\/\//.test(secret);
    for (const form of [secret, ...base64Forms(secret)].map(canonical)) {
      if (form.length < shortestSecretLength) continue;
      const length = isWhole ? form.length : Math.min(form.length, pieceLength);
      const pieces = windows.get(length) ?? { texts: new Set(), beginnings: new Uint8Array(0x10000) };
      windows.set(length, pieces);
      for (let at = 0; at + length <= form.length; at++) {
        pieces.texts.add(form.slice(at, at + length));
        pieces.beginnings[hashAt(form, at)] = 1;
      }
    }
  }
  return windows;
}

/** Of the three letters at a position, as 16 bits. */
function hashAt(text: string, at: number): number {
  return (text.charCodeAt(at) * 1_327 + text.charCodeAt(at + 1) * 37 + text.charCodeAt(at + 2)) & 0xffff;
}

/**
 * Base64 of a text that contains the secret, such as the `user:password` of HTTP Basic. It depends on the secret's position modulo 3; only the
 * characters that no neighbour of the secret changes count.
 */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
}

/** What is skipped or decoded: white space and backslashes, `\n`, `<br>`, `\u002b`, `%2B` (also encoded twice). */
const encoded = /\s+|<\/?\w{1,10}>|\\+(?:u([0-9a-f]{4})|[nrt])?|%(?:25)*([0-9a-f]{2})|[-_]/gi;

/**
 * The text without white space, bare tags, backslashes and percent-encoding, with base64url in the letters of base64: two texts that differ in these
 * alone have the same canonical form.
 */
function canonical(text: string): string {
  return text.replace(encoded, decoded);
}

function decoded(found: string, unicode?: string, percent?: string): string {
  const hex = unicode ?? percent;
  const letter = hex === undefined ? found : String.fromCharCode(Number.parseInt(hex, 16));
  if (letter === "-") return "+";
  if (letter === "_") return "/";
  return hex === undefined ? "" : letter;
}

function redactValues(text: string, windows: Windows): string {
  const found = matches(canonical(text), windows);
  if (found.length === 0) return text;
  const origins = originsOf(text);
  let clean = "";
  let end = 0;
  for (const [from, until] of found) {
    let [start = 0] = origins[from] ?? [];
    // Half of an escape would make the line invalid JSON.
    while (start > end && text[start - 1] === "\\") start -= 1;
    const [, stop = text.length] = origins[until - 1] ?? [];
    clean += text.slice(end, start) + hidden;
    end = stop;
  }
  return clean + text.slice(end);
}

/** Ranges of a canonical text that secrets cover, in order and without overlap. */
function matches(text: string, windows: Windows): [from: number, until: number][] {
  const found: [number, number][] = [];
  for (const [length, { texts, beginnings }] of windows) {
    for (let at = 0; at + length <= text.length; at++) {
      const isLikely = beginnings[hashAt(text, at)] === 1;
      if (isLikely && texts.has(text.slice(at, at + length))) found.push([at, at + length]);
    }
  }
  found.sort(([a], [b]) => a - b);
  const merged: [number, number][] = [];
  for (const [from, until] of found) {
    const last = merged.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], until);
    else merged.push([from, until]);
  }
  return merged;
}

/** The range in the text of each character of its canonical form. */
function originsOf(text: string): [start: number, end: number][] {
  const origins: [number, number][] = [];
  let end = 0;
  const keepUntil = (stop: number) => {
    for (; end < stop; end++) origins.push([end, end + 1]);
  };
  for (const match of text.matchAll(encoded)) {
    keepUntil(match.index);
    const [found, unicode, percent] = match;
    end = match.index + found.length;
    if (decoded(found, unicode, percent) !== "") origins.push([match.index, end]);
  }
  keepUntil(text.length);
  return origins;
}
