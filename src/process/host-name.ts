/**
 * Valve's domains: content servers (`steamcontent.com`), static files (`steamstatic.com`), web APIs (`steampowered.com`)
 * and connection managers (`steamserver.net`).
 */
export const valveDomains = ["steamcontent.com", "steamstatic.com", "steampowered.com", "steamserver.net"] as const;

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
/** At least two labels. The last one starts with a letter, which excludes IPv4 in every notation: decimal, octal, hex. */
const hostName = new RegExp(`^(?:${label}\\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$`);
const maxLength = 253;

/**
 * Whether the text is a DNS host name in lower case and nothing else: no port, path, user, trailing dot, IP address,
 * percent-encoding or character outside `[a-z0-9.-]`.
 */
export function isHostName(text: string): boolean {
  return text.length <= maxLength && hostName.test(text);
}

/**
 * The host of an authority (`host`, `host:port`) in one spelling: lower case, no trailing dot, IPv6 in brackets and compressed. Null when it
 * is none.
 */
export function hostOf(authority: string): string | null {
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d*)?$/i.test(authority)) return null;
  return URL.parse(`http://${authority}`)?.hostname.replace(/\.$/, "") || null;
}

/** @param allowed hosts as {@link hostOf} spells them; with a leading dot, every name below that domain. */
export function isAllowedHost(host: string | null, allowed: readonly string[]): boolean {
  return host !== null && allowed.some((each) => (each.startsWith(".") ? host.endsWith(each) : host === each));
}

/** Whether the host is one of the domains or below one of them. */
export function isInDomains(host: string, domains: readonly string[]): boolean {
  return domains.some((domain) => host === domain || host.endsWith(`.${domain}`));
}
