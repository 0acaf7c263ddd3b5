import { text } from "../catalog/values.ts";
import type { Logger } from "../process/logger.ts";
import { type AppListPage, appListPage, listKinds } from "../web/app-list.ts";
import type { WebClient } from "../web/client.ts";
import { batches } from "./batches.ts";
import { CollectorError } from "./errors.ts";
import type { Tracker } from "./progress.ts";
import type { CollectorStore, ListCounts, ListVerdict } from "./store.ts";

export interface AppListOptions {
  store: CollectorStore;
  web: WebClient;
  apiKey: string;
  logger: Logger;
  /** Starts a new list run, even if an unfinished one could be resumed. */
  fresh: boolean;
  /** Apps per transaction. */
  batchSize: number;
  /** Largest share of a list that may vanish at once. */
  maxShrink: number;
  /** Record each app that is taken out or in. */
  history: boolean;
  tracker: Tracker;
  signal: AbortSignal;
}

/** A resumed run older than this is outdated: after applying it, a new one is read. */
const maxAgeSeconds = 3_600;

/**
 * Reads the app lists of all kinds completely, then applies them: new apps are inserted, vanished ones are delisted. The staged pages
 * and the decision to apply them are durable, so a run resumes after a kill.
 *
 * A list that is absent, or breaks off where Steam announced another page, is judged as a short list. Where it is accepted, the apps
 * beyond its end stay as they are.
 *
 * @throws {CollectorError} when a list is incomplete or has lost too many apps; nothing is changed then.
 * @throws {WebError} when a page cannot be fetched.
 */
export async function runAppList(options: AppListOptions): Promise<ListCounts> {
  for (;;) {
    const run = await options.store.beginList({ kinds: listKinds, fresh: options.fresh });
    if (run.phase === "reading") {
      for (const kind of listKinds) {
        const { after, complete } = run.cursor[kind] ?? { after: 0, complete: false };
        if (!complete) await readList(options, run.run, kind, after);
      }
      const verdict = await options.store.acceptList({ run: run.run, maxShrink: options.maxShrink });
      requireAccepted(verdict, options.maxShrink);
      warnOfOddEnds(verdict, options.logger);
    }
    const counts = await applyRun(options, run.run);
    if (run.age_seconds < maxAgeSeconds) return counts;
    options.logger.info("an app list from an interrupted run has been applied; now the current one is read");
  }
}

async function readList(
  options: AppListOptions,
  run: number,
  kind: (typeof listKinds)[number],
  from: number,
): Promise<void> {
  const { store, web, apiKey, batchSize, tracker, signal } = options;
  for (let cursor: number | null = from; cursor !== null; ) {
    const { apps: all, next, end }: AppListPage = await appListPage(web, apiKey, kind, cursor, signal);
    const last: number = next ?? all.at(-1)?.appid ?? cursor;
    cursor = next;
    for (const [part, isLast] of batches(all, batchSize)) {
      const after = isLast ? last : (part.at(-1)?.appid ?? last);
      const apps = part.map((app) => ({ ...app, name: text(app.name) ?? "" }));
      await store.saveList({
        run,
        kind,
        apps,
        after,
        ...(isLast ? { complete: end !== null, end } : { complete: false }),
      });
      tracker.add(apps.length);
      signal.throwIfAborted();
    }
  }
}

async function applyRun(
  { store, batchSize, history, tracker, signal }: AppListOptions,
  run: number,
): Promise<ListCounts> {
  tracker.begin("applying_list", null);
  for (;;) {
    const counts = await store.applyList({ run, max: batchSize, history });
    tracker.advanceTo(
      counts.applied,
      counts.lists.reduce((sum, list) => sum + list.now, 0),
    );
    if (counts.done) return counts;
    signal.throwIfAborted();
  }
}

function requireAccepted({ accepted, lists }: ListVerdict, maxShrink: number): void {
  if (accepted) return;
  const faults = lists.flatMap((list) => {
    const { kind, before, now, vanished, fault } = list;
    if (fault === null) return [];
    if (fault === "incomplete") return `the list of ${kind} was not read to its end`;
    return `the list of ${kind} has ${now} apps, ${vanished} of its ${before} are gone${oddEnd(list)}`;
  });
  throw new CollectorError(
    `The app list is refused and nothing was changed: ${faults.join("; ")}. ` +
      `At most a share of ${maxShrink} may vanish at once; if the list is right, a run with a higher MAX_SHRINK accepts it.`,
  );
}

function warnOfOddEnds({ lists }: ListVerdict, logger: Logger): void {
  for (const list of lists) {
    const { kind, now, end } = list;
    if (end === undefined) continue;
    logger.warn(
      { kind, apps: now },
      `the list of ${kind} has ${now} apps${oddEnd(list)}; apps beyond it stay as they are`,
    );
  }
}

/** Why a list may be too short, as the end of a sentence; "" for a list that ended as Steam says. */
function oddEnd({ end, after }: ListVerdict["lists"][number]): string {
  if (end === "broken") return ` (Steam announced more after app ${after} and sent none)`;
  return end === "absent" ? " (Steam answered without a list)" : "";
}
