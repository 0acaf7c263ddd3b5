import { setTimeout as delay } from "node:timers/promises";
import type { Service } from "../service.ts";
import type { Random } from "../steam/random.ts";
import type { Halts, Place } from "./collector-targets.ts";
import { type Asked, type CollectorWeb, listPageSize } from "./collector-web.ts";
import type { Day } from "./collector-world.ts";

/** When to kill. Counts begin at the start of the process. */
export type Moment =
  /** At the `count`-th request of a phase, which is never answered. */
  | { at: "request"; place: Place; count: number }
  /** `delayMs` after the `count`-th answer. */
  | { at: "answer"; place: Place; count: number; delayMs: number }
  /** In the middle of a transaction, which then commits or rolls back. */
  | { at: "write"; place: Place; count: number; end: "commit" | "rollback" };

/**
 * The phases in which the processes of each day are killed, in an order in which every process reaches its phase: one that resumes
 * applying a list reads none, and pages and details come once a day. Two kills in a row in one phase hit a resumed phase.
 */
const placesByDay: readonly (readonly Place[])[] = [
  ["reading", "applying", "pages", "details", "details"],
  ["reading", "applying", "pages", "pages"],
];
export const killsInAll = placesByDay.flat().length;

/** The moments of each day. `halting` is whether transactions can be halted. */
export function planMoments(random: Random, days: readonly Day[], batchSize: number, halting: boolean): Moment[][] {
  return days.map((day, number) => {
    const places = placesByDay[number] ?? [];
    return places.map((place) => {
      const { requests, writes } = sizeOf(day, place, batchSize);
      // Work that is done once a day is shared by all its kills.
      const times = place === "pages" || place === "details" ? places.filter((other) => other === place).length : 1;
      if (halting && random.chance(0.5)) return drawWrite(random, place, Math.floor(writes / times));
      return drawRequest(random, place, Math.floor(requests / times));
    });
  });
}

/** Lower bounds of the requests and writes of a phase. */
function sizeOf({ lists, pages, due }: Day, place: Place, batchSize: number): { requests: number; writes: number } {
  const listed = Object.values(lists).flat().length;
  if (place === "reading")
    return { requests: Math.floor(lists.games.length / listPageSize) + 4, writes: Math.floor(listed / batchSize) };
  if (place === "applying") return { requests: 1, writes: Math.floor(listed / batchSize) };
  if (place === "pages") return { requests: pages.length, writes: Math.floor(pages.flat().length / batchSize) };
  return { requests: due.length, writes: Math.floor(due.length / batchSize) };
}

function drawWrite(random: Random, place: Place, writes: number): Moment {
  // The first write of a crawl begins it, before its first page.
  const count = random.int(1, writes) + (place === "pages" ? 1 : 0);
  return { at: "write", place, count, end: random.pick(["commit", "rollback"]) };
}

function drawRequest(random: Random, place: Place, requests: number): Moment {
  // There are no requests while a list is applied, which begins after the last answer.
  if (place === "applying") return { at: "answer", place, count: 1, delayMs: random.int(10, 200) };
  const count = random.int(1, requests);
  return random.chance(0.5)
    ? { at: "request", place, count }
    : { at: "answer", place, count, delayMs: random.int(0, place === "pages" ? 15 : 40) };
}

/** A moment that every process reaches. */
export function anyMoment(random: Random): Moment {
  return { at: "request", place: "reading", count: random.int(1, 5) };
}

export function describeMoment(moment: Moment): string {
  const { at, place, count } = moment;
  if (at === "write") return `${place}, halfway through write ${count}, then ${moment.end}`;
  if (at === "answer") return `${place}, ${moment.delayMs} ms after answer ${count}`;
  return `${place}, at request ${count}`;
}

function isOf(place: Place, asked: Asked): boolean {
  if (place === "reading") return asked.kind === "app_list";
  if (place === "applying") return asked.kind === "app_list" && asked.isLast;
  return asked.kind === (place === "pages" ? "all" : "appdetails");
}

export interface Turn {
  killed: boolean;
  code: number | null;
  asked: Asked[];
  lastWords: string;
}

/** Starts a process and kills it at the moment; without a moment it runs to its end. */
export async function runUntil(
  moment: Moment | null,
  start: () => Service,
  web: CollectorWeb,
  halts: Halts | null,
): Promise<Turn> {
  web.taken();
  if (moment?.at === "write") await halts?.arm(moment.place, moment.count);
  const service = start();
  const gone = new AbortController();
  const exited = service.exited.finally(() => gone.abort());
  try {
    if (moment) {
      const came = comes(moment, web, halts, gone.signal).catch((error: unknown) => {
        if (!gone.signal.aborted) throw error;
      });
      await Promise.race([came, exited]);
      service.kill("SIGKILL");
    }
    const { code, signal } = await exited;
    const lastWords = JSON.stringify(service.logs.at(-1));
    return { killed: signal === "SIGKILL", code, asked: web.taken(), lastWords };
  } finally {
    web.watch(null);
    await service.stop();
    if (moment?.at === "write") await halts?.release(moment.end);
  }
}

const never = new Promise(() => {});

async function comes(moment: Moment, web: CollectorWeb, halts: Halts | null, signal: AbortSignal): Promise<void> {
  if (moment.at === "write") return halts?.halted(signal);
  let left = moment.count;
  await new Promise<void>((resolve) => {
    web.watch({
      async asked(request) {
        if (moment.at !== "request" || !isOf(moment.place, request)) return;
        left -= 1;
        if (left > 0) return;
        resolve();
        await never;
      },
      answered(request) {
        if (moment.at !== "answer" || !isOf(moment.place, request)) return;
        left -= 1;
        if (left === 0) resolve();
      },
    });
  });
  if (moment.at === "answer") await delay(moment.delayMs, undefined, { signal });
}
