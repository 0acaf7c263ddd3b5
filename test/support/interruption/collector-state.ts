import type { Dump, Sql } from "../dump.ts";
import { emptyMetadata } from "../web/read-steamspy.ts";

/** The stored rows and the cursors of a collector at a moment of a day. */
export interface Stored {
  /** Phase of the list run; null if none was begun or the last one is finished. */
  listPhase: "reading" | "applying" | null;
  /** While reading. */
  listCursor: Record<string, { after: number; complete: boolean }>;
  /** Apps up to this appid are in the state of the day's lists, later ones as before. */
  appliedUpTo: number;
  /** Apps processed by the last finished run; null during a run. */
  applied: number | null;
  /** Pages of this day's crawl that are saved completely; the next one may be saved in part. */
  pages: number;
  /** Games whose details were saved on this day. */
  details: Set<number>;
  /** Rows as text, without times. */
  apps: Map<number, string>;
  /** `kind appid` of the listed apps. */
  members: Set<string>;
  /** The columns of {@link emptyMetadata}. */
  metadata: Map<number, Record<string, unknown>>;
}

const isOfToday = "> now() - interval '12 hours'";

export async function readStored(sql: Sql): Promise<Stored> {
  const [state = {}] = await sql(`
    select list_phase, list_cursor, list_counts, list_completed_at ${isOfToday} as is_listed,
      case when pass_started_at ${isOfToday} then case when pass_completed_at is null then pass_page else 999 end else 0 end as pages
    from collector_state`);
  const games = await sql(
    `select appid, fetched_at ${isOfToday} as is_saved, ${Object.keys(emptyMetadata()).join()} from game_metadata`,
  );
  const listPhase = state.list_phase as Stored["listPhase"];
  const cursor = state.list_cursor as Record<string, unknown>;
  const whileApplying = listPhase === "applying" ? Number(cursor.after) : 0;
  return {
    listPhase,
    listCursor: listPhase === "reading" ? (cursor as Stored["listCursor"]) : {},
    appliedUpTo: state.is_listed ? Number.POSITIVE_INFINITY : whileApplying,
    applied:
      state.is_listed && listPhase === null ? Number((state.list_counts as Record<string, unknown>).applied) : null,
    pages: Number(state.pages),
    details: new Set(games.filter(({ is_saved }) => is_saved).map(({ appid }) => Number(appid))),
    apps: new Map((await sql(appRows)).map(({ appid, row }) => [Number(appid), JSON.stringify(row)])),
    members: new Set(
      (await sql("select kind, appid from app_list_entries where is_member")).map(
        ({ kind, appid }) => `${kind} ${appid}`,
      ),
    ),
    metadata: new Map(games.map(({ appid, is_saved, ...row }) => [Number(appid), row])),
  };
}

/** The tables that a collector fills, without times and run state. */
export async function dumpCollected(sql: Sql): Promise<Dump> {
  const tables: Record<string, string> = {
    apps: appRows,
    app_list_entries: "select kind, appid, name, is_member from app_list_entries",
    game_metadata: `
      select to_jsonb(m) || jsonb_build_object(
        'last_updated', last_updated is not null, 'last_listed_at', last_listed_at is not null, 'fetched_at', fetched_at is not null
      ) as row
      from game_metadata m`,
    sync_status: "select appid, last_steamspy_sync is not null as is_synced from sync_status",
  };
  const dump: Dump = new Map();
  for (const [table, query] of Object.entries(tables)) {
    dump.set(table, (await sql(query)).map((row) => JSON.stringify(row)).sort());
  }
  return dump;
}

const appRows = "select appid, to_jsonb(a) - array['created_at', 'updated_at'] as row from apps a";
