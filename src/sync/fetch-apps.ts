import type { ApplyRequest, ClaimedApp } from "../db/catalog-store.ts";
import { SteamError } from "../process/errors.ts";
import type { Pics, ProductInfo } from "../steam/port.ts";
import type { Lease } from "./lease.ts";

export interface FetchedApps extends ProductInfo {
  failed: ApplyRequest["failed"];
  /** Access tokens that Steam granted or (null) denied meanwhile, to be stored. */
  tokens: ApplyRequest["tokens"];
}

/**
 * App info of the claimed apps. Steam sends some apps in full only to a client with an access token:
 *
 * 1. tokens are requested for apps that are known to need one;
 * 2. all apps are requested, with the tokens known by then;
 * 3. tokens are requested for apps that Steam withheld in part;
 * 4. those whose token was granted are requested again.
 *
 * A request that Steam does not answer, or not as promised, fails its apps; any other error is thrown.
 */
export async function fetchApps(pics: Pics, lease: Lease, claimed: readonly ClaimedApp[]): Promise<FetchedApps> {
  const { signal } = lease;
  const tokens = createTokens(pics, claimed, signal);
  const request = (appids: readonly number[]) =>
    pics.productInfo(
      appids.map((appid) => ({ appid, accessToken: tokens.of(appid) })),
      signal,
    );

  let info: ProductInfo;
  try {
    const needed = claimed.filter(({ appid, needs_token }) => needs_token && tokens.of(appid) === null);
    await tokens.request(appidsOf(needed));
    info = await request(appidsOf(claimed));
  } catch (error) {
    return { apps: [], unknown: [], failed: failAll(appidsOf(claimed), error), tokens: tokens.answers };
  }

  const withheld = appidsOf(info.apps.filter((app) => app.missingToken)).filter(tokens.mayRequest);
  if (withheld.length === 0) return { ...info, failed: [], tokens: tokens.answers };
  // Each request may wait for its turn and for its reply; the lease must outlast them.
  await lease.renew();
  try {
    const granted = await tokens.request(withheld);
    const again = granted.length > 0 ? (await request(granted)).apps : [];
    const complete = new Map(again.map((app) => [app.appid, app]));
    const apps = info.apps.map((app) => complete.get(app.appid) ?? app);
    return { ...info, apps, failed: [], tokens: tokens.answers };
  } catch (error) {
    const failed = failAll(withheld, error);
    const apps = info.apps.filter(({ appid }) => !withheld.includes(appid));
    return { ...info, apps, failed, tokens: tokens.answers };
  }
}

/** The access tokens of one batch: those stored, and those requested while it is fetched. */
function createTokens(pics: Pics, claimed: readonly ClaimedApp[], signal: AbortSignal) {
  const known = new Map(claimed.flatMap(({ appid, access_token }) => (access_token ? [[appid, access_token]] : [])));
  /** Not requested (again): denied less than a day ago, or answered for this batch. */
  const settled = new Set(appidsOf(claimed.filter((app) => app.token_denied)));
  const answers: { appid: number; access_token: string | null }[] = [];
  const mayRequest = (appid: number) => !settled.has(appid);

  return {
    /** What Steam answered, in the form in which it is stored. */
    answers,
    mayRequest,
    of: (appid: number) => known.get(appid) ?? null,
    /** Requests tokens, at most once for each app. Returns the apps that were granted one which they did not have. */
    async request(appids: readonly number[]): Promise<number[]> {
      const requested = appids.filter(mayRequest);
      if (requested.length === 0) return [];
      const { granted, denied } = await pics.accessTokens(requested, signal);
      for (const appid of requested) settled.add(appid);
      for (const appid of denied) answers.push({ appid, access_token: null });
      const fresh = [...granted].filter(([appid, token]) => known.get(appid) !== token);
      for (const [appid, access_token] of fresh) {
        known.set(appid, access_token);
        answers.push({ appid, access_token });
      }
      return fresh.map(([appid]) => appid);
    },
  };
}

function failAll(appids: readonly number[], error: unknown): ApplyRequest["failed"] {
  if (!(error instanceof SteamError)) throw error;
  return appids.map((appid) => ({ appid, error: error.message }));
}

const appidsOf = (apps: readonly { appid: number }[]) => apps.map((app) => app.appid);
