import type { FastifyRequest } from "fastify";
import type { ChangeQuery, FeedPage } from "../../db/catalog-queries.ts";
import { Problem } from "../problem.ts";
import { decodeCursor, encodeCursor, feedKey } from "./cursor.ts";

/** What the routes of the two feeds, of changes and of events, have in common. */

interface PageRequest {
  after?: number | undefined;
  limit: number;
  cursor?: string | undefined;
}

/**
 * A page as the API serves it. All pages of a list say the same `last_id`, since what follows the first page is older: a
 * consumer resumes after the first.
 */
export async function feedPage<Item>(
  { after, limit, cursor }: PageRequest,
  read: (query: ChangeQuery) => Promise<FeedPage<Item>>,
): Promise<{ data: Item[]; next: string | null; last_id: number }> {
  const order = after === undefined ? "newest" : "oldest";
  const [from, firstLastId] = cursor === undefined ? [after] : decodeCursor(order, feedKey, cursor);
  const page = await read({ max: limit, [after === undefined ? "before" : "after"]: from });
  if (page.deleted_up_to !== undefined) throw gone(page.deleted_up_to);
  const { items, last_id, next } = page;
  const resume = after === undefined ? (firstLastId ?? last_id) : last_id;
  return {
    data: items,
    next: next === null ? null : encodeCursor(order, [next, resume]),
    last_id: resume,
  };
}

/** Where a stream begins: after the last event that the client has (`Last-Event-ID`), or `after`; null: with the next one. */
export function startOf({
  headers,
  query,
}: Pick<FastifyRequest, "headers"> & { query: { after?: number | undefined } }) {
  const lastEventId = /^\d{1,16}$/.exec(headers["last-event-id"]?.toString() ?? "")?.[0];
  const id = lastEventId === undefined ? (query.after ?? null) : Number(lastEventId);
  return id === null ? null : Math.min(id, Number.MAX_SAFE_INTEGER);
}

/** A stream also opens while the database is unreachable: it waits. @throws {Problem} 410 where it would begin with what is deleted. */
export async function requireKept(
  after: number | null,
  read: (query: ChangeQuery) => Promise<FeedPage<unknown>>,
): Promise<void> {
  if (after === null) return;
  const first = await read({ after, max: 1 }).catch(() => null);
  if (first?.deleted_up_to !== undefined) throw gone(first.deleted_up_to);
}

/** For a consumer that would otherwise miss something without noticing. */
function gone(deletedUpTo: number): Problem {
  const detail =
    `What happened up to id ${deletedUpTo} is deleted, since HISTORY_DAYS bounds the history, and what follows this position is among it. ` +
    "To go on: take `last_id` of a request without `after`, read the catalog again (/v1/apps), then follow from that `last_id`. " +
    `What is kept starts at after=${deletedUpTo}.`;
  return new Problem(410, detail);
}
