import { setTimeout as delay } from "node:timers/promises";
import type { Service } from "../service.ts";
import type { ForkedSteam } from "../steam/child.ts";
import type { Random } from "../steam/random.ts";
import type { SimulatedRequestKind } from "../steam/request-log.ts";

const pollMs = 3;

/** When to kill: `delayMs` after the start, or after the n-th request of a kind that the process makes. */
export interface Moment {
  after: SimulatedRequestKind | "start";
  count: number;
  delayMs: number;
}

/** The moment near the end of a run comes last, since it leaves later runs nothing to fetch. */
export function planMoments(random: Random, kills: number): Moment[] {
  const moments = Array.from({ length: kills }, () => drawMoment(random));
  if (kills > 1) moments[kills - 1] = { after: "tag_names", count: 1, delayMs: random.int(0, 40) };
  // Whatever is drawn, one falls when some batches are stored and others are between fetch and write.
  moments[0] = { after: "product_info", count: random.int(7, 9), delayMs: random.int(20, 60) };
  return moments;
}

function drawMoment(random: Random): Moment {
  const after = random.weighted<Moment["after"]>([
    [3, "start"],
    [1, "logon"],
    [2, "metadata"],
    [8, "product_info"],
    [2, "access_tokens"],
  ]);
  if (after === "start") return { after, count: 0, delayMs: random.int(50, 2_000) };
  if (after === "metadata") return { after, count: random.int(1, 6), delayMs: random.int(0, 40) };
  // A reply takes 20 ms and a write some tens.
  return { after, count: random.int(1, after === "product_info" ? 9 : 2), delayMs: random.int(0, 90) };
}

export function anySweep(random: Random): Moment {
  return { after: "metadata", count: random.int(1, 20), delayMs: random.int(0, 40) };
}

export function describeMoment({ after, count, delayMs }: Moment): string {
  const place = after === "start" ? "after the start" : `after request ${count} of ${after}`;
  return `${delayMs} ms ${place}`;
}

export interface Turn {
  killed: boolean;
  code: number | null;
  /** Apps that the process reported as stored just before it was killed; 0 when it did not answer. */
  reportedDone: number;
  leasesLost: number;
  lastWords: string;
}

/** Lets the process run until its moment comes, and kills it. */
export async function runUntil(moment: Moment, service: Service, steam: ForkedSteam): Promise<Turn> {
  const gone = new AbortController();
  void service.exited.then(() => gone.abort());
  let reportedDone = 0;
  try {
    if (moment.after !== "start") await requestsMade(moment.after, moment.count, steam, gone.signal);
    await delay(moment.delayMs, undefined, { signal: gone.signal });
    reportedDone = await doneSoFar(service);
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  } finally {
    await service.stop();
  }
  const { code, signal } = await service.exited;
  const lastWords = JSON.stringify(service.logs.at(-1));
  return { killed: signal === "SIGKILL", code, reportedDone, leasesLost: leasesLostBy(service), lastWords };
}

async function requestsMade(kind: SimulatedRequestKind, count: number, steam: ForkedSteam, signal: AbortSignal) {
  const countSoFar = async () => (await steam.call("stats")).counts[kind];
  const before = await countSoFar();
  while ((await countSoFar()) < before + count) await delay(pollMs, undefined, { signal });
}

async function doneSoFar(service: Service): Promise<number> {
  if (service.logs.length === 0) return 0; // It does not listen yet.
  try {
    const { body } = await service.get("/status");
    return (body.bulk as { done: number } | null)?.done ?? 0;
  } catch {
    return 0; // It does not listen any more.
  }
}

/** Apps whose lease expired on a slow machine while the process lived; they are fetched again. */
export function leasesLostBy(service: Service): number {
  const lines = service.logs.filter(({ message }) => /^(the )?lease (had )?expired/.test(message));
  return lines.reduce((sum, { apps }) => sum + Number(apps), 0);
}
