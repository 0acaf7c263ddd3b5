import { catalogSummary, companyKinds, labelKinds } from "../../catalog/list-views.ts";
import { companyKey, decodeCursor, encodeCursor } from "./cursor.ts";
import { companyFilters, noParameters, words } from "./parameters.ts";
import { activity, companyPage, faults, labelList } from "./replies.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";

/** Routes of the values that apps can be filtered by, and of the catalog's statistics. */
export function registerLists(scope: ApiScope, { catalog }: ApiDeps): void {
  for (const kind of labelKinds) {
    scope.get(
      `/${kind}`,
      {
        schema: {
          operationId: `list${capitalized(kind)}`,
          tags: ["Lists"],
          summary: `All ${kind} with the number of apps of each, most used first`,
          description: "The counts are cached for seconds to minutes, depending on how long the query takes.",
          querystring: noParameters,
          response: { 200: labelList, ...faults },
        },
      },
      async (request) => ({ data: await catalog(request).labels(kind), next: null }),
    );
  }

  for (const kind of companyKinds) {
    scope.get(
      `/${kind}`,
      {
        schema: {
          operationId: `list${capitalized(kind)}`,
          tags: ["Lists"],
          summary: `All ${kind} by name with the number of apps of each`,
          querystring: companyFilters,
          response: { 200: companyPage, ...faults },
        },
      },
      async (request) => {
        const { q, limit, cursor } = request.query;
        const [after] = cursor === undefined ? [] : decodeCursor(kind, companyKey, cursor);
        const { companies, has_more } = await catalog(request).companies({
          kind,
          max: limit,
          after,
          words: q === undefined ? undefined : words(q),
        });
        const last = companies.at(-1);
        return { data: companies, next: has_more && last ? encodeCursor(kind, [last.name]) : null };
      },
    );
  }

  scope.get(
    "/summary",
    {
      schema: {
        operationId: "getSummary",
        tags: ["Lists"],
        summary: "Statistics of the catalog: apps by type, Steam Deck verdicts, most used tags",
        querystring: noParameters,
        response: { 200: catalogSummary, ...faults },
      },
    },
    (request) => catalog(request).summary(),
  );

  scope.get(
    "/activity",
    {
      schema: {
        operationId: "listActivity",
        tags: ["Changes"],
        summary: "Number of changes in each minute of the last hour",
        querystring: noParameters,
        response: { 200: activity, ...faults },
      },
    },
    async (request) => ({ data: await catalog(request).activity(), next: null }),
  );
}

const capitalized = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
