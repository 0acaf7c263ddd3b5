import { appRelations } from "../../db/catalog-reader.ts";
import { Problem } from "../problem.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { appFilters, appidPath, changesOfApp, words } from "./parameters.ts";
import { appPage, appView, changePage, faults, missing } from "./replies.ts";
import type { ApiParts, ApiScope } from "./scope.ts";

/** The catalog: one app, its history, and lists of apps. */
export function registerApps(scope: ApiScope, { catalog }: ApiParts): void {
  scope.get(
    "/apps/:appid",
    {
      schema: {
        tags: ["Apps"],
        summary: "An app with everything that is stored of it",
        description: "`synced_at` and `change_number` say how fresh it is. Sends an `ETag`; `If-None-Match` gets 304.",
        params: appidPath,
        response: { 200: appView, ...missing, ...faults },
      },
    },
    async ({ params: { appid } }) => {
      const app = await catalog().app(appid);
      if (app === null) throw new Problem(404, `No app ${appid} is stored.`);
      return app;
    },
  );

  scope.get(
    "/apps/:appid/changes",
    {
      schema: {
        tags: ["Changes"],
        summary: "What changed on an app, field by field, the newest first",
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

  scope.get(
    "/apps",
    {
      schema: {
        tags: ["Apps"],
        summary: "Apps that fulfil all conditions",
        description: "Pages by cursor: hand `next` back as `cursor`, with the same conditions, until it is null.",
        querystring: appFilters,
        response: { 200: appPage, ...faults },
      },
    },
    async ({ query }) => {
      const { sort, cursor, limit, type, deck, platform, q, parent, free, active } = query;
      const page = await catalog().apps({
        max: limit,
        sort: sort.replace("-", "") as "appid",
        descending: sort.startsWith("-"),
        after: cursor === undefined ? undefined : decodeCursor(sort, cursor),
        relations: appRelations.flatMap((relation) =>
          (query[relation] ?? []).map((value) => [relation, value] as const),
        ),
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
      });
      if ("unknown" in page) {
        const [parameter, value] = page.unknown;
        const detail = `there is no ${parameter} "${value}"`;
        throw new Problem(400, `T${detail.slice(1)}.`, [{ parameter, detail }]);
      }
      return { data: page.apps, next: page.next && encodeCursor(sort, page.next) };
    },
  );
}
