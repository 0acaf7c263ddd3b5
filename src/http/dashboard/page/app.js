// @ts-check
import { chart } from "./charts.js";
import { byId, el, figures, show } from "./dom.js";
import { ago, count, difference, duration, grouped, percent, share } from "./format.js";

/**
 * The page: one stream in, its events written into the document.
 *
 * @typedef {import("../../server.ts").ServiceStatus} Status
 * @typedef {import("../../../catalog/views.ts").ChangeView} Change
 * @typedef {import("../../../catalog/views.ts").ActivityMinute} Minute
 * @typedef {import("../../../db/catalog-store.ts").CatalogSummary} Summary
 * @typedef {{ status: Status, throughput: [number, number][], activity: Minute[], changes: Change[], catalog: Summary,
 *   names: { kind: keyof typeof names, names: Names } }} Events
 * @typedef {Record<string, string | null>} Names by id
 */

const keptGroups = 40;
/** Of one app; a first whole answer after a partial one changes nearly all. */
const shownFields = 6;
const keptSamples = 900;

/** @param {Status} status */
function showStatus(status) {
  const { health, mode, steam, database, bulk, monitor, collector, library } = status;
  byId("health").textContent = health.status;
  byId("health").dataset.status = health.status;
  byId("mode").textContent = `${mode.replaceAll("_", " ")}, up ${duration(status.uptime_seconds)}`;
  document.title = `${health.status}: Steam catalog`;
  byId("reasons").textContent = health.reasons.join(". ");
  show("reasons", health.reasons.length > 0);

  figures("figures", [
    ["Steam", steam === null ? "not needed" : steam.connected ? "connected" : "away"],
    ...pairs(steam?.connected_since, (time) => ["Connected for", duration((Date.now() - Date.parse(time)) / 1000)]),
    ...pairs(steam, ({ reconnect_attempts }) => ["Reconnects", count(reconnect_attempts)]),
    ["Database", `${database.driver}${database.reachable ? "" : ", away"}`],
    ["Stored", count(status.apps_stored)],
    ...pairs(steam?.last_error, (error) => ["Steam's last error", error]),
    ...pairs(database.last_error, (error) => ["The database's last error", error]),
  ]);

  showWork("bulk", bulk, bulk?.share, ({ swept_ids, sweep_end, rate_per_second, failed, unknown }) => [
    ...pairs(share(swept_ids, sweep_end), (part) => ["Ids compared", percent(part)]),
    ["Apps a second", count(rate_per_second)],
    ["Failed", count(failed)],
    ["Unknown to Steam", count(unknown)],
  ]);
  showWork("collector", collector, share(collector?.done, collector?.total), ({ rate_per_minute, next_run_at }) => [
    ["A minute", count(rate_per_minute)],
    ...pairs(next_run_at, (time) => ["Next run", new Date(time).toLocaleTimeString()]),
  ]);
  showWork("library", library, share(library?.done, library?.total), () => []);
  show("monitor", monitor !== null);
  if (monitor !== null) {
    figures("monitor-figures", [
      ["Change number", count(monitor.last_change_number)],
      ["Late by", duration(monitor.lag_seconds ?? 0)],
      ["Pending", count(monitor.pending)],
      ["Failing", count(monitor.failing)],
      ["Last poll", ago(monitor.last_poll_at)],
      ["This worker", monitor.drain_only ? "drains" : monitor.leading ? "polls" : "helps"],
      ...pairs(monitor.sweeping || null, () => /** @type {[string, string]} */ (["Sweep", "under way"])),
    ]);
  }
  show("failing", status.failing_apps.length > 0);
  byId("failing-list").replaceChildren(
    ...status.failing_apps.map(({ appid, name, attempts, error }) =>
      el("li", {}, storeLink(appid, name), ` ${appid}, ${attempts} attempts: ${error ?? "unknown"}`),
    ),
  );
  const workers = status.workers ?? [];
  show("workers", workers.length > 1);
  byId("worker-list").replaceChildren(...workers.map(workerItem));
}

/**
 * Work that counts: a bar, and figures of which `more` makes those that only this work has.
 *
 * @template {{ phase: string, done: number, total: number | null, eta_seconds?: number | null }} Work
 * @param {string} id @param {Work | null} work @param {number | null | undefined} part @param {(work: Work) => [string, string][]} more
 */
function showWork(id, work, part, more) {
  show(id, work !== null);
  if (work === null) return;
  byId(`${id}-bar`).setAttribute("value", String(part ?? 0));
  figures(`${id}-figures`, [
    ["Phase", work.phase.replaceAll("_", " ")],
    ["Done", count(work.done)],
    ["Total", count(work.total)],
    ["Time left", duration(work.eta_seconds)],
    ...more(work),
  ]);
}

/** @param {NonNullable<Status["workers"]>[number]} worker */
function workerItem({ mode, snapshot, seen_seconds_ago }) {
  const { bulk, monitor, collector, library } = /** @type {Status} */ (snapshot);
  const name = mode.replaceAll("_", " ");
  const doing = [
    bulk && `${bulk.phase}, ${count(bulk.done)} of ${count(bulk.total)}, ${duration(bulk.eta_seconds)} left`,
    monitor &&
      `${monitor.leading ? "polls" : "drains"}, change ${count(monitor.last_change_number)}, ${count(monitor.pending)} pending`,
    collector &&
      `collector ${collector.phase.replaceAll("_", " ")}, ${count(collector.done)} of ${count(collector.total)}`,
    library && `${library.phase.replaceAll("_", " ")}, ${count(library.done)} of ${count(library.total)}`,
  ].filter(Boolean);
  const work = collector ?? library;
  const counted = bulk?.share ?? share(work?.done, work?.total);
  const bar = counted === null ? [] : [el("progress", { value: counted, "aria-label": name })];
  const text = `: ${doing.join("; ") || "starting"}; seen ${duration(seen_seconds_ago)} ago`;
  return el("li", {}, el("strong", {}, name), text, ...bar);
}

/**
 * @template T
 * @param {T | null | undefined} value @param {(value: T) => [string, string]} toPair @returns {[string, string][]}
 */
const pairs = (value, toPair) => (value === null || value === undefined ? [] : [toPair(value)]);

/** What ids stand for. @type {{ tags: Names, genres: Names, categories: Names }} */
const names = { tags: {}, genres: {}, categories: {} };

let newestChange = 0;

/** @param {Change[]} changes the oldest first */
function showChanges(changes) {
  const fresh = changes.filter(({ id }) => id > newestChange);
  if (fresh.length === 0) return;
  newestChange = fresh.at(-1)?.id ?? newestChange;
  const list = byId("changes");
  list.prepend(...grouped(fresh).slice(-keptGroups).reverse().map(changeItem));
  while (list.children.length > keptGroups) list.lastElementChild?.remove();
  show("no-changes", false);
}

/** With names in place of ids. @param {string} field @param {unknown} value @returns {unknown} */
function readable(field, value) {
  const known = field === "primary_genre" ? names.genres : names[/** @type {keyof typeof names} */ (field)];
  if (known === undefined || value === null) return value;
  return Array.isArray(value) ? value.map((id) => known[id] ?? id) : (known[String(value)] ?? value);
}

/** An app's name, which leads to its page in the store. @param {number} appid @param {string | null} name */
function storeLink(appid, name) {
  const link = { href: `https://store.steampowered.com/app/${appid}/`, target: "_blank", rel: "noreferrer" };
  return el("strong", {}, el("a", link, name?.trim() || `App ${appid}`));
}

/** @param {Change[]} group */
function changeItem(group) {
  const [first] = group;
  if (!first) return el("li", {});
  const fields = group.slice(0, shownFields).map((change) => {
    const { removed, added } = difference(readable(change.field, change.old), readable(change.field, change.new));
    return el(
      "li",
      {},
      el("span", { class: "field" }, change.field.replaceAll("_", " ")),
      ...removed.slice(0, 6).map((text) => el("del", {}, text)),
      ...added.slice(0, 6).map((text) => el("ins", {}, text)),
    );
  });
  if (group.length > shownFields) fields.push(el("li", { class: "quiet" }, `and ${group.length - shownFields} more`));
  const when = el(
    "time",
    { class: "quiet", datetime: first.detected_at },
    new Date(first.detected_at).toLocaleTimeString(),
  );
  const heading = el(
    "div",
    { class: "heading" },
    storeLink(first.appid, first.name),
    el("span", { class: "quiet" }, `${first.type ?? "app"} ${first.appid}`),
    when,
  );
  return el("li", { class: "fresh" }, heading, el("ul", {}, ...fields));
}

/** @param {string} id @param {{ name: string, count: number }[]} entries */
function bars(id, entries) {
  const most = Math.max(1, ...entries.map((entry) => entry.count));
  byId(id).replaceChildren(
    ...entries
      .slice(0, 10)
      .map((entry) =>
        el(
          "li",
          {},
          el("span", {}, entry.name),
          el("span", {}, count(entry.count)),
          el("meter", { min: 0, max: most, value: entry.count, "aria-label": entry.name }),
        ),
      ),
  );
}

function listen() {
  const throughput = chart("throughput", "apps a second", false);
  const activity = chart("activity", "apps a minute", true);
  /** @type {[number, number][]} */
  let samples = [];
  const source = new EventSource("/dashboard/stream");
  /** @type {<Name extends keyof Events>(name: Name, use: (data: Events[Name]) => void) => void} */
  const on = (name, use) => source.addEventListener(name, (event) => use(JSON.parse(event.data)));

  source.addEventListener("open", () => {
    byId("connection").textContent = "live";
    delete document.body.dataset.stale;
    // Another process may answer now, with its own samples.
    samples = [];
  });
  source.addEventListener("error", () => {
    byId("connection").textContent = "reconnecting…";
    document.body.dataset.stale = "";
    // After an answer that is no stream a browser gives up; this page does not.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
  on("status", showStatus);
  on("throughput", (next) => {
    samples = [...samples, ...next].slice(-keptSamples);
    throughput.set([samples.map(([at]) => at), samples.map(([, rate]) => rate)]);
  });
  on("activity", (minutes) => {
    activity.set([minutes.map(({ minute }) => Date.parse(minute) / 1000), minutes.map(({ apps }) => apps)]);
  });
  on("names", ({ kind, names: some }) => {
    names[kind] = some;
  });
  on("changes", showChanges);
  on("catalog", (summary) => {
    bars("types", summary.by_type);
    bars(
      "deck",
      summary.deck.map(({ category, count }) => ({
        name: category,
        count,
      })),
    );
    bars("tags", summary.top_tags);
  });
}

function theme() {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;
  byId("theme").addEventListener("click", () => {
    const isDark =
      getComputedStyle(root).colorScheme === "dark" ||
      (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    document.dispatchEvent(new Event("theme"));
  });
}

theme();
listen();
