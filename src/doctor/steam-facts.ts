import { hash } from "node:crypto";
import { SteamError } from "../process/errors.ts";
import type { AppInfoMessage } from "../steam/payload.ts";
import type { ProductInfoReply } from "../steam/pics.ts";
import type { AppPayload, Pics } from "../steam/port.ts";
import { changeWindow } from "../sync/poll.ts";
import { idsPerRequest } from "../sync/sweep.ts";
import { formatCount } from "../terminal/format.ts";
import { clean } from "../terminal/layout.ts";
import { type Check, type Finding, failed, ok, skipped, warning } from "./check.ts";

/**
 * What the service takes for granted of Steam and nobody promises, measured with about 15 requests of one session. Where Steam is
 * otherwise the finding is a warning: the service copes, and somebody should know.
 */
export interface SteamProbe {
  pics: Pics;
  /** The messages of the last product info or metadata reply, as steam-user decodes them. */
  lastReply: () => readonly ProductInfoReply[];
  /** Whether the session has been logged on; it comes back by itself. */
  isLoggedOn: () => boolean;
  /** Of one check. */
  limitMs: number;
  signal: AbortSignal;
}

/** The largest app infos are what Steam would rather offer over HTTP. */
const largestApps = 5;
const tokenApps = 10;
/** Games whose app info is large, for when the first request finds none. */
const knownApps = [440, 570, 730];
const actionTag = { id: 19, name: "Action" };
const moreTags = [21, 492, 1664];
/** Each time four times as far back, at most so far, then between the two bounds; so many questions in all. */
const growth = 4;
const farthest = 16 * changeWindow;
const maxQuestions = 7;

export function steamChecks(steam: SteamProbe): Check[] {
  const { pics } = steam;
  /** What the first request found. */
  let found: readonly AppInfoMessage[] = [];
  /** What later ones fetched: each app as it came, and what became of it. */
  let fetched: readonly { message: AppInfoMessage; payload: AppPayload }[] = [];
  let offer: string | null = null;
  /** Whoever has not answered one question within the limit is not asked the next. */
  let isAway = false;

  const messagesOf = () => steam.lastReply().flatMap(({ apps }) => apps);

  async function metadata(signal: AbortSignal): Promise<Finding> {
    const startedAt = performance.now();
    const ids = Array.from({ length: idsPerRequest }, (_, index) => index + 1);
    const { apps, unknown } = await pics.metadata(ids, signal);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    found = messagesOf();
    const answered = apps.length + unknown.length;
    const messages = steam.lastReply().length;
    const words = `${formatCount(answered)} of ${formatCount(idsPerRequest)} ids answered in ${messages} ${messages === 1 ? "message" : "messages"} and ${seconds} s, ${formatCount(apps.length)} of them apps`;
    return judged(answered === idsPerRequest, words, "idsPerRequest in src/sync/sweep.ts");
  }

  async function texts(signal: AbortSignal): Promise<Finding> {
    const largest = found.toSorted((a, b) => (b.size ?? 0) - (a.size ?? 0)).slice(0, largestApps);
    const appids = largest.length > 0 ? largest.map(({ appid }) => appid) : knownApps;
    const { apps } = await pics.productInfo(
      appids.map((appid) => ({ appid })),
      signal,
    );
    const messages = new Map(messagesOf().map((message) => [message.appid, message]));
    fetched = apps.flatMap((payload) => {
      const message = messages.get(payload.appid);
      return message ? [{ message, payload }] : [];
    });
    offer = steam.lastReply().find(({ http_host }) => http_host)?.http_host ?? null;
    const told = fetched.filter(({ message, payload }) => message.sha && payload.text !== null);
    const right = told.filter(({ message, payload }) => sha1Of(message, payload) === message.sha?.toString("hex"));
    const words = `the SHA-1 of ${right.length} of ${told.length} texts is the announced one`;
    return judged(told.length > 0 && right.length === told.length, words, "decodeText in src/steam/payload.ts");
  }

  async function httpPayloads(): Promise<Finding> {
    if (fetched.length === 0) return skipped("No app info was fetched.");
    const bytes = formatCount(Math.max(...fetched.map(({ message }) => message.size ?? 0)));
    const without = fetched.filter(({ message }) => !message.buffer);
    if (without.length === 0) {
      return ok(
        `none of ${fetched.length} large apps (up to ${bytes} bytes) is offered over HTTP; all come in the reply`,
      );
    }
    const lost = without.filter(({ payload }) => payload.text === null);
    const words = `${without.length} of ${fetched.length} large apps (up to ${bytes} bytes) come without their text`;
    const how = offer === null ? "and without an offer over HTTP" : `and are offered over HTTP by ${clean(offer)}`;
    const [first] = lost;
    const end = first ? `${lost.length} could not be fetched: ${first.payload.error}` : "all were fetched there";
    return judged(lost.length === 0, `${words} ${how}; ${end}`, "httpPayloadUrl in src/steam/payload.ts");
  }

  async function tokens(signal: AbortSignal): Promise<Finding> {
    const withheld = found.filter(({ missing_token }) => missing_token).map(({ appid }) => appid);
    const appids = withheld.length > 0 ? withheld.slice(0, tokenApps) : await recentlyWithheld(pics, signal);
    if (appids.length === 0) return skipped("No app was found that holds anything back.");
    const { granted, denied } = await pics.accessTokens(appids, signal);
    const words = `${granted.size} of ${appids.length} apps that hold something back are granted a token, ${denied.length} are denied`;
    const isTold = granted.size + denied.length === appids.length;
    if (granted.size === 0) return judged(false, words, "fetchApps in src/sync/fetch-apps.ts");
    const asked = [...granted].map(([appid, accessToken]) => ({ appid, accessToken }));
    const { apps } = await pics.productInfo(asked, signal);
    const opened = apps.filter(({ missingToken, text }) => !missingToken && text !== null).length;
    return judged(
      isTold && opened === granted.size,
      `${words}; with it ${opened} are told in full`,
      "fetchApps in src/sync/fetch-apps.ts",
    );
  }

  async function tagNames(signal: AbortSignal): Promise<Finding> {
    const ids = [actionTag.id, ...moreTags];
    const names = await pics.tagNames(ids, signal);
    const listed = [...names].map(([id, name]) => `${id} ${clean(name)}`).join(", ");
    const words = `${names.size} of ${ids.length} tags have a name${listed && `: ${listed}`}`;
    return judged(
      names.size === ids.length && names.get(actionTag.id) === actionTag.name,
      words,
      "src/sync/tag-names.ts",
    );
  }

  async function measured(measure: (signal: AbortSignal) => Promise<Finding>): Promise<Finding> {
    if (isAway || !steam.isLoggedOn()) return skipped("Steam cannot be reached.");
    const limit = AbortSignal.timeout(steam.limitMs);
    try {
      return await measure(AbortSignal.any([steam.signal, limit]));
    } catch (error) {
      if (steam.signal.aborted) throw error;
      if (error instanceof SteamError) return warning(`no usable answer: ${error.message}`);
      if (!limit.aborted) throw error;
      isAway = true;
      return failed(`no answer within ${steam.limitMs / 1_000} s`, "unreachable");
    }
  }

  const check = (name: string, measure: (signal: AbortSignal) => Promise<Finding>): Check => ({
    name,
    run: () => measured(measure),
  });
  return [
    check("metadata", metadata),
    check("SHA-1", texts),
    check("texts over HTTP", httpPayloads),
    check("access tokens", tokens),
    check("tag names", tagNames),
    check("change window", (signal) => changesBack(pics, signal)),
  ];
}

/** `where` names what in the source takes it for granted. */
function judged(agrees: boolean, words: string, where: string): Finding {
  return agrees ? ok(`${words} (as ${where} expects)`) : warning(`${words}; ${where} expects otherwise`);
}

function sha1Of({ buffer }: AppInfoMessage, { text }: AppPayload): string {
  const bytes = buffer ?? Buffer.from(text ?? "");
  return hash("sha1", bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);
}

/** Apps of the latest changes that Steam says need a token. */
async function recentlyWithheld(pics: Pics, signal: AbortSignal): Promise<number[]> {
  const { currentChangeNumber } = await pics.changesSince(0, signal);
  const { apps } = await pics.changesSince(Math.max(1, currentChangeNumber - 500), signal);
  return apps
    .filter(({ needsToken }) => needsToken)
    .map(({ appid }) => appid)
    .slice(0, tokenApps);
}

/** How far back Steam lists changes: from the assumed window on outwards or inwards, then between the two nearest answers. */
async function changesBack(pics: Pics, signal: AbortSignal): Promise<Finding> {
  const { currentChangeNumber: current } = await pics.changesSince(0, signal);
  let listed = 0;
  let refused: number | null = null;
  let back: number = changeWindow;
  for (let asked = 0; asked < maxQuestions; asked += 1) {
    const { sinceChangeNumber, forceFullUpdate, forceFullAppUpdate } = await pics.changesSince(current - back, signal);
    if (forceFullUpdate || forceFullAppUpdate || sinceChangeNumber !== current - back) refused = back;
    else listed = back;
    const isKnown = refused === null ? listed >= farthest : refused - listed <= refused / 20;
    if (isKnown) break;
    back = refused === null ? listed * growth : Math.round((listed + refused) / 2);
  }
  const words = `changes are listed ${formatCount(listed)} numbers back`;
  const end =
    refused === null ? "and perhaps farther" : `and not ${formatCount(refused)}, where the force flags are set`;
  return judged(listed >= changeWindow, `${words} ${end}`, "changeWindow (5,000) in src/sync/poll.ts");
}
