/**
 * A parser for text KeyValues, the form in which PICS sends an app: `"appinfo" { "appid" "10" "common" { … } }`.
 *
 * Hand-written, since positions of faults, escapes and the order of keys matter here and no published parser gets all
 * of them right: kvparser turns `\n` into `n`, fast-vdf does not decode escapes and ends a string at `\\"` too late.
 * It is also the fastest of them (`bench/key-values.ts`). Skipping the sections that are not used was measured too: 1.5
 * times faster, which is a few microseconds per app and not worth a second code path.
 */

/**
 * A block: keys in the order of the text, each once, with a text or another block.
 *
 * Keys such as `__proto__` are ordinary keys, and numeric ones are not reordered. Texts are slices of the parsed text,
 * and V8 keeps all of it in memory as long as one longer slice is in use: copy a text to keep it.
 */
export interface KeyValues {
  readonly size: number;
  /** The value of a key, whatever its case in the text; `key` itself must be in lower case. */
  get(key: string): string | KeyValues | undefined;
  /** Keys as they are written. */
  entries(): [key: string, value: string | KeyValues][];
  /** Visits all keys, in lower case and as they are written: without the arrays of `entries`. */
  each(visit: (key: string, value: string | KeyValues, written: string) => void): void;
}

/** KeyValues as JSON. */
export interface KeyValuesJson {
  [key: string]: string | KeyValuesJson;
}

/**
 * A block as a plain object, keys as they are written; a key such as `__proto__` is an ordinary one. JSON objects hand out
 * numeric keys first and in numeric order, which is the order in which Steam writes most of them.
 */
export function keyValuesToJson(tree: KeyValues): KeyValuesJson {
  return Object.fromEntries(
    tree.entries().map(([key, value]) => [key, typeof value === "string" ? value : keyValuesToJson(value)]),
  );
}

/** Text that is not KeyValues: truncated, unbalanced, or with an unquoted token. */
export class KeyValuesError extends Error {
  override readonly name = "KeyValuesError";
  /** Position of the fault, in UTF-16 units from 0. */
  readonly offset: number;
  /** Line of the fault, from 1. */
  readonly line: number;

  constructor(problem: string, text: string, offset: number) {
    const line = text.slice(0, offset).split("\n").length;
    super(`${problem} at line ${line}, offset ${offset}`);
    this.offset = offset;
    this.line = line;
  }
}

class Block implements KeyValues {
  /** By key in lower case. */
  readonly #values = new Map<string, string | Block>();
  /** Lower case → as written, for the few keys where the two differ. */
  #written: Map<string, string> | null = null;

  get size(): number {
    return this.#values.size;
  }

  get(key: string): string | Block | undefined {
    return this.#values.get(key);
  }

  entries(): [string, string | Block][] {
    const written = this.#written;
    const entries = [...this.#values];
    return written === null ? entries : entries.map(([key, value]) => [written.get(key) ?? key, value]);
  }

  each(visit: (key: string, value: string | Block, written: string) => void): void {
    const written = this.#written;
    for (const [key, value] of this.#values) visit(key, value, written?.get(key) ?? key);
  }

  /** Ignores a key that the block already has. */
  add(key: string, value: string | Block): void {
    const folded = lowerCased(key);
    if (this.#values.has(folded)) return;
    this.#values.set(folded, value);
    if (folded === key) return;
    this.#written ??= new Map();
    this.#written.set(folded, key);
  }
}

/** ASCII letters only: no other letter has a second case for Valve's readers. */
function lowerCased(key: string): string {
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    if (code >= upperA && code <= upperZ) return key.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  }
  return key;
}

export const emptyBlock: KeyValues = new Block();

/** Real payloads have up to 6 levels. The limit keeps recursive readers safe. */
const maxDepth = 100;

const quote = 0x22;
const upperA = 0x41;
const upperZ = 0x5a;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Parses one root block, every token quoted, as PICS writes it.
 *
 * - Escapes `\"`, `\\`, `\n` and `\t` are decoded; a backslash before anything else stays as it is, and so do raw
 *   newlines, carriage returns and tabs inside quotes.
 * - Of repeated keys the first one wins, text or block, and blocks are not merged. Keys are equal without regard to the
 *   case of ASCII letters. Valve's reader does the same (`KeyValues` of the public Source SDK: `RecursiveLoadFromBuffer`
 *   appends every key, `FindKey` returns the first that matches, and its symbols compare without case), and so does
 *   SteamKit's indexer. Real texts have `"releasestate" "Released"` before `"releasestate" "released"`.
 * - NUL outside of quotes is white space, since the wire ends a text with one.
 *
 * @returns a map with one entry, the root key and its block.
 * @throws {KeyValuesError} with the position of an unterminated string (its opening quote), a missing or stray brace, a
 * key without a value, an unquoted token, text after the root block, or a block nested too deep.
 */
export function parseKeyValues(text: string): KeyValues {
  const root = new Block();
  const open: Block[] = [];
  let here = root;
  let key: string | null = null;
  /** Of the next backslash; -1 for none. */
  let nextEscape = text.indexOf("\\");

  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const end = closingQuote(text, at);
        let token = text.slice(at + 1, end);
        if (nextEscape !== -1 && nextEscape < end) {
          token = decoded(token);
          nextEscape = text.indexOf("\\", end);
        }
        if (here === root && (key !== null || root.size > 0)) throw new KeyValuesError("Expected one block", text, at);
        if (key === null) key = token;
        else {
          here.add(key, token);
          key = null;
        }
        at = end;
        break;
      }
      case openBrace: {
        if (key === null) throw new KeyValuesError("Block without a key", text, at);
        if (open.length === maxDepth) throw new KeyValuesError(`Blocks nested deeper than ${maxDepth}`, text, at);
        const block = new Block();
        here.add(key, block);
        open.push(here);
        here = block;
        key = null;
        break;
      }
      case closeBrace: {
        const outer = open.pop();
        if (outer === undefined) throw new KeyValuesError("Stray closing brace", text, at);
        if (key !== null) throw new KeyValuesError("Key without a value", text, at);
        here = outer;
        break;
      }
      case 0x20:
      case 0x09:
      case 0x0a:
      case 0x0d:
      case 0x00:
        break;
      default:
        throw new KeyValuesError("Text outside of quotes", text, at);
    }
  }

  if (open.length > 0) throw new KeyValuesError("Missing closing brace", text, text.length);
  if (root.size === 0) throw new KeyValuesError("No block", text, text.length);
  return root;
}

/**
 * Offset of the quote that ends the string opened at `start`: the first with an even number of backslashes before it.
 */
function closingQuote(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end === -1) throw new KeyValuesError("Unterminated string", text, start);
    let before = end - 1;
    while (text.charCodeAt(before) === backslash) before--;
    if ((end - before) % 2 === 1) return end;
  }
}

function decoded(token: string): string {
  return token.replace(/\\(["\\nt])/g, (_, code: string) => (code === "n" ? "\n" : code === "t" ? "\t" : code));
}
