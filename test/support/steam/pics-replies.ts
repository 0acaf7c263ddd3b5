import { hash } from "node:crypto";
import type { CatalogApp, Scope } from "./catalog.ts";
import type { SimulationContext } from "./context.ts";
import type { Fault, FaultOf, GivenAnswer } from "./faults.ts";
import type { SimulatedRequestKind } from "./request-log.ts";
import { storeCategories } from "./store-categories.ts";
import { storeTags } from "./store-tags.ts";
import { eMsg, type Header, messages, type ProductInfoApp } from "./wire.ts";

/** The host at which large texts are offered; any will do, since the proxy routes all of them to the simulation. */
export const payloadHost = "clientconfig.simulated.steamstatic.com";
/** `http_min_size` in metadata replies of the real Steam. */
const usualHttpMinSize = 1024;
const tagNamesJob = "Store.GetLocalizedNameForTags#1";
const categoryNamesJob = "StoreBrowse.GetStoreCategories#1";

/** A decoded request with a job id. */
export interface PicsRequest {
  kind: SimulatedRequestKind;
  /** Appids or tag ids. */
  ids: number[];
  replyMsg: number;
  /** Name of the service method, when it is one. */
  job?: string;
  since: number;
  tokens: Map<number, string>;
  packages: number[];
}

export interface PicsReply {
  /** The body of each message, in order. */
  bodies: Uint8Array[];
  /** Apps sent with their text. */
  appsServed: number;
}

/** null for messages that the simulation does not answer. */
export function readPicsRequest(emsg: number, header: Header, body: Uint8Array): PicsRequest | null {
  const nothing = { ids: [], since: 0, tokens: new Map<number, string>(), packages: [] };
  if (emsg === eMsg.changesSinceRequest) {
    const { since_change_number: since = 0 } = messages.changesSinceRequest.decode(body);
    return { ...nothing, kind: "changes", replyMsg: eMsg.changesSinceResponse, since };
  }
  if (emsg === eMsg.productInfoRequest) {
    const { apps, packages, meta_data_only } = messages.productInfoRequest.decode(body);
    return {
      ...nothing,
      kind: meta_data_only ? "metadata" : "product_info",
      ids: [...new Set(apps.map(({ appid }) => appid))],
      replyMsg: eMsg.productInfoResponse,
      tokens: new Map(apps.map(({ appid, access_token = "0" }) => [appid, access_token])),
      packages: packages.map(({ packageid }) => packageid),
    };
  }
  if (emsg === eMsg.accessTokenRequest) {
    const { appids, packageids } = messages.accessTokenRequest.decode(body);
    return { ...nothing, kind: "access_tokens", ids: appids, replyMsg: eMsg.accessTokenResponse, packages: packageids };
  }
  if (emsg === eMsg.serviceMethodCallFromClient && header.target_job_name === tagNamesJob) {
    const { tagids } = messages.tagNamesRequest.decode(body);
    return { ...nothing, kind: "tag_names", ids: tagids, replyMsg: eMsg.serviceMethodResponse, job: tagNamesJob };
  }
  if (emsg === eMsg.serviceMethodCallFromClient && header.target_job_name === categoryNamesJob) {
    // In another language the names would be others.
    if (messages.categoryNamesRequest.decode(body).language !== "english") return null;
    return { ...nothing, kind: "category_names", replyMsg: eMsg.serviceMethodResponse, job: categoryNamesJob };
  }
  return null;
}

/**
 * `faults.apps` distorts single apps, `faults.reply` the whole reply: a `partial_reply` lacks its last part and the
 * message that ends it, `force` replaces the list of changes, a `silent` one lists nothing, an `http_offer` says other
 * things of the texts over HTTP.
 */
export function picsReply(
  context: SimulationContext,
  request: PicsRequest,
  faults: { apps: Map<number, Fault>; reply: Fault | null },
): PicsReply {
  const isSilent = faults.reply?.kind === "silent";
  if (request.kind === "changes") {
    const force = faults.reply?.kind === "force" ? faults.reply.how : null;
    return { bodies: [changesSince(context, request.since, isSilent ? "silent" : force)], appsServed: 0 };
  }
  if (request.kind === "access_tokens") {
    const ids = isSilent ? [] : request.ids.filter((appid) => faults.apps.get(appid)?.kind !== "omit");
    return { bodies: [accessTokens(context, { ...request, ids })], appsServed: 0 };
  }
  if (request.kind === "tag_names") return { bodies: [tagNames(request.ids)], appsServed: 0 };
  if (request.kind === "category_names") return { bodies: [categoryNames()], appsServed: 0 };
  return productInfo(context, request, faults);
}

/** Unsigned 64-bit and above 2^53, so that a client that reads it as a number fails. */
export function accessTokenOf(appid: number): string {
  return (0xf000_0000_0000_0001n + BigInt(appid)).toString();
}

function changesSince(
  { catalog, changeWindow }: SimulationContext,
  since: number,
  forced: FaultOf<"force">["how"] | "silent" | null,
): Uint8Array {
  const current = catalog.currentChangeNumber;
  const answer = {
    current_change_number: current,
    since_change_number: forced === "since" ? current : since,
    ...(forced === "full" && { force_full_update: true }),
    ...(forced === "apps" && { force_full_app_update: true }),
    ...(forced === "packages" && { force_full_package_update: true }),
  };
  if (since === 0 || (forced !== null && forced !== "packages")) return messages.changesSinceResponse.encode(answer);
  if (since < current - changeWindow) {
    const force = { force_full_update: false, force_full_app_update: true, force_full_package_update: true };
    return messages.changesSinceResponse.encode({ ...answer, ...force });
  }
  const { apps, packages } = catalog.changesAfter(since);
  return messages.changesSinceResponse.encode({
    ...answer,
    package_changes: packages.map(({ packageid, changeNumber }) => ({ packageid, change_number: changeNumber })),
    app_changes: apps.map(({ appid, changeNumber, needsToken }) => ({
      appid,
      change_number: changeNumber,
      ...(needsToken && { needs_token: true }),
    })),
  });
}

function productInfo(
  context: SimulationContext,
  request: PicsRequest,
  faults: { apps: Map<number, Fault>; reply: Fault | null },
): PicsReply {
  const metadataOnly = request.kind === "metadata";
  const incomplete = faults.reply?.kind === "partial_reply";
  const offer = faults.reply?.kind === "http_offer" ? faults.reply : null;
  const apps: ProductInfoApp[] = [];
  const unknown: number[] = [];
  for (const appid of request.ids) {
    const app = context.catalog.apps.get(appid);
    const fault = faults.apps.get(appid);
    if (fault?.kind === "omit" || faults.reply?.kind === "silent") continue;
    if (app && fault?.kind === "answered_with") apps.push(...fault.answers.map((answer) => givenApp(appid, answer)));
    else if (app && fault?.kind !== "say_unknown")
      apps.push(productInfoApp(context, app, request.tokens.get(appid), metadataOnly, fault));
    else unknown.push(appid);
  }

  const offered = metadataOnly || apps.some((app) => app.buffer === undefined && app.size >= context.httpMinSize);
  const http = offered && { http_min_size: Math.min(context.httpMinSize, 0xffffffff), http_host: payloadHost };
  if (http && context.httpMinSize === Number.POSITIVE_INFINITY) http.http_min_size = usualHttpMinSize;
  if (http && offer?.host !== undefined) http.http_host = offer.host;
  for (const app of apps) if (!app.buffer) app.size = offer?.size ?? app.size;
  const perMessage = metadataOnly ? Number.POSITIVE_INFINITY : context.appsPerMessage;
  const parts: ProductInfoApp[][] = [];
  for (let i = 0; i < apps.length; i += perMessage) parts.push(apps.slice(i, i + perMessage));
  if (parts.length === 0) parts.push([]);
  // An incomplete reply of one message still sends half of it.
  if (incomplete) parts.splice(-1, 1, ...(parts.length === 1 ? [apps.slice(0, Math.ceil(apps.length / 2))] : []));

  const bodies = parts.map((part, index) => {
    const last = index === parts.length - 1;
    return messages.productInfoResponse.encode({
      apps: part,
      unknown_appids: last && !incomplete ? unknown : [],
      unknown_packageids: last ? request.packages : [],
      meta_data_only: metadataOnly,
      response_pending: !last || incomplete,
      ...http,
    });
  });
  return { bodies, appsServed: parts.flat().filter(({ buffer }) => buffer !== undefined).length };
}

function productInfoApp(
  { catalog, httpMinSize }: SimulationContext,
  app: CatalogApp,
  token: string | undefined,
  metadataOnly: boolean,
  fault: Fault | undefined,
): ProductInfoApp {
  const mayReadAll = app.access === "public" || (app.access === "token" && token === accessTokenOf(app.appid));
  const scope: Scope = mayReadAll ? "whole" : "public";
  if (fault?.kind === "left_out" && !metadataOnly) {
    return leftOutApp(app, catalog.body(app, scope).bytes.toString(), fault);
  }
  const { sha, size } = catalog.sha(app, scope);
  const older = fault?.kind === "wrong_older_change_number" ? (fault.by ?? 1_000) : 0;
  const info: ProductInfoApp = {
    appid: app.appid,
    change_number: app.changeNumber - older,
    missing_token: !mayReadAll,
    sha,
    only_public: !mayReadAll,
    // The size includes the NUL that the wire adds, the SHA-1 does not; captured replies show the same.
    size: size + 1,
  };
  if (metadataOnly || fault?.kind === "no_buffer" || info.size >= httpMinSize) return info;
  const { bytes, wire } = catalog.body(app, scope);
  const cut = fault?.kind === "truncated" && Buffer.concat([bytes.subarray(0, bytes.length / 2), Buffer.of(0)]);
  return { ...info, buffer: cut || wire };
}

/** The app with a part of its text left out. */
function leftOutApp({ appid, changeNumber }: CatalogApp, text: string, fault: FaultOf<"left_out">): ProductInfoApp {
  return givenApp(appid, { changeNumber, text: withoutPart(appid, text, fault.what), flag: fault.flag });
}

/** The app with any text; the SHA-1 is that of what is sent. */
function givenApp(appid: number, { changeNumber, text, flag }: GivenAnswer): ProductInfoApp {
  const wire = Buffer.from(`${text}\0`);
  return {
    appid,
    change_number: changeNumber,
    missing_token: flag === "missing_token",
    sha: hash("sha1", wire.subarray(0, -1), "buffer"),
    only_public: flag === "only_public",
    size: wire.length,
    buffer: wire,
  };
}

function withoutPart(appid: number, text: string, what: FaultOf<"left_out">["what"]): string {
  if (what === "root") return '"appinfo"\n{\n}\n';
  if (what === "everything") return `"appinfo"\n{\n\t"appid"\t\t"${appid}"\n}\n`;
  const section = what === "empty_common" ? "common" : what;
  const start = text.indexOf(`\n\t"${section}"\n\t{\n`);
  const end = start < 0 ? -1 : text.indexOf("\n\t}\n", start);
  if (end < 0) return text;
  const rest = what === "empty_common" ? '\n\t"common"\n\t{\n\t}' : "";
  return `${text.slice(0, start)}${rest}${text.slice(end + 3)}`;
}

function accessTokens({ catalog }: SimulationContext, { ids, packages }: PicsRequest): Uint8Array {
  // Apps without secrets have the token 0, as Steam grants it; unknown ones are denied.
  const isDenied = (appid: number) => (catalog.apps.get(appid)?.access ?? "denied") === "denied";
  const isPublic = (appid: number) => catalog.apps.get(appid)?.access === "public";
  return messages.accessTokenResponse.encode({
    app_access_tokens: ids
      .filter((appid) => !isDenied(appid))
      .map((appid) => ({ appid, access_token: isPublic(appid) ? "0" : accessTokenOf(appid) })),
    app_denied_tokens: ids.filter(isDenied),
    package_denied_tokens: packages,
  });
}

function tagNames(ids: number[]): Uint8Array {
  const tags = ids.flatMap((tagid) => {
    const name = storeTags.get(tagid);
    return name ? [{ tagid, english_name: name, name }] : [];
  });
  return messages.tagNamesResponse.encode({ tags });
}

function categoryNames(): Uint8Array {
  const categories = [...storeCategories].map(([categoryid, display_name]) => ({
    categoryid,
    type: 2,
    internal_name: `internal_${categoryid}`,
    display_name,
  }));
  return messages.categoryNamesResponse.encode({ categories });
}
