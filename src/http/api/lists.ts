import { companyKinds, labelKinds } from "../../catalog/views.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { companyFilters, words } from "./parameters.ts";
import { activity, companyPage, faults, labelList, summary } from "./replies.ts";
import type { ApiParts, ApiScope } from "./scope.ts";

/** What apps can be asked for by, and the catalog in numbers. */
export function registerLists(scope: ApiScope, { catalog }: ApiParts): void {
  for (const kind of labelKinds) {
    scope.get(
      `/${kind}`,
      {
        schema: {
          tags: ["Lists"],
          summary: `All ${kind} with the number of apps that carry each, the most used first`,
          description: "Counted anew every few seconds to minutes, depending on how long it takes.",
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
          summary: `All ${kind} by name, with the number of their apps`,
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
        summary: "The catalog in numbers: apps by type, Steam Deck verdicts, the most used tags",
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
        summary: "How much changed in each minute of the last hour",
        response: { 200: activity, ...faults },
      },
    },
    async () => ({ data: await catalog().activity() }),
  );
}
