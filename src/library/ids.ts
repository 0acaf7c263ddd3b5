/**
 * A user id or execution id. It becomes part of a path, so it must not traverse it: no leading dot, no `..`, no slash.
 */
export const userIdPattern = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._@|:+-]{0,199}$/;

/** The SteamID64 of an individual account: universe 1, account type 1. */
export const steamId64Pattern = /^7656119\d{10}$/;
