/**
 * The port to Steam, the only part of this module that others use. `pics.ts` implements it on steam-user; unit tests
 * may implement it in memory.
 *
 * Every call waits until the session is logged on, shares one rate limit with all others, is retried after a reconnect,
 * and has its own time limit per attempt. It throws `signal.reason` when aborted and {@link SteamError} otherwise.
 */
export interface Pics {
  /** Resolves once the session is logged on. */
  ready(signal?: AbortSignal): Promise<void>;

  /** Lists what changed after `since`. `since` 0 returns the current change number and no changes. */
  changesSince(since: number, signal?: AbortSignal): Promise<ChangesSince>;

  /**
   * Change numbers of up to 5,000 apps, without their payloads. Ids that the reply does not mention are in neither
   * list.
   */
  metadata(appids: readonly number[], signal?: AbortSignal): Promise<Metadata>;

  /**
   * The app info of up to a few hundred apps, unparsed. Ids are converted to numbers and deduplicated first. Apps that
   * the reply does not mention are in neither list.
   */
  productInfo(apps: readonly AppRequest[], signal?: AbortSignal): Promise<ProductInfo>;

  /** Access tokens for apps whose public answer said `missing_token`; apps that the reply does not mention are in neither. */
  accessTokens(appids: readonly number[], signal?: AbortSignal): Promise<AccessTokens>;

  /** English names of store tags; ids without a name are left out. Names are trimmed and never empty. */
  tagNames(tagIds: readonly number[], signal?: AbortSignal): Promise<Map<number, string>>;

  /**
   * English names of all store categories (features such as Single-player), as Steam shows them: one request, the
   * method that is also `IStoreBrowseService/GetStoreCategories/v1` of the Web API. Names as for tags. Not verified
   * against live Steam.
   */
  categoryNames(signal?: AbortSignal): Promise<Map<number, string>>;

  /** A plain snapshot. */
  status(): SteamStatus;
}

export interface ChangesSince {
  currentChangeNumber: number;
  /** Where Steam counted from; differs from the requested number when its list does not go back that far. */
  sinceChangeNumber: number;
  forceFullUpdate: boolean;
  forceFullAppUpdate: boolean;
  apps: { appid: number; changeNumber: number; needsToken: boolean }[];
  /** App changes that the reply names, those with an id that is none included. */
  appsNamed: number;
  /** Package changes that the reply names. */
  packages: number;
}

export interface Metadata {
  /** `needsToken`: Steam would withhold a part of the app info from a request without an access token. */
  apps: { appid: number; changeNumber: number; needsToken: boolean }[];
  /** Ids that are unknown to Steam. */
  unknown: number[];
}

export interface AppRequest {
  appid: number;
  /** Unsigned 64-bit as text. */
  accessToken?: string | null;
}

export interface ProductInfo {
  apps: AppPayload[];
  unknown: number[];
}

/** One app of a product info reply, with either its text or the reason why there is none. */
export interface AppPayload {
  appid: number;
  changeNumber: number;
  /** Steam withholds sections from a request without an access token. */
  missingToken: boolean;
  /** The answer holds public sections only. */
  onlyPublic: boolean;
  /** Text KeyValues without the trailing NUL; null when Steam sent none. */
  text: string | null;
  /** The bytes that the text was decoded from. They may not be UTF-8. */
  bytes: Buffer | null;
  /** Why there is no text (no buffer, HTTP fetch failed); null when there is one. */
  error: string | null;
}

export interface AccessTokens {
  granted: Map<number, string>;
  denied: number[];
}

export interface SteamStatus {
  connected: boolean;
  connected_since: string | null;
  reconnect_attempts: number;
  /** Of the last connection or attempt that ended; it stays when the next succeeds. */
  last_error: string | null;
  /** ISO 8601. Absent in the reports of older workers, as are the next two. */
  last_error_at?: string | null;
  /** First failure since it was last connected; null while it is connected, and before any failure. */
  away_since?: string | null;
  /** Null while it is connected or tries. */
  next_attempt_at?: string | null;
  /** Requests sent so far, by kind. */
  requests: Record<RequestKind, number>;
}

export const requestKinds = [
  "changes",
  "metadata",
  "product_info",
  "access_tokens",
  "tag_names",
  "category_names",
  "http_payload",
] as const;
export type RequestKind = (typeof requestKinds)[number];
/** Requests over the connection to Steam, which share one rate limit. */
export type SteamRequestKind = Exclude<RequestKind, "http_payload">;

/** Result of a request: an answer, a {@link SteamFault} of one request, or aborted by the caller. */
export const requestResults = ["ok", "disconnected", "timeout", "protocol", "aborted"] as const;
export type RequestResult = (typeof requestResults)[number];
