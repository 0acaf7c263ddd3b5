import { setTimeout as delay } from "node:timers/promises";
import { endBackoff, type InDatabase, passDay, passHour, type Standing, standing } from "./database.ts";

export interface Settled {
  settledMs: number;
  /** What was left to do at the limit, in words; null when everything announced was stored. */
  left: string | null;
}

const pauseMs = 100;

/** Waits until everything announced is stored. Backoff ends at once, and an hour passes. */
export async function settle(inDatabase: InDatabase, current: number, limitMs: number): Promise<Settled> {
  await inDatabase(passHour);
  return until(inDatabase, limitMs, ({ cursor, pending, failing }) =>
    cursor === current && pending === 0
      ? null
      : `${pending} apps pending, ${failing} failing, the cursor ${current - cursor} behind`,
  );
}

/** A day passes: a sweep compares everything, and what Steam withheld is fetched again. */
export async function settleWithheld(inDatabase: InDatabase, limitMs: number): Promise<Settled> {
  await inDatabase(passDay);
  let isSwept = false;
  return until(inDatabase, limitMs, async ({ pending }) => {
    isSwept ||= await inDatabase(async (sql) => {
      const [row] = await sql("select last_reconciled_at > now() - interval '1 hour' as done from pics_sync_state");
      return row?.done === true;
    });
    if (!isSwept) return "the sweep of the day is not complete";
    return pending === 0 ? null : `${pending} apps pending after the sweep of the day`;
  });
}

async function until(
  inDatabase: InDatabase,
  limitMs: number,
  open: (now: Standing) => string | null | Promise<string | null>,
): Promise<Settled> {
  const startedAt = performance.now();
  for (;;) {
    await inDatabase(endBackoff);
    const left = await open(await inDatabase(standing));
    const settledMs = performance.now() - startedAt;
    if (left === null || settledMs > limitMs) return { settledMs, left };
    await delay(pauseMs);
  }
}
