import { companyKinds, labelKinds } from "../../catalog/views.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { companyFilters, words } from "./parameters.ts";
import { activity, companyPage, faults, labelList, summary } from "./replies.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";

/** Routes of the values that apps can be filtered by, and of the catalog's statistics. */
export function registerLists(scope: ApiScope, { catalog }: ApiDeps): void {
  for (const kind of labelKinds) {
    scope.get(
      `/${kind}`,
      {
        schema: {
          tags: ["Lists"],
          summary: `All ${kind} with the number of apps of each, most used first`,
          description: "The counts are cached for seconds to minutes, depending on how long the query takes.",
          response: { 200: labelList, ...faults },
        },
      },
      async () => ({ data: await catalog().labels(kind) }),
    );
  }

  for (const kind of companyKinds) {
    scope.get(
      `/${kind}`,
      {
        schema: {
          tags: ["Lists"],
          summary: `All ${kind} by name with the number of apps of each`,
          querystring: companyFilters,
          response: { 200: companyPage, ...faults },
        },
      },
      async ({ query: { q, limit, cursor } }) => {
        const after = cursor === undefined ? undefined : (decodeCursor("name", cursor).key ?? undefined);
        const { companies, has_more } = await catalog().companies({ kind, max: limit, after, words: words(q) });
        const last = companies.at(-1);
        return { data: companies, next: has_more && last ? encodeCursor("name", { key: last.name, appid: 0 }) : null };
      },
    );
  }

  scope.get(
    "/summary",
    {
      schema: {
        tags: ["Lists"],
        summary: "Statistics of the catalog: apps by type, Steam Deck verdicts, most used tags",
        response: { 200: summary, ...faults },
      },
    },
    () => catalog().summary(),
  );

  scope.get(
    "/activity",
    {
      schema: {
        tags: ["Changes"],
        summary: "Number of changes in each minute of the last hour",
        response: { 200: activity, ...faults },
      },
    },
    async () => ({ data: await catalog().activity() }),
  );
}
