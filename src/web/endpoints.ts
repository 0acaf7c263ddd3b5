import type { RateLimit } from "../process/config-values.ts";

/**
 * The web APIs in use and the rate limit of each.
 *
 * Sources: Steam Web API Terms of Use (100,000 calls a day); SteamSpy's API page (one request a second, `all` one a minute);
 * IGDB's documentation (four requests a second, eight open). The numbers come from the configuration.
 */
export type Endpoint = "steam_web_api" | "steam_store_api" | "steamspy" | "steamspy_all" | "igdb" | "twitch";

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
  /** The meaning of a 403 that no 429 preceded: this address is blocked, or the key is rejected. */
  forbidden: "blocked" | "denied";
  /** Maximum of concurrent requests; unlimited if absent. */
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

/** The name of each limit, and whether its requests are paced instead of sent in bursts. */
export const limitRules: Readonly<Record<keyof WebLimits, { name: string; isPaced: boolean }>> = {
  steamWebApi: { name: "steam_web_api", isPaced: false },
  steamStoreApi: { name: "steam_store_api", isPaced: false },
  // SteamSpy asks for one request a second, not for sixty at once.
  steamSpy: { name: "steamspy", isPaced: true },
  steamSpyAll: { name: "steamspy_all", isPaced: false },
  igdb: { name: "igdb", isPaced: false },
};
