import type { z } from "zod";
import type { AppSort } from "../../catalog/views.ts";
import { type AppQuery, appRelations } from "../../db/catalog-reader.ts";
import { Problem } from "../problem.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { appFilters, appidPath, changesOfApp, words } from "./parameters.ts";
import { appPage, appView, changePage, faults, missing } from "./replies.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";

/** Routes of the catalog: one app, its history, and the list of apps. */
export function registerApps(scope: ApiScope, deps: ApiDeps): void {
  registerApp(scope, deps);
  registerAppChanges(scope, deps);
  registerAppList(scope, deps);
}

function registerApp(scope: ApiScope, { catalog }: ApiDeps): void {
  scope.get(
    "/apps/:appid",
    {
      schema: {
        tags: ["Apps"],
        summary: "One app with all its fields",
        description:
          "`synced_at` and `change_number` say how fresh it is. The reply has an `ETag`; send it as `If-None-Match` to get 304 while nothing changes.",
        params: appidPath,
        response: { 200: appView, ...missing, ...faults },
      },
    },
    async ({ params: { appid } }) => {
      const app = await catalog().app(appid);
      if (app === null) throw new Problem(404, `App ${appid} is not stored.`);
      return app;
    },
  );
}

function registerAppChanges(scope: ApiScope, { catalog }: ApiDeps): void {
  scope.get(
    "/apps/:appid/changes",
    {
      schema: {
        tags: ["Changes"],
        summary: "Changes of one app, field by field, newest first",
        params: appidPath,
        querystring: changesOfApp,
        response: { 200: changePage, ...faults },
      },
    },
    async ({ params: { appid }, query: { limit, before } }) => {
      const { changes, last_id, has_more } = await catalog().changes({ max: limit, appid, before });
      return { data: changes, last_id, has_more, next_before: has_more ? (changes.at(-1)?.id ?? null) : null };
    },
  );
}

function registerAppList(scope: ApiScope, { catalog }: ApiDeps): void {
  scope.get(
    "/apps",
    {
      schema: {
        tags: ["Apps"],
        summary: "Apps that match all filters",
        description:
          "Paginated by cursor: repeat the request with `cursor` = `next` of the previous page and the same filters until `next` is null.",
        querystring: appFilters,
        response: { 200: appPage, ...faults },
      },
    },
    async ({ query }) => {
      const page = await catalog().apps(toAppQuery(query));
      if ("unknown" in page) {
        const [parameter, value] = page.unknown;
        const detail = `unknown ${parameter} "${value}"`;
        throw new Problem(400, `The query is invalid: ${detail}.`, [{ parameter, detail }]);
      }
      return { data: page.apps, next: page.next && encodeCursor(query.sort, page.next) };
    },
  );
}

function toAppQuery(query: z.output<typeof appFilters>): AppQuery {
  const { sort, cursor, limit, type, deck, platform, q, parent, free, active } = query;
  return {
    max: limit,
    sort: sort.replace("-", "") as AppSort,
    descending: sort.startsWith("-"),
    after: cursor === undefined ? undefined : decodeCursor(sort, cursor),
    relations: appRelations.flatMap((relation) => (query[relation] ?? []).map((value) => [relation, value] as const)),
    types: type?.map((name) => name.toLowerCase()),
    deck,
    platforms: platform,
    parent,
    free,
    active,
    released_since: query.released_since,
    released_before: query.released_before,
    changed_since: query.changed_since,
    words: words(q),
  };
}
