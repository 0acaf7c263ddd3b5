/**
 * The web APIs that the service asks, each with what it tolerates.
 *
 * Sources: Steam Web API Terms of Use (100,000 calls a day); SteamSpy's API page (one request a second, `all` one a minute);
 * IGDB's documentation (four requests a second, eight open). The numbers come from the configuration.
 */
export type Endpoint = "steam_web_api" | "steam_store_api" | "steamspy" | "steamspy_all" | "igdb" | "twitch";

/** So many requests in a period. */
export interface RateLimit {
  count: number;
  periodMs: number;
}

export interface WebLimits {
  steamWebApi: RateLimit;
  steamStoreApi: RateLimit;
  steamSpy: RateLimit;
  steamSpyAll: RateLimit;
  igdb: RateLimit;
}

export interface EndpointRules {
  /** Every request counts against all of these. */
  limits: readonly (keyof WebLimits)[];
  /** Endpoints of one server are paused together. */
  server: "steam" | "store" | "steamspy" | "igdb" | "twitch";
  /** What a 403 says: this address is blocked, or the key is refused. */
  forbidden: "blocked" | "denied";
  /** How many requests may be open at the same time; any number where not given. */
  maxOpen?: number;
}

export const endpoints: Readonly<Record<Endpoint, EndpointRules>> = {
  steam_web_api: { limits: ["steamWebApi"], server: "steam", forbidden: "denied" },
  steam_store_api: { limits: ["steamStoreApi"], server: "store", forbidden: "blocked" },
  steamspy: { limits: ["steamSpy"], server: "steamspy", forbidden: "blocked" },
  steamspy_all: { limits: ["steamSpyAll", "steamSpy"], server: "steamspy", forbidden: "blocked" },
  igdb: { limits: ["igdb"], server: "igdb", forbidden: "denied", maxOpen: 8 },
  twitch: { limits: [], server: "twitch", forbidden: "denied" },
};

/** How each limit is kept. */
export const limitRules: Readonly<Record<keyof WebLimits, { name: string; even: boolean }>> = {
  steamWebApi: { name: "steam_web_api", even: false },
  steamStoreApi: { name: "steam_store_api", even: false },
  // One request a second is what SteamSpy asks for, not sixty at once.
  steamSpy: { name: "steamspy", even: true },
  steamSpyAll: { name: "steamspy_all", even: false },
  igdb: { name: "igdb", even: false },
};
