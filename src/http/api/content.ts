import type { FastifyRequest } from "fastify";
import { appInfoView, steamcmdInfo } from "../../catalog/content-views.ts";
import { type KeyValuesJson, keyValuesToJson, parseKeyValues } from "../../catalog/key-values.ts";
import type { KeptInfo } from "../../db/catalog-queries.ts";
import { maxInfoBytes } from "../../db/catalog-reader.ts";
import { Problem } from "../problem.ts";
import { notStored } from "./apps.ts";
import { decodeCursor, depotAppKey, encodeCursor } from "./cursor.ts";
import { appidPath, depotFilters, depotPath, noParameters, steamcmdOptions } from "./parameters.ts";
import { branchList, depotAppPage, depotList, faults, missing } from "./replies.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";

/** Routes of what an app consists of: its app info as Steam sent it, its branches, and its depots. */
export function registerContent(scope: ApiScope, deps: ApiDeps): void {
  registerInfo(scope, deps);
  registerBranches(scope, deps);
  registerDepots(scope, deps);
}

function registerInfo(scope: ApiScope, deps: ApiDeps): void {
  const notKept = missing(
    `the app is not stored, or its text is not kept (\`KEEP_APP_INFO\`) or has more than ${maxInfoBytes} bytes`,
  );

  scope.get(
    "/apps/:appid/info",
    {
      schema: {
        operationId: "getAppInfo",
        tags: ["Content"],
        summary: "App info of one app as Steam sent it, as JSON",
        params: appidPath,
        querystring: noParameters,
        response: { 200: appInfoView, ...notKept, ...faults },
      },
    },
    async (request) => {
      const { appid } = request.params;
      const { kept, info } = await readInfo(deps, request);
      const { change_number, sha1, size, partial, fetched_at } = kept;
      return { appid, change_number, sha1, size, partial, fetched_at, info };
    },
  );

  scope.get(
    "/info/:appid",
    {
      schema: {
        operationId: "getSteamcmdInfo",
        tags: ["Content"],
        summary: "App info of one app in the shape of the public steamcmd API (api.steamcmd.net)",
        description: "For programs written for that API: only the host name changes. Errors have this API's form.",
        params: appidPath,
        querystring: steamcmdOptions,
        response: { 200: steamcmdInfo, ...notKept, ...faults },
      },
    },
    async (request, reply) => {
      const { appid } = request.params;
      const { pretty = "" } = request.query;
      const { kept, info } = await readInfo(deps, request);
      const { change_number, missing_token, sha1, size } = kept;
      const head = { _change_number: change_number, _missing_token: missing_token, _sha: sha1, _size: size };
      if (/^(1|true|yes|on)$/i.test(pretty)) {
        reply.type("application/json; charset=utf-8").serializer((body: unknown) => JSON.stringify(body, null, 4));
      }
      return { data: { [appid]: { ...head, ...info } }, status: "success" as const };
    },
  );
}

/** @throws {Problem} 404 when the app is not stored, or no text of it is kept, or one that is too large. */
async function readInfo(
  { catalog, settings }: ApiDeps,
  request: FastifyRequest & { params: { appid: number } },
): Promise<{ kept: KeptInfo; info: KeyValuesJson }> {
  const { appid } = request.params;
  const { kept } = (await catalog(request).info(appid)) ?? notStored(appid);
  if (kept === null) {
    const why = settings.keep.appInfo
      ? "it was stored while KEEP_APP_INFO was off; `bulk-sync --full` fetches it again"
      : "KEEP_APP_INFO is off; switch it on and run `bulk-sync --full`";
    throw new Problem(404, `No app info of app ${appid} is kept: ${why}.`);
  }
  if (kept.text === null) {
    throw new Problem(404, `The app info of app ${appid} has ${kept.size} bytes; at most ${maxInfoBytes} are served.`);
  }
  const [info] = Object.values(keyValuesToJson(parseKeyValues(kept.text)));
  return { kept, info: typeof info === "object" ? info : {} };
}

function registerBranches(scope: ApiScope, { catalog }: ApiDeps): void {
  scope.get(
    "/apps/:appid/branches",
    {
      schema: {
        operationId: "listAppBranches",
        tags: ["Content"],
        summary: "Branches of one app with their builds, public first",
        params: appidPath,
        querystring: noParameters,
        response: { 200: branchList, ...missing("the app is not stored"), ...faults },
      },
    },
    async (request) => {
      const { appid } = request.params;
      return { data: (await catalog(request).branches(appid)) ?? notStored(appid), next: null };
    },
  );
}

function registerDepots(scope: ApiScope, { catalog, settings }: ApiDeps): void {
  /** Without `KEEP_DEPOTS` an empty list says nothing about Steam. */
  function requireKept(what: string): void {
    if (settings.keep.depots) return;
    throw new Problem(404, `No ${what} is kept: KEEP_DEPOTS is off; switch it on and run \`bulk-sync --full\`.`);
  }

  scope.get(
    "/apps/:appid/depots",
    {
      schema: {
        operationId: "listAppDepots",
        tags: ["Content"],
        summary: "Depots of one app with their manifests",
        params: appidPath,
        querystring: noParameters,
        response: {
          200: depotList,
          ...missing("the app is not stored, or depots are not kept (`KEEP_DEPOTS`)"),
          ...faults,
        },
      },
    },
    async (request) => {
      const { appid } = request.params;
      const depots = (await catalog(request).depots(appid)) ?? notStored(appid);
      if (depots.length === 0) requireKept(`depot of app ${appid}`);
      return { data: depots, next: null };
    },
  );

  scope.get(
    "/depots/:id",
    {
      schema: {
        operationId: "getDepot",
        tags: ["Content"],
        summary: "Whose depot is this: the apps that have it, its owner first",
        description:
          "The owner is the app with `from_appid` null; the others share the depot from the app that it names.",
        params: depotPath,
        querystring: depotFilters,
        response: {
          200: depotAppPage,
          ...missing("no stored app has it, or depots are not kept (`KEEP_DEPOTS`)"),
          ...faults,
        },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { limit, cursor } = request.query;
      const [shared, appid] = cursor === undefined ? [] : decodeCursor("depot", depotAppKey, cursor);
      const after = shared === undefined || appid === undefined ? undefined : { shared, appid };
      const { apps, has_more } = await catalog(request).appsOfDepot({ depot_id: id, max: limit, after });
      if (apps.length === 0 && after === undefined) {
        requireKept(`depot ${id}`);
        throw new Problem(404, `No stored app has depot ${id}.`);
      }
      const last = apps.at(-1);
      const next = has_more && last ? encodeCursor("depot", [last.from_appid !== null, last.appid]) : null;
      return { depot_id: id, data: apps, next };
    },
  );
}
