import type { z } from "zod";
import type { AppSort } from "../../catalog/list-views.ts";
import { appView } from "../../catalog/views.ts";
import { type AppQuery, type AppRelation, appRelations } from "../../db/catalog-queries.ts";
import { typeIsLeftOut } from "../../db/catalog-reader.ts";
import { Problem } from "../problem.ts";
import { appKeys, decodeCursor, encodeCursor } from "./cursor.ts";
import { appFilters, appidPath, maxRelations, noParameters, type sorts, words } from "./parameters.ts";
import { appPage, faults, missing } from "./replies.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";
import { undocumented, unknownValue } from "./unknown-values.ts";
import { problemOf } from "./validation.ts";

/** Routes of the catalog: the list of apps, and one app. */
export function registerApps(scope: ApiScope, { catalog }: ApiDeps): void {
  scope.get(
    "/apps",
    {
      config: { isCacheable: true },
      schema: {
        operationId: "listApps",
        tags: ["Apps"],
        summary: "Apps that match all filters",
        description: "To read on, repeat the request with `cursor` = `next` and the same filters until `next` is null.",
        querystring: appFilters,
        response: { 200: appPage, ...faults },
      },
    },
    async (request) => {
      const { query } = request;
      const reader = catalog(request);
      const sort = query.sort ?? (query.q === undefined ? "appid" : "relevance");
      const page = await reader.apps(toAppQuery({ ...query, sort }));
      if ("unknown" in page) throw await unknownValue(reader, page.unknown);
      const next = page.next && encodeCursor(sort, [page.next.key, page.next.appid]);
      return { data: page.apps, next };
    },
  );

  scope.get(
    "/apps/:appid",
    {
      config: { isCacheable: true },
      schema: {
        operationId: "getApp",
        tags: ["Apps"],
        summary: "One app with all its fields",
        description: "`synced_at` and `change_number` say how fresh it is.",
        params: appidPath,
        querystring: noParameters,
        response: { 200: appView, ...missing("the app is not stored"), ...faults },
      },
    },
    async (request) => {
      const { appid } = request.params;
      const reader = catalog(request);
      return (await reader.app(appid)) ?? notStored(appid, await reader.skippedType(appid));
    },
  );
}

/** @throws {Problem} 404, always. */
export function notStored(appid: number, skippedType: string | null = null): never {
  const why = skippedType === null ? "" : ` ${typeIsLeftOut(skippedType)}`;
  throw new Problem(404, `App ${appid} is not stored.${why}`);
}

/** @throws {Problem} 400 when there are more than {@link maxRelations}. */
export function relationsOf(query: Partial<Record<AppRelation, string[] | undefined>>): [AppRelation, string][] {
  const relations = appRelations.flatMap((relation) =>
    [...new Set(query[relation])].map((value): [AppRelation, string] => [relation, value]),
  );
  const [parameter] = relations[maxRelations] ?? [];
  if (parameter === undefined) return relations;
  const detail = `${appRelations.join(", ")} take at most ${maxRelations} values together`;
  throw problemOf([{ parameter, detail }]);
}

function toAppQuery(query: z.output<typeof appFilters> & { sort: (typeof sorts)[number] }): AppQuery {
  const { sort, cursor, limit, appid, type, deck, machine, frame, ai, vr, platform, q, parent, free, active } = query;
  const sortedBy = sort.replace("-", "") as AppSort;
  if (sortedBy === "relevance" && q === undefined) {
    throw problemOf([{ parameter: "sort", detail: "relevance needs q, the words that are searched for" }]);
  }
  const [key, last] = cursor === undefined ? [null, null] : decodeCursor(sort, appKeys[sortedBy], cursor);
  const types = type?.map((name) => name.toLowerCase());
  const platforms = platform?.map((name) => name.toLowerCase());
  return {
    max: limit,
    sort: sortedBy,
    descending: sort.startsWith("-"),
    after: last === null ? undefined : { key, appid: last },
    relations: relationsOf(query),
    required: undocumented({ types, platforms }),
    appids: appid,
    types,
    deck,
    machine,
    frame,
    ai,
    vr,
    platforms,
    parent,
    free,
    active,
    released_since: query.released_since,
    released_before: query.released_before,
    changed_since: query.changed_since,
    words: q === undefined ? undefined : words(q),
  };
}
