/** An id that names a folder must not be able to leave it, so it neither begins with a dot nor holds `..` or a slash. */
export const userIdPattern = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._@|:+-]{0,199}$/;

/** A SteamID64 of a person's account: universe 1, type 1. */
export const steamId64Pattern = /^7656119\d{10}$/;
