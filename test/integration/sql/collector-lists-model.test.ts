import fc from "fast-check";
import { expect, test } from "vitest";
import type { ListCounts } from "../../../src/collector/store.ts";
import { emptyTables, forEachSqlDatabase, record, useCatalog } from "./catalog.ts";
import { useCollecting, type Worker } from "./collector.ts";

/** Another seed each day; `SEED=` repeats a run. */
const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));
/** PGlite is the slower one, and runs the same SQL. */
const runs = { pglite: 3, postgres: 12, supabase: 0 };

const maxShrink = 0.5;
const allKinds = ["dlc", "games", "videos"];
const appids = Array.from({ length: 14 }, (_, index) => index + 1);

/** One step: changes of the lists and of PICS, then one run. */
interface Step {
  /** Apps removed from and added to Steam's lists. */
  lists: Record<string, { without: number[]; with: number[] }>;
  /** The kinds that the run reads. */
  kinds: string[];
  /** Names in the lists change with it. */
  version: number;
  /** Apps per page while reading, and per batch while applying. */
  part: number;
  max: number;
  /** Workers are killed after this number of calls: before the next one, or with its reply lost. */
  kills: { after: number; replyLost: boolean }[];
  /** The run is read, and neither accepted nor resumed. */
  isAbandoned: boolean;
  /** Apps that PICS stores, and then apps unknown to Steam, before the lists are read. */
  stored: number[];
  unknown: number[];
}

const some = (maxLength: number) => fc.uniqueArray(fc.constantFrom(...appids), { maxLength });
const change = fc.record({ without: some(5), with: some(4) });
const step: fc.Arbitrary<Step> = fc.record({
  lists: fc.record({ dlc: change, games: change, videos: change }),
  kinds: fc.oneof(fc.constant(allKinds), fc.subarray(allKinds, { minLength: 1 })),
  version: fc.integer({ min: 1, max: 2 }),
  part: fc.integer({ min: 2, max: 9 }),
  max: fc.integer({ min: 2, max: 12 }),
  kills: fc.array(fc.record({ after: fc.integer({ min: 0, max: 8 }), replyLost: fc.boolean() }), { maxLength: 3 }),
  isAbandoned: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
  stored: some(2),
  unknown: some(2),
});

/** A row of `app_changes`. */
type Change = [appid: number, old: boolean | null, now: boolean, changeNumber: number];

/** Reference model: what each list had when one was last accepted, and what follows for every app and its history. */
function createModel() {
  const members = new Map<string, number[]>();
  const apps = new Map<number, { listed: boolean | null; known: boolean; name: string; byPics: boolean }>();
  const changeNumbers = new Map<number, number>();
  const changes: Change[] = [];

  function isRefused(kind: string, now: number[]): boolean {
    const before = members.get(kind) ?? [];
    const vanished = before.filter((appid) => !now.includes(appid)).length;
    return vanished > Math.max(1, before.length * maxShrink) || (before.length > 0 && now.length === 0);
  }
  return {
    store(appid: number, name: string, changeNumber: number) {
      changeNumbers.set(appid, changeNumber);
      apps.set(appid, { listed: apps.get(appid)?.listed ?? null, known: true, name, byPics: true });
    },
    /** Whether it changes an app that PICS had stored. */
    forget(appid: number): boolean {
      const app = apps.get(appid);
      if (!app?.byPics || !app.known) return false;
      app.known = false;
      return true;
    },
    /** Whether the run is accepted. */
    read(lists: Record<string, number[]>, nameOf: (appid: number) => string): boolean {
      if (Object.entries(lists).some(([kind, now]) => isRefused(kind, now))) return false;
      const listedBefore = new Map([...apps].map(([appid, { listed }]) => [appid, listed]));
      // In the first list of a kind no app is news.
      const isLater = (kind: string) => (members.get(kind) ?? []).length > 0;
      const news = new Set(
        Object.entries(lists)
          .filter(([kind]) => isLater(kind))
          .flatMap(([, now]) => now),
      );
      for (const [kind, now] of Object.entries(lists)) members.set(kind, now);
      const listed = new Set([...members.values()].flat());
      for (const [appid, app] of apps) if (app.listed && !listed.has(appid)) app.listed = false;
      for (const appid of Object.values(lists).flat()) {
        const app = apps.get(appid) ?? { known: true, name: "", byPics: false };
        apps.set(appid, { ...app, listed: true, name: app.byPics ? app.name : nameOf(appid) });
      }
      for (const [appid, { listed }] of apps) {
        const old = listedBefore.get(appid) ?? null;
        if (listed === null || listed === old || (old === null && !news.has(appid))) continue;
        changes.push([appid, old, listed, changeNumbers.get(appid) ?? 0]);
      }
      return true;
    },
    changes,
    apps: () =>
      Object.fromEntries(
        [...apps].map(([appid, { listed, known, name }]) => [appid, [listed, known && listed !== false, name]]),
      ),
  };
}

class Killed extends Error {}

/** A worker that is killed after a number of calls. */
function mortal(worker: Worker, { after, replyLost }: Step["kills"][number]): Worker {
  let left = after;
  const limited =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const isLast = left-- === 0;
      if (isLast && !replyLost) throw new Killed();
      const reply = await call(...args);
      if (isLast) throw new Killed();
      return reply;
    };
  return {
    ...worker,
    beginList: limited(worker.beginList),
    saveList: limited(worker.saveList),
    acceptList: limited(worker.acceptList),
    applyList: limited(worker.applyList),
  };
}

forEachSqlDatabase(`the collector's app lists against a model (SEED=${seed})`, (open, kind) => {
  const catalog = useCatalog(open);
  const { store, mark, claim, apply, sql } = catalog;
  const collecting = useCollecting(catalog);

  const byText = (a: Change, b: Change) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  async function listChanges(): Promise<Change[]> {
    const rows = await sql<{ appid: number; old: boolean | null; new: boolean; change_number: string | number }>(
      "select appid, old, new, change_number from app_changes where field = 'is_listed'",
    );
    return rows.map((row): Change => [row.appid, row.old, row.new, Number(row.change_number)]).sort(byText);
  }

  /** Successive workers, until the run is rejected or applied. Null: abandoned. */
  async function collect({ part, max, kills, isAbandoned }: Step, lists: Record<string, [number, string][]>) {
    let fresh = true;
    for (const kill of [...kills, null]) {
      const worker = kill ? mortal(collecting.worker, kill) : collecting.worker;
      try {
        const { run } = await collecting.read(lists, { worker, part, fresh });
        if (isAbandoned) return null;
        const { accepted } = await worker.acceptList({ run, maxShrink });
        for (let counts: ListCounts | null = null; accepted && !counts?.done; ) {
          counts = await worker.applyList({ run, max, history: true });
        }
        return accepted;
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        // The next worker resumes what it read, unless it was killed before it began.
        fresh = fresh && kill?.after === 0;
        await collecting.takeOver();
      }
    }
    throw new Error("the last worker is not killed");
  }

  test("match the model for any order of kills, abandoned runs, rejected lists and moves", async () => {
    let acceptedLists = 0;
    let recorded = 0;
    const property = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 7 }), async (steps) => {
      await sql(emptyTables);
      await collecting.takeOver();
      const model = createModel();
      const steam = Object.fromEntries(allKinds.map((each): [string, number[]] => [each, []]));
      for (const [index, each] of steps.entries()) {
        if (each.stored.length > 0) {
          const name = `PICS ${index}`;
          await store(...each.stored.map((appid) => record(appid, 500 + index, { name })));
          for (const appid of each.stored) model.store(appid, name, 500 + index);
        }
        const unknown = each.unknown.filter((appid) => model.forget(appid));
        if (unknown.length > 0) {
          await mark([], { unknown });
          await apply((await claim({ appids: unknown })).lease, { unknown, confirmSeconds: 0 });
        }
        for (const [list, changes] of Object.entries(each.lists)) {
          const kept = (steam[list] ?? []).filter((appid) => !changes.without.includes(appid));
          steam[list] = [...new Set([...kept, ...changes.with])].sort((a, b) => a - b);
        }
        const asked = Object.fromEntries(each.kinds.map((list) => [list, steam[list] ?? []]));
        const nameOf = (appid: number) => `List ${appid}, ${each.version}`;
        const named = Object.entries(asked).map(([list, ids]): [string, [number, string][]] => [
          list,
          ids.map((appid) => [appid, nameOf(appid)]),
        ]);
        const accepted = await collect(each, Object.fromEntries(named));
        if (!each.isAbandoned) expect(accepted).toBe(model.read(asked, nameOf));
        const apps = await collecting.apps();
        expect(apps).toEqual(model.apps());
        const changes = await listChanges();
        expect(changes).toEqual(model.changes.toSorted(byText));
        recorded += changes.length;
        if (accepted) acceptedLists += 1;
      }
    });
    await fc.assert(property, {
      seed,
      numRuns: runs[kind],
      interruptAfterTimeLimit: 40_000,
    });
    expect(acceptedLists).toBeGreaterThan(runs[kind]);
    expect(recorded).toBeGreaterThan(0);
  });
});
