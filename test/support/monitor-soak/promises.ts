import { setTimeout as delay } from "node:timers/promises";
import type { Sql } from "../independent-reading/compare.ts";
import type { Catalog } from "../steam/catalog.ts";
import { type InDatabase, standing } from "./database.ts";

/** Invariants that hold at any time, sampled while the noise goes on. */
export interface PromiseWatch {
  /** In words. */
  readonly violations: string[];
  readonly samples: number;
  stop(): Promise<void>;
}

const sampleMs = 400;
const mostReported = 5;

/**
 * Samples two promises of the cursor: it never goes back, and every change up to it is stored or pending. A gap that is
 * closed over a silent sweep, and an empty answer that is believed, break the second one.
 */
export function watchPromises(inDatabase: InDatabase, catalog: Catalog): PromiseWatch {
  const stopping = new AbortController();
  const violations: string[] = [];
  const lost = new Map<number, number>();
  let highest = 0;
  let samples = 0;

  async function sample(sql: Sql): Promise<void> {
    const { cursor } = await standing(sql);
    if (cursor < highest) violations.push(`the cursor went back from ${highest} to ${cursor}`);
    highest = Math.max(highest, cursor);
    for (const { appid, change } of await lostChanges(sql, catalog)) {
      if (lost.get(appid) === change) continue;
      lost.set(appid, change);
      if (lost.size <= mostReported) {
        violations.push(`app ${appid}: change ${change} is neither stored nor pending, and the cursor is past it`);
      }
    }
    samples += 1;
  }

  const loop = async () => {
    while (!stopping.signal.aborted) {
      await inDatabase(sample).catch(() => {}); // The server may be away.
      await delay(sampleMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const ended = loop();
  return {
    violations,
    get samples() {
      return samples;
    },
    async stop() {
      stopping.abort();
      await ended;
      if (lost.size > mostReported) violations.push(`${lost.size} apps with lost changes in all`);
    },
  };
}

/** Changes of apps that Steam has, up to the cursor, that are neither stored nor pending. */
async function lostChanges(sql: Sql, catalog: Catalog): Promise<{ appid: number; change: number }[]> {
  const apps = [...catalog.apps.values()].map(({ appid, changeNumber }) => ({ appid, changeNumber }));
  const rows = await sql(
    `select announced.appid, announced.change
     from unnest($1::integer[], $2::bigint[]) as announced(appid, change)
     left join sync_status s on s.appid = announced.appid
     where announced.change <= (select last_change_number from pics_sync_state)
       and s.pics_pending_change is null and coalesce(s.pics_change_number, 0) < announced.change`,
    [apps.map(({ appid }) => appid), apps.map(({ changeNumber }) => changeNumber)],
  );
  return (
    rows
      .map((row) => ({ appid: Number(row.appid), change: Number(row.change) }))
      // Still so: the app was not removed while the query ran.
      .filter(({ appid, change }) => catalog.apps.get(appid)?.changeNumber === change)
  );
}
