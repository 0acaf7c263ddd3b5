import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { sendHttpBody } from "./bombs.ts";
import type { SimulationContext } from "./context.ts";
import type { Fault, FaultOf } from "./faults.ts";
import { type KeyValueBlock, toKeyValues } from "./key-values-writer.ts";
import { payloadHost } from "./pics-replies.ts";
import type { WebRequest, WebRoute } from "./proxy.ts";
import type { SimulatedRequestKind } from "./request-log.ts";
import { storeTags } from "./store-tags.ts";

const apiHost = "api.steampowered.com";
const maxListPage = 50_000;
const defaultListPage = 10_000;

/** Steam's own web APIs: the list of connection managers, the app list, the tag list, and the HTTP payloads of PICS. */
export function steamWebRoutes(context: SimulationContext): WebRoute[] {
  const counted =
    (
      kind: SimulatedRequestKind,
      answer: (request: WebRequest, response: ServerResponse, fault: Fault | null) => void | Promise<void>,
    ) =>
    async (request: WebRequest, response: ServerResponse) => {
      const appid = Number(/^\/appinfo\/(\d+)\//.exec(request.url.pathname)?.[1]);
      const ids = Number.isNaN(appid) ? [] : [appid];
      context.log.add(kind, ids);
      const { reply, delayMs } = context.faults.strike(kind, ids);
      if (reply?.kind === "hang") return;
      const waitMs = context.latencyMs + delayMs;
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (reply?.kind === "drop") response.destroy();
      else await answer(request, response, reply);
    };
  const countBytes = (count: number) => {
    context.log.httpBytesSent += count;
  };

  return [
    {
      host: apiHost,
      path: "/ISteamDirectory/GetCMListForConnect/",
      handle: counted("cm_list", (_request, response, fault) => {
        const how = fault?.kind === "cm_list" ? (fault.how ?? "http_500") : null;
        if (how === "http_500") response.writeHead(500).end("Internal Server Error");
        else if (how === "garbage") response.end('"response" { "serverlist" {{');
        else if (how === "bad_gzip") response.writeHead(200, { "content-encoding": "gzip" }).end("no gzip");
        else if (how === "endless") return sendHttpBody(response, "endless", Buffer.alloc(0), countBytes);
        else response.writeHead(200, { "content-type": "text/vdf" }).end(toKeyValues(cmList(how)));
      }),
    },
    {
      host: apiHost,
      path: "/IStoreService/GetAppList/v1",
      handle: counted("app_list", (request, response, fault) => {
        if (fault?.kind === "garbage") response.end("<html>Service Unavailable</html>");
        else if (fault?.kind === "app_list" && fault.how !== "no_apps") response.writeHead(fault.status ?? 500).end();
        else if (!isKeyRight(context, request)) response.writeHead(401).end("<html>Unauthorized</html>");
        else sendJson(response, { response: fault ? {} : appList(context, request.url.searchParams) });
      }),
    },
    {
      host: apiHost,
      path: "/IStoreService/GetTagList/v1",
      handle: counted("tag_list", (_request, response) => {
        const tags = [...storeTags].map(([tagid, name]) => ({ tagid, name }));
        sendJson(response, { response: { version_hash: "simulated", tags } });
      }),
    },
    {
      host: payloadHost,
      path: "/appinfo/",
      handle: counted("http_payload", (request, response, fault) => {
        const bytes = payload(context, request.url.pathname);
        const { status = 404, location, body } = fault?.kind === "http_payload" ? fault : {};
        if (body && bytes) return sendHttpBody(response, body, bytes, countBytes);
        if (fault?.kind === "http_payload") response.writeHead(status, { ...(location && { location }) }).end();
        else if (!bytes) response.writeHead(404).end();
        else response.writeHead(200, { "content-type": "application/gzip" }).end(gzipSync(bytes));
      }),
    },
  ];
}

const badEndpoints = ["127.0.0.1:443", "cm.steamserver.net:443/x?", "localhost:443", "a@b.example:443", "[::1]:443"];

function cmList(how: FaultOf<"cm_list">["how"] | null): KeyValueBlock {
  const servers = how === "empty" ? 0 : 5;
  const serverlist: KeyValueBlock = {};
  for (let i = 0; i < servers; i += 1) {
    serverlist[String(i)] = {
      endpoint: (how === "no_endpoints" && badEndpoints[i]) || `cmp${i + 1}-sim1.steamserver.net:443`,
      legacy_endpoint: `cmp${i + 1}-sim1.steamserver.net:443`,
      type: "websockets",
      dc: "sim1",
      realm: "steamglobal",
      load: 10 + i,
      wtd_load: `${10 + i}.5`,
    };
  }
  return { response: { serverlist, success: 1, message: "" } };
}

function isKeyRight({ apiKey }: SimulationContext, { url, headers }: WebRequest): boolean {
  const key = url.searchParams.get("key") ?? headers["x-webapi-key"] ?? "";
  return apiKey ? key === apiKey : key !== "";
}

function appList({ catalog }: SimulationContext, query: URLSearchParams) {
  const isOn = (name: string, fallback: boolean) =>
    query.has(name) ? ["1", "true"].includes(query.get(name) ?? "") : fallback;
  const kinds = (["games", "dlc", "software", "videos", "hardware"] as const).filter((kind) =>
    isOn(`include_${kind}`, kind === "games"),
  );
  const after = Number(query.get("last_appid") ?? 0);
  const modifiedSince = Number(query.get("if_modified_since") ?? 0);
  const max = Math.min(Number(query.get("max_results") ?? 0) || defaultListPage, maxListPage);
  const rest = [...catalog.apps.values()]
    .filter(({ appid, listKind }) => appid > after && listKind !== null && kinds.includes(listKind))
    .filter(({ lastModified }) => lastModified >= modifiedSince)
    .sort((a, b) => a.appid - b.appid);
  const page = rest.slice(0, max);
  return {
    apps: page.map(({ appid, name, lastModified, priceChangeNumber }) => ({
      appid,
      name,
      last_modified: lastModified,
      price_change_number: priceChangeNumber,
    })),
    ...(rest.length > max && { have_more_results: true, last_appid: page.at(-1)?.appid }),
  };
}

/** `/appinfo/{appid}/sha/{hex sha1}.txt.gz`; null when the SHA-1 is not that of the app's current text. */
function payload({ catalog }: SimulationContext, path: string): Buffer | null {
  const [, appid, sha] = /^\/appinfo\/(\d+)\/sha\/([0-9a-f]{40})\.txt\.gz$/.exec(path) ?? [];
  const app = catalog.apps.get(Number(appid));
  if (!app || !sha) return null;
  for (const scope of ["whole", "public"] as const) {
    const body = catalog.body(app, scope);
    if (body.sha.toString("hex") !== sha) continue;
    // Whether the text carries the NUL of the wire here is not known: for half of the apps it does.
    return Math.floor(app.appid / 10) % 2 === 0 ? body.wire : body.bytes;
  }
  return null;
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json; charset=UTF-8" }).end(JSON.stringify(value));
}
