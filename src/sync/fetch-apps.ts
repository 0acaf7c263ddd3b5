import type { ApplyRequest, ClaimedApp } from "../db/sync-calls.ts";
import { SteamError } from "../process/errors.ts";
import type { AppPayload, Pics, ProductInfo } from "../steam/port.ts";
import { type AskAgain, askUntilAnswered } from "./ask-again.ts";
import type { Lease } from "./lease.ts";

export interface FetchedApps {
  apps: AppPayload[];
  unknown: number[];
  /** `silent`: Steam answered, and did not mention the app. */
  failed: { appid: number; error: string; silent: boolean }[];
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
 * Silence is no answer: what a reply does not mention is asked for again (see {@link askUntilAnswered}), and fails its
 * app in the end. So does a request that Steam does not answer, or not as promised; any other error is thrown.
 */
export async function fetchApps(
  pics: Pics,
  lease: Lease,
  claimed: readonly ClaimedApp[],
  askAgain: AskAgain,
): Promise<FetchedApps> {
  const requests: Requests = { pics, lease, askAgain };
  const tokens = createTokens(requests, claimed);
  const result = createResult();
  const all = appidsOf(claimed);
  try {
    await tokens.request(
      appidsOf(claimed.filter(({ appid, needs_token }) => needs_token && tokens.of(appid) === null)),
    );
    result.add(await requestApps(requests, all, tokens.of));
  } catch (error) {
    result.fail(all, error);
  }

  const withheld = result.withheld().filter(tokens.mayRequest);
  try {
    const granted = await tokens.request(withheld);
    result.add(await requestApps(requests, granted, tokens.of));
  } catch (error) {
    result.fail(withheld, error);
  }
  return { ...result.of(tokens.isSilent), tokens: tokens.answers };
}

/**
 * Whether Steam withheld a part of the app info. Each flag alone says so: an answer with `only_public` and without
 * `missing_token` would otherwise count as all that there is.
 */
export function isWithheld({ missingToken, onlyPublic }: AppPayload): boolean {
  return missingToken || onlyPublic;
}

interface Requests {
  pics: Pics;
  lease: Lease;
  askAgain: AskAgain;
}

interface Answers extends ProductInfo {
  unanswered: number[];
}

async function requestApps(
  { pics, lease, askAgain }: Requests,
  appids: readonly number[],
  tokenOf: (appid: number) => string | null,
): Promise<Answers> {
  const { signal } = lease;
  const ask = async (part: readonly number[]) => {
    // Each request may wait for its turn and for its reply; the lease must outlast them.
    await lease.renew();
    const answer = await pics.productInfo(
      part.map((appid) => ({ appid, accessToken: tokenOf(appid) })),
      signal,
    );
    return { answer, answered: new Set([...appidsOf(answer.apps), ...answer.unknown]) };
  };
  const { answers, unanswered } = await askUntilAnswered(appids, ask, { askAgain, signal });
  return { apps: answers.flatMap(({ apps }) => apps), unknown: answers.flatMap(({ unknown }) => unknown), unanswered };
}

/** Collects what Steam answered about each app of a batch; a later answer replaces an earlier one. */
function createResult() {
  const apps = new Map<number, AppPayload>();
  const unknown = new Set<number>();
  const failed = new Map<number, FetchedApps["failed"][number]>();
  const failSilent = (appid: number, error: string) => failed.set(appid, { appid, error, silent: true });

  return {
    add(answers: Answers): void {
      for (const app of answers.apps) apps.set(app.appid, app);
      for (const appid of answers.unknown) unknown.add(appid);
      for (const appid of answers.unanswered) failSilent(appid, "Steam's replies did not mention it");
    },
    /** Fails the apps of a request that Steam did not answer; throws any other error. */
    fail(appids: readonly number[], error: unknown): void {
      if (!(error instanceof SteamError)) throw error;
      const silent = error.fault === "timeout";
      for (const appid of appids) failed.set(appid, { appid, error: error.message, silent });
    },
    /** Apps of which Steam withheld a part. */
    withheld: () => appidsOf([...apps.values()].filter((app) => isWithheld(app) && !failed.has(app.appid))),
    /** @param isTokenSilent whether Steam left the request for an app's token unanswered. */
    of(isTokenSilent: (appid: number) => boolean): Omit<FetchedApps, "tokens"> {
      for (const app of apps.values()) {
        if (isWithheld(app) && isTokenSilent(app.appid)) {
          failSilent(app.appid, "Steam did not answer the request for its access token");
        }
      }
      return {
        apps: [...apps.values()].filter(({ appid }) => !failed.has(appid) && !unknown.has(appid)),
        unknown: [...unknown].filter((appid) => !failed.has(appid)),
        failed: [...failed.values()],
      };
    },
  };
}

/** The access tokens of one batch: those stored, and those requested while it is fetched. */
function createTokens({ pics, lease, askAgain }: Requests, claimed: readonly ClaimedApp[]) {
  const { signal } = lease;
  const known = new Map(claimed.flatMap(({ appid, access_token }) => (access_token ? [[appid, access_token]] : [])));
  /** Not requested (again): denied less than a day ago, or requested for this batch. */
  const settled = new Set(appidsOf(claimed.filter((app) => app.token_denied)));
  const silent = new Set<number>();
  const answers: { appid: number; access_token: string | null }[] = [];
  const mayRequest = (appid: number) => !settled.has(appid);

  const ask = async (part: readonly number[]) => {
    await lease.renew();
    const answer = await pics.accessTokens(part, signal);
    return { answer, answered: new Set([...answer.granted.keys(), ...answer.denied]) };
  };

  return {
    /** What Steam answered, in the form in which it is stored. */
    answers,
    mayRequest,
    isSilent: (appid: number) => silent.has(appid),
    of: (appid: number) => known.get(appid) ?? null,
    /** Requests tokens, at most once for each app. Returns the apps that were granted one which they did not have. */
    async request(appids: readonly number[]): Promise<number[]> {
      const requested = appids.filter(mayRequest);
      const { answers: replies, unanswered } = await askUntilAnswered(requested, ask, { askAgain, signal });
      for (const appid of requested) settled.add(appid);
      for (const appid of unanswered) silent.add(appid);
      for (const appid of replies.flatMap(({ denied }) => denied)) answers.push({ appid, access_token: null });
      const fresh = replies
        .flatMap(({ granted }) => [...granted])
        .filter(([appid, token]) => known.get(appid) !== token);
      for (const [appid, access_token] of fresh) {
        known.set(appid, access_token);
        answers.push({ appid, access_token });
      }
      return fresh.map(([appid]) => appid);
    },
  };
}

const appidsOf = (apps: readonly { appid: number }[]) => apps.map((app) => app.appid);
