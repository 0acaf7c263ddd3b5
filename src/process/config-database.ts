import { kind } from "./config-values.ts";
import { isInDomains } from "./host-name.ts";

/**
 * Types of the variables that name the database. What is commonly pasted in place of each is recognised, and the message says what belongs
 * there. No message repeats the value: any of them may hold a password or a key.
 */

/** Hosts of Supabase's own projects, by their API or by their database and pooler. */
export const supabaseDomains = ["supabase.co", "pooler.supabase.com"];

const projectUrl = "https://REF.supabase.co";

/**
 * URL of a Supabase project, without `/rest/v1` and trailing slashes. A path before these is kept: a self-hosted project may have one.
 */
export function supabaseUrl() {
  return kind(`must be the project's URL, ${projectUrl}`, readSupabaseUrl, explainSupabaseUrl);
}

function readSupabaseUrl(given: string): string | undefined {
  const url = URL.parse(given);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return undefined;
  if (isDashboard(url) || isDatabaseHost(url)) return undefined;
  return `${url.origin}${url.pathname.replace(/\/+$/, "").replace(/\/rest(\/v1)?$/, "")}`;
}

function explainSupabaseUrl(given: string): string | null {
  if (/^https?:.*@/i.test(given)) return `must not have a user or password; the project's URL is ${projectUrl}`;
  if (/^\w*postgres\w*:|@|\bpassword=/i.test(given)) {
    return `is a connection string: that is a DATABASE_URL; the project's URL is ${projectUrl}`;
  }
  if (/^(eyJ|sb_)/.test(given)) return `is a key; the project's URL is ${projectUrl}`;
  const url = URL.parse(given) ?? URL.parse(`https://${given}`);
  if (url && isDashboard(url)) {
    const [, reference = "REF"] = /\/project\/([a-z]{20})(?:\/|$)/.exec(url.pathname) ?? [];
    return `is an address of Supabase's dashboard; the project's URL is https://${reference}.supabase.co`;
  }
  if (url && isDatabaseHost(url)) return `names the host of the database; the project's URL is ${projectUrl}`;
  return URL.parse(given) ? null : `has no https:// in front; the project's URL is ${projectUrl}`;
}

const isDashboard = ({ hostname }: URL) => ["supabase.com", "www.supabase.com", "app.supabase.com"].includes(hostname);
const isDatabaseHost = ({ hostname }: URL) =>
  /^db\.[a-z]+\.supabase\.co$/.test(hostname) || isInDomains(hostname, ["pooler.supabase.com"]);

/** Key of the service role: a JWT, or `sb_secret_…`. */
export function serviceKey() {
  const read = (given: string) => (faultOfKey(given) === null ? given : undefined);
  return kind("must be the key of the service role", read, faultOfKey);
}

const neededKey = "the secret key (sb_secret_…) or the service_role key is needed";

function faultOfKey(given: string): string | null {
  if (!/^[!-~]+$/.test(given)) return "has a line break, a space or a character that no key has: paste it as one line";
  if (/^["'`]/.test(given)) return "begins with a quote: remove it";
  if (given.includes("://")) return `is a URL; ${neededKey}`;
  if (given.startsWith("sb_publishable_")) return `is the publishable key, which may only read; ${neededKey}`;
  const role = claimsOf(given)?.role;
  if (role === "anon") return `is the anon key, which may only read; ${neededKey}`;
  return role === "authenticated" ? `is the token of a signed-in user; ${neededKey}` : null;
}

/** Claims of a JWT, not verified; null for any other text. */
function claimsOf(token: string): Record<string, unknown> | null {
  const [header, payload, signature, ...more] = token.split(".");
  if (!header || !payload || signature === undefined || more.length > 0) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    return typeof claims === "object" && claims !== null ? { ...claims } : null;
  } catch {
    return null;
  }
}

/** Whether the key says that it belongs to another hosted project than the one at the URL. Newer keys do not say. */
export function isKeyOfAnotherProject(key: string, url: string): boolean {
  const project = claimsOf(key)?.ref;
  const { hostname } = new URL(url);
  return typeof project === "string" && hostname.endsWith(".supabase.co") && hostname !== `${project}.supabase.co`;
}

/** Connection string of Postgres. */
export function databaseUrl() {
  return kind(
    "must be a connection string, postgres://user:password@host:port/database",
    (given) => (isConnectionString(given) && faultOfPlaceholder(given) === null ? given : undefined),
    (given) => (/^postgres(ql)?:\/\//i.test(given) ? (faultOfPlaceholder(given) ?? unencoded(given)) : null),
  );
}

/**
 * A `/`, `#` or `?` in a password ends the host there, so that its rest, with the `@`, becomes path, fragment or query. An `@` in it is
 * unambiguous: the last one counts.
 */
function isConnectionString(given: string): boolean {
  const url = URL.parse(given);
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.hash || given.includes("#")) return false;
  if (url.pathname.includes("@") || /^\?[^=]*@/.test(url.search)) return false;
  return [url.username, url.password, url.pathname].every(isPercentEncoded);
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** What Supabase's dashboard writes in place of the password. */
function faultOfPlaceholder(given: string): string | null {
  return /:\[?YOUR[-_]PASSWORD\]?@/i.test(given) ? "has a placeholder where the password belongs" : null;
}

function unencoded(given: string): string | null {
  if (!given.includes("@")) return null;
  return "cannot be read: percent-encode what is no letter or digit in its user and password (@ is %40, # %23, / %2F, ? %3F, % %25)";
}
