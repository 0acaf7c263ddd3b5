/**
 * The PICS protocol over a session: requests as Steam's own client sends them, replies as the port {@link Pics} defines
 * them.
 *
 * Message layouts are those of steammessages_clientserver_appinfo.proto.
 */
import type { Logger } from "pino";
import { SteamError } from "../process/errors.ts";
import { valveDomains } from "../process/host-name.ts";
import { int32Max } from "../process/limits.ts";
import { fetchText, type HttpOffer, type HttpPayloadOptions, maxTextBytes, offeredText } from "./http-payload.ts";
import { type AppInfoMessage, payloadOf, payloadOfReply, payloadWithout } from "./payload.ts";
import type { AppPayload, Pics } from "./port.ts";
import { createRequests, type Requests, type RequestsOptions } from "./requests.ts";

export interface PicsOptions extends RequestsOptions {
  logger: Logger;
  /** App info over HTTP. Default: Valve's hosts, through the proxy of the environment. */
  http?: HttpPayloadOptions;
}

interface ChangesReply {
  current_change_number: number | null;
  since_change_number: number | null;
  force_full_update: boolean | null;
  force_full_app_update: boolean | null;
  app_changes: { appid: number; change_number: number | null; needs_token: boolean | null }[];
  package_changes: { packageid: number }[];
}

export interface ProductInfoReply {
  apps: AppInfoMessage[];
  unknown_appids: number[];
  response_pending: boolean | null;
  http_min_size: number | null;
  http_host: string | null;
}

interface AccessTokensReply {
  app_access_tokens: { appid: number; access_token: string | null }[];
  app_denied_tokens: number[];
}

interface TagNamesReply {
  tags: { tagid: number; english_name: string | null; name: string | null }[];
}

/** CStoreBrowse_GetStoreCategories_Response. `internal_name` is Steam's own key for a category and no name to show. */
interface CategoryNamesReply {
  categories: { categoryid: number | null; internal_name: string | null; display_name: string | null }[];
}

const maxTagsPerRequest = 200;
/** Announced sizes of the texts of one reply that are fetched over HTTP; all of them are in memory together. */
const maxHttpBytesPerReply = 3 * maxTextBytes;

export function createPics(options: PicsOptions): Pics {
  const { session, logger, http = { hosts: valveDomains } } = options;
  const requests = createRequests(options);

  return {
    ready: (signal) => session.ready(signal),

    async changesSince(since, signal) {
      // Packages are only counted: a reply that names neither apps nor packages may be incomplete.
      const body = { since_change_number: since, send_app_info_changes: true, send_package_info_changes: true };
      const [reply] = await requests.send<ChangesReply>("changes", body, signal);
      return changesOf(reply, since);
    },

    async metadata(appids, signal) {
      const ids = uniqueIds(appids);
      if (ids.length === 0) return { apps: [], unknown: [] };
      const wanted = ids.map((appid) => ({ appid }));
      const { apps, unknown } = await requestProductInfo(requests, "metadata", wanted, signal);
      // An app without a change number says nothing about whether it changed.
      const numbers = apps.flatMap((app) =>
        app.change_number ? [{ appid: app.appid, changeNumber: app.change_number, needsToken: isWithheld(app) }] : [],
      );
      return { apps: numbers, unknown };
    },

    async productInfo(wanted, signal) {
      const withToken = wanted.filter(({ accessToken }) => accessToken);
      const tokens = new Map(withToken.map(({ appid, accessToken }) => [Number(appid), accessToken]));
      const ids = uniqueIds(wanted.map(({ appid }) => appid));
      if (ids.length === 0) return { apps: [], unknown: [] };
      const body = ids.map((appid) => {
        const token = tokens.get(appid);
        return token ? { appid, access_token: token } : { appid };
      });
      const { apps, unknown, offer } = await requestProductInfo(requests, "product_info", body, signal);
      const source = {
        requests,
        http,
        offer,
        deadline: performance.now() + options.timeoutMs,
        budget: { bytes: maxHttpBytesPerReply },
      };
      const payloads = apps.map((app) => readPayload(app, source, logger, signal));
      return { apps: await Promise.all(payloads), unknown };
    },

    async accessTokens(appids, signal) {
      const ids = uniqueIds(appids);
      if (ids.length === 0) return { granted: new Map(), denied: [] };
      const replies = await requests.send<AccessTokensReply>("access_tokens", { packageids: [], appids: ids }, signal);
      const granted = new Map<number, string>();
      for (const { appid, access_token } of replies.flatMap((reply) => reply.app_access_tokens)) {
        if (access_token) granted.set(appid, access_token);
      }
      return { granted, denied: replies.flatMap((reply) => reply.app_denied_tokens) };
    },

    async tagNames(tagIds, signal) {
      const ids = uniqueIds(tagIds);
      const chunks: number[][] = [];
      for (let i = 0; i < ids.length; i += maxTagsPerRequest) chunks.push(ids.slice(i, i + maxTagsPerRequest));
      const request = (tagids: number[]) =>
        requests.send<TagNamesReply>("tag_names", { language: "english", tagids }, signal);
      const replies = await Promise.all(chunks.map(request));
      const tags = replies.flat().flatMap((reply) => reply.tags);
      return namesById(tags.map(({ tagid, english_name, name }) => [tagid, storable(english_name) ?? name]));
    },

    async categoryNames(signal) {
      const replies = await requests.send<CategoryNamesReply>("category_names", { language: "english" }, signal);
      const categories = replies.flatMap((reply) => reply.categories);
      return namesById(categories.map(({ categoryid, display_name }) => [categoryid, display_name]));
    },

    status: () => ({ ...session.status(), requests: requests.counts() }),
  };
}

function changesOf(reply: ChangesReply | undefined, since: number) {
  if (reply?.current_change_number == null) throw new SteamError("protocol", "a reply without a change number");
  return {
    currentChangeNumber: reply.current_change_number,
    sinceChangeNumber: reply.since_change_number ?? since,
    forceFullUpdate: reply.force_full_update ?? false,
    forceFullAppUpdate: reply.force_full_app_update ?? false,
    // An id that does not fit its column would fail the whole poll, again and again.
    apps: reply.app_changes
      .filter(({ appid }) => isId(appid))
      .map((change) => ({
        appid: change.appid,
        changeNumber: change.change_number ?? 0,
        needsToken: change.needs_token ?? false,
      })),
    appsNamed: reply.app_changes.length,
    packages: reply.package_changes.length,
  };
}

/** What Steam says about the requested apps. One that comes both as an app and as unknown is not answered. */
async function requestProductInfo(
  requests: Requests,
  kind: "product_info" | "metadata",
  wanted: { appid: number; access_token?: string }[],
  signal?: AbortSignal,
) {
  const body = { apps: wanted, packages: [], ...(kind === "metadata" && { meta_data_only: true }) };
  const replies = await requests.send<ProductInfoReply>(kind, body, signal, (reply) => Boolean(reply.response_pending));
  const apps = byAppid(replies.flatMap((reply) => reply.apps));
  const unknown = new Set(replies.flatMap((reply) => reply.unknown_appids));
  const ids = wanted.map(({ appid }) => appid);
  return {
    apps: ids.flatMap((appid) => (unknown.has(appid) ? [] : (apps.get(appid) ?? []))),
    unknown: ids.filter((appid) => unknown.has(appid) && !apps.has(appid)),
    offer: {
      host: replies.find((reply) => reply.http_host)?.http_host ?? null,
      minSizeBytes: replies.find((reply) => reply.http_min_size)?.http_min_size ?? null,
    },
  };
}

/** Where the texts of one reply that are not in it come from. */
interface HttpSource {
  requests: Requests;
  http: HttpPayloadOptions;
  offer: HttpOffer;
  /** By `performance.now()`: all texts of a reply share the time limit of one request. */
  deadline: number;
  /** What is left of {@link maxHttpBytesPerReply}. */
  budget: { bytes: number };
}

/**
 * Answers by appid. Where Steam answers an app more than once, the newest version counts, and of one version an answer
 * that withholds nothing: an older or a public answer must not take the place of a better one.
 */
function byAppid(answers: readonly AppInfoMessage[]): Map<number, AppInfoMessage> {
  const best = new Map<number, AppInfoMessage>();
  for (const answer of answers) {
    const found = best.get(answer.appid);
    if (!found || !isBetter(found, answer)) best.set(answer.appid, answer);
  }
  return best;
}

function isBetter(one: AppInfoMessage, other: AppInfoMessage): boolean {
  const [changeOfOne, changeOfOther] = [one.change_number ?? 0, other.change_number ?? 0];
  if (changeOfOne !== changeOfOther) return changeOfOne > changeOfOther;
  return !isWithheld(one) && isWithheld(other);
}

function isWithheld({ missing_token, only_public }: AppInfoMessage): boolean {
  return Boolean(missing_token || only_public);
}

/**
 * The text of one app, from the reply or over HTTP. A fetch that fails or is refused becomes the payload's error: it
 * fails that app only.
 */
async function readPayload(
  app: AppInfoMessage,
  source: HttpSource,
  logger: Logger,
  signal: AbortSignal | undefined,
): Promise<AppPayload> {
  if (app.buffer) return payloadOfReply(app, app.buffer, logger);
  let from = "";
  try {
    const offered = offeredText(app, source.offer, source.http.hosts);
    if (!offered) return payloadWithout(app, "Steam sent no buffer and offers none over HTTP");
    from = `${offered.url}: `;
    if (offered.sizeBytes > source.budget.bytes) {
      throw new SteamError("protocol", "too much app info over HTTP for one batch");
    }
    source.budget.bytes -= offered.sizeBytes;
    const fetch = () => fetchText(offered, source.http, source.deadline, signal);
    return payloadOf(app, await source.requests.fetchHttp(fetch, signal));
  } catch (error) {
    signal?.throwIfAborted();
    return payloadWithout(app, `${from}${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Ids as numbers, deduplicated; Steam answers an id once, however often it is requested. Throws TypeError for anything
 * that is no id.
 */
function uniqueIds(ids: readonly (number | string)[]): number[] {
  const unique = new Set<number>();
  for (const id of ids) {
    const number = Number(id);
    if (!isId(number)) throw new TypeError(`not an id: ${JSON.stringify(id)}`);
    unique.add(number);
  }
  return [...unique];
}

/** Names by id; without those that are empty, and those of ids that do not fit their column. */
function namesById(entries: readonly (readonly [id: number | null, name: string | null])[]): Map<number, string> {
  const names = new Map<number, string>();
  for (const [id, name] of entries) {
    const text = storable(name);
    if (id !== null && isId(id) && text !== null) names.set(id, text);
  }
  return names;
}

/** A text that Postgres accepts: without NUL and lone surrogates, trimmed; null when nothing is left. */
function storable(text: string | null): string | null {
  return text?.replaceAll("\0", "").toWellFormed().trim() || null;
}

function isId(number: number): boolean {
  return Number.isInteger(number) && number >= 1 && number <= int32Max;
}
