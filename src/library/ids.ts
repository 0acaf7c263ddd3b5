/**
 * A user id or execution id. It becomes part of a path, so it must not traverse it: no leading dot, no `..`, no slash.
 */
export const userIdPattern = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._@|:+-]{0,199}$/;
/** The rule of {@link userIdPattern} in words; it follows the name of a field. */
export const userIdRule = "must be letters, digits and . _ @ | : + -, beginning with a letter or digit, without ..";

/** A Steam profile, as people name it: by an id, or by the custom name of its address. */
export type Profile = { steamId64: string } | { customName: string };

/** SteamID64 of account 0: universe 1 (public), type 1 (individual), instance 1. The account's number is added to it. */
const base = 76_561_197_960_265_728n;
const maxAccount = 2n ** 32n - 1n;
/** First and last SteamID64 of an individual account; many do not begin with 7656119. */
const range = `${base + 1n} to ${base + maxAccount}`;

const forms =
  "a SteamID64 (76561197960287930), the profile's address (https://steamcommunity.com/profiles/76561197960287930 or " +
  "https://steamcommunity.com/id/name), its custom name (name), STEAM_0:0:11101 or [U:1:22202]";

/** Letters, digits, `_` and `-`. Steam's form takes 3 to 32 of them; the limits here only keep out what is no name. */
const customNamePattern = /^[A-Za-z0-9_-]{2,64}$/;
const profileHosts = ["steamcommunity.com", "www.steamcommunity.com"];

/**
 * Reads any form in which people copy a Steam profile: a SteamID64, the address of a profile (any page of it, with or
 * without scheme), a custom name, `STEAM_X:Y:Z` or `[U:1:N]`. White space around it is ignored. A SteamID64 is an id
 * wherever it stands, although a user may have chosen it as a custom name.
 *
 * @returns the profile, or what is wrong as a predicate that follows the name of the field or option.
 */
export function parseProfile(given: string): Profile | { fault: string } {
  const text = given.trim();
  const page = pageOf(text);
  if (page === null) return idOf(text) ?? customNameOf(text) ?? notAProfile;
  const [kind, name = ""] = page;
  if (kind === "profiles") return idOf(name) ?? notAProfile;
  if (kind !== "id") return notAProfile;
  // An address says that it is a name: a number that is no SteamID64 is one, too.
  const id = idOf(name);
  return id && !("fault" in id) ? id : (customNameOf(name) ?? notAProfile);
}

const notAProfile = { fault: `must be ${forms}` };

/** First two parts of the path of a profile's address, decoded; null for any other text. */
function pageOf(text: string): [kind: string, name: string | undefined] | null {
  const url = URL.parse(/^https?:\/\//i.test(text) ? text : `https://${text}`);
  if (url === null || !profileHosts.includes(url.hostname)) return null;
  const [kind = "", name] = url.pathname.split("/").filter((part) => part !== "");
  return [kind.toLowerCase(), name === undefined ? undefined : decoded(name)];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Null when the text has no form of an id; a fault when it has, and its number belongs to no individual account. */
function idOf(text: string): { steamId64: string } | { fault: string } | null {
  const account = accountOf(text);
  if (account === null) return null;
  if (account >= 1n && account <= maxAccount) return { steamId64: String(base + account) };
  return { fault: `must be the id of a person's account: as a SteamID64, ${range}` };
}

/** The account's number in any form of an id; null for any other text. Source: Valve's wiki, SteamID. */
function accountOf(text: string): bigint | null {
  if (/^\d+$/.test(text)) return BigInt(text) - base;
  // The universe, X, is 0 in games of the Source engine of 2004 and 1 in later ones, for the same accounts.
  const [, lowBit, rest] = /^STEAM_[01]:([01]):(\d{1,10})$/i.exec(text) ?? [];
  if (lowBit !== undefined && rest !== undefined) return BigInt(rest) * 2n + BigInt(lowBit);
  const [, account] = /^\[U:1:(\d{1,10})(?::1)?\]$/i.exec(text) ?? /^U:1:(\d{1,10})(?::1)?$/i.exec(text) ?? [];
  return account === undefined ? null : BigInt(account);
}

function customNameOf(text: string): { customName: string } | null {
  return customNamePattern.test(text) ? { customName: text } : null;
}
