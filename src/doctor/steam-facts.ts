import { hash } from "node:crypto";
import { SteamError } from "../process/errors.ts";
import type { AppInfoMessage } from "../steam/payload.ts";
import type { ProductInfoReply } from "../steam/pics.ts";
import type { AppPayload, Pics } from "../steam/port.ts";
import { changeWindow } from "../sync/poll.ts";
import { idsPerRequest } from "../sync/sweep.ts";
import { formatCount } from "../terminal/format.ts";
import { clean } from "../terminal/layout.ts";
import { blocked, type Check, causes, type Finding, failed, ok, skipped, warning } from "./check.ts";

/**
 * Checks of undocumented behaviour of Steam that the service relies on, measured with about 15 requests of one session. A deviation is a
 * warning: the service copes with it, and the constant or function that the finding names should be reviewed.
 */
export interface SteamProbe {
  pics: Pics;
  /** The messages of the last product info or metadata reply, as steam-user decodes them. */
  lastReply: () => readonly ProductInfoReply[];
  /** Whether the session has been logged on; it reconnects by itself. */
  isLoggedOn: () => boolean;
  /** Time limit of one check. */
  limitMs: number;
  /** Time limit of the request that shows, after a check without an answer, whether Steam answers at all. 5 s by default. */
  pingMs?: number;
  signal: AbortSignal;
}

/** The largest app infos are the ones that Steam may offer over HTTP. */
const largestApps = 5;
const tokenApps = 10;
/** Games with large app infos, for when the metadata check found none. */
const knownApps = [440, 570, 730];
const actionTag = { id: 19, name: "Action" };
const moreTags = [21, 492, 1664];
const singlePlayer = { id: 2, name: "Single-player" };
/** The search for the change window grows by this factor up to a limit, then bisects; the number of requests is limited. */
const growth = 4;
const farthest = 16 * changeWindow;
const maxRequests = 7;

interface FetchedApp {
  message: AppInfoMessage;
  payload: AppPayload;
}

/** What one check passes on to the next. */
interface Session extends SteamProbe {
  /** Metadata of apps, found by the first check. */
  metadata: readonly AppInfoMessage[];
  /** Large apps, each with its message and the decoded payload. */
  fetched: readonly FetchedApp[];
  /** Host from which Steam offered app infos over HTTP. */
  httpHost: string | null;
  /** A check without any reply within its limit; later ones are skipped. */
  isUnreachable: boolean;
}

type Measure = (session: Session, signal: AbortSignal) => Promise<Finding>;

const measures: readonly (readonly [name: string, measure: Measure])[] = [
  ["metadata", checkMetadata],
  ["SHA-1", checkSha1],
  ["texts over HTTP", checkHttpPayloads],
  ["access tokens", checkAccessTokens],
  ["tag names", checkTagNames],
  ["category names", checkCategoryNames],
  ["change window", checkChangeWindow],
];

export function steamChecks(probe: SteamProbe): Check[] {
  const session: Session = { ...probe, metadata: [], fetched: [], httpHost: null, isUnreachable: false };
  return measures.map(([name, measure]) => ({ name, run: () => run(measure, session) }));
}

async function run(measure: Measure, session: Session): Promise<Finding> {
  if (session.isUnreachable || !session.isLoggedOn()) return blocked(causes.steam);
  const limit = AbortSignal.timeout(session.limitMs);
  try {
    return await measure(session, AbortSignal.any([session.signal, limit]));
  } catch (error) {
    if (session.signal.aborted) throw error;
    if (!limit.aborted && !(error instanceof SteamError)) throw error;
    session.isUnreachable = !(await isAnswering(session));
    if (!limit.aborted) return warning(`no usable reply: ${(error as SteamError).message}`);
    return failed(`no reply within ${session.limitMs / 1_000} s`, "unreachable", tryLater);
  }
}

const tryLater = "Run `doctor` again later; a running service asks again by itself.";

/** After a request without an answer: whether Steam answers at all, so that the next checks need not wait for their limits. */
async function isAnswering({ pics, pingMs = 5_000, signal }: Session): Promise<boolean> {
  try {
    await pics.changesSince(0, AbortSignal.any([signal, AbortSignal.timeout(pingMs)]));
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    return false;
  }
}

/** Does one request return metadata for as many ids as the sweep requests? */
async function checkMetadata(session: Session, signal: AbortSignal): Promise<Finding> {
  const startedAt = performance.now();
  const ids = Array.from({ length: idsPerRequest }, (_, index) => index + 1);
  const { apps, unknown } = await session.pics.metadata(ids, signal);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  session.metadata = messagesOf(session);
  const answered = apps.length + unknown.length;
  const messages = session.lastReply().length;
  const summary = `${formatCount(answered)} of ${formatCount(idsPerRequest)} ids answered in ${messages} ${messages === 1 ? "message" : "messages"} and ${seconds} s, ${formatCount(apps.length)} of them apps`;
  return judged(answered === idsPerRequest, summary, "idsPerRequest in src/sync/sweep.ts");
}

/** Is the announced SHA-1 that of the text as this program decodes it? */
async function checkSha1(session: Session, signal: AbortSignal): Promise<Finding> {
  const largest = session.metadata.toSorted((a, b) => (b.size ?? 0) - (a.size ?? 0)).slice(0, largestApps);
  const appids = largest.length > 0 ? largest.map(({ appid }) => appid) : knownApps;
  const requests = appids.map((appid) => ({ appid }));
  const { apps } = await session.pics.productInfo(requests, signal);
  const messages = new Map(messagesOf(session).map((message) => [message.appid, message]));
  session.fetched = apps.flatMap((payload) => {
    const message = messages.get(payload.appid);
    return message ? [{ message, payload }] : [];
  });
  session.httpHost = session.lastReply().find(({ http_host }) => http_host)?.http_host ?? null;
  const announced = session.fetched.filter(({ message, payload }) => message.sha && payload.text !== null);
  const equal = announced.filter((app) => sha1Of(app) === app.message.sha?.toString("hex"));
  const summary = `the SHA-1 of ${equal.length} of ${announced.length} texts is the announced one`;
  const agrees = announced.length > 0 && equal.length === announced.length;
  return judged(agrees, summary, "payloadOfReply in src/steam/payload.ts");
}

/** Can texts that a reply omits be fetched over HTTP? */
async function checkHttpPayloads({ fetched, httpHost }: Session): Promise<Finding> {
  if (fetched.length === 0) return skipped("No app info was fetched.");
  const bytes = formatCount(Math.max(...fetched.map(({ message }) => message.size ?? 0)));
  const omitted = fetched.filter(({ message }) => !message.buffer);
  if (omitted.length === 0) {
    return ok(
      `none of ${fetched.length} large apps (up to ${bytes} bytes) is offered over HTTP; all texts are in the reply`,
    );
  }
  const lost = omitted.filter(({ payload }) => payload.text === null);
  const summary = `${omitted.length} of ${fetched.length} large apps (up to ${bytes} bytes) come without their text`;
  const offer =
    httpHost === null ? "and without an offer over HTTP" : `and are offered over HTTP by ${clean(httpHost)}`;
  const [first] = lost;
  const result = first ? `${lost.length} could not be fetched: ${first.payload.error}` : "all were fetched there";
  return judged(lost.length === 0, `${summary} ${offer}; ${result}`, "offeredText in src/steam/http-payload.ts");
}

/** Does Steam grant access tokens to an anonymous session, and do they make app infos complete? */
async function checkAccessTokens({ pics, metadata }: Session, signal: AbortSignal): Promise<Finding> {
  const withheld = metadata.filter(({ missing_token }) => missing_token).map(({ appid }) => appid);
  const appids = withheld.length > 0 ? withheld.slice(0, tokenApps) : await recentlyWithheld(pics, signal);
  if (appids.length === 0) return skipped("No app with withheld sections was found.");
  const { granted, denied } = await pics.accessTokens(appids, signal);
  const summary = `${granted.size} of ${appids.length} apps with withheld sections are granted a token, ${denied.length} are denied`;
  const where = "fetchApps in src/sync/fetch-apps.ts";
  if (granted.size === 0) return judged(false, summary, where);
  const requests = [...granted].map(([appid, accessToken]) => ({ appid, accessToken }));
  const { apps } = await pics.productInfo(requests, signal);
  const complete = apps.filter(({ missingToken, text }) => !missingToken && text !== null).length;
  const agrees = granted.size + denied.length === appids.length && complete === granted.size;
  return judged(agrees, `${summary}; with it ${complete} are complete`, where);
}

/** Does Steam name tags? */
async function checkTagNames({ pics }: Session, signal: AbortSignal): Promise<Finding> {
  const ids = [actionTag.id, ...moreTags];
  const names = await pics.tagNames(ids, signal);
  const listed = [...names].map(([id, name]) => `${id} ${clean(name)}`).join(", ");
  const summary = `${names.size} of ${ids.length} tags have a name${listed && `: ${listed}`}`;
  const agrees = names.size === ids.length && names.get(actionTag.id) === actionTag.name;
  return judged(agrees, summary, "src/sync/label-names.ts");
}

/** Does Steam name categories, to an anonymous session? Taken from the method's definition; not verified against live Steam. */
async function checkCategoryNames({ pics }: Session, signal: AbortSignal): Promise<Finding> {
  const names = await pics.categoryNames(signal);
  const found = names.get(singlePlayer.id);
  const summary = `${formatCount(names.size)} categories have a name${found === undefined ? "" : `: ${singlePlayer.id} ${clean(found)}`}`;
  return judged(found === singlePlayer.name, summary, "src/sync/label-names.ts");
}

/** How far back does Steam list changes? Searches outwards or inwards from the assumed window, then bisects. */
async function checkChangeWindow({ pics }: Session, signal: AbortSignal): Promise<Finding> {
  const { currentChangeNumber: current } = await pics.changesSince(0, signal);
  let listed = 0;
  let refused: number | null = null;
  let back: number = changeWindow;
  for (let requests = 0; requests < maxRequests; requests += 1) {
    const reply = await pics.changesSince(current - back, signal);
    const isForced = reply.forceFullUpdate || reply.forceFullAppUpdate;
    if (isForced || reply.sinceChangeNumber !== current - back) refused = back;
    else listed = back;
    const isFound = refused === null ? listed >= farthest : refused - listed <= refused / 20;
    if (isFound) break;
    back = refused === null ? listed * growth : Math.round((listed + refused) / 2);
  }
  const summary = `changes are listed ${formatCount(listed)} numbers back`;
  const limit =
    refused === null ? "and perhaps farther" : `and not ${formatCount(refused)}, where the force flags are set`;
  return judged(listed >= changeWindow, `${summary} ${limit}`, "changeWindow (5,000) in src/sync/poll.ts");
}

/** `where` names the code that relies on the measured behaviour. */
function judged(agrees: boolean, summary: string, where: string): Finding {
  return agrees ? ok(`${summary} (as ${where} expects)`) : warning(`${summary}; ${where} expects otherwise`);
}

function messagesOf({ lastReply }: Session): AppInfoMessage[] {
  return lastReply().flatMap(({ apps }) => apps);
}

/** Steam hashes the text without its final NUL. */
function sha1Of({ message: { buffer }, payload: { text } }: FetchedApp): string {
  const bytes = buffer ?? Buffer.from(text ?? "");
  return hash("sha1", bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);
}

/** Apps of the latest changes that need an access token, according to Steam. */
async function recentlyWithheld(pics: Pics, signal: AbortSignal): Promise<number[]> {
  const { currentChangeNumber } = await pics.changesSince(0, signal);
  const { apps } = await pics.changesSince(Math.max(1, currentChangeNumber - 500), signal);
  return apps
    .filter(({ needsToken }) => needsToken)
    .map(({ appid }) => appid)
    .slice(0, tokenApps);
}
