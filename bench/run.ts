import { cpus } from "node:os";
import { benchApi, formatApi } from "./api.ts";
import { benchCollector, formatCollector } from "./collector.ts";
import { benchEmbedded, formatEmbedded } from "./embedded.ts";
import { benchExport, formatExport } from "./export.ts";
import { benchFirstLoad, formatFirstLoad } from "./first-load.ts";
import { benchKept, formatKept } from "./kept.ts";
import { benchKeyValues, type KeyValuesBench } from "./key-values.ts";
import { benchLibrary, formatLibrary } from "./library.ts";
import { benchLists, formatShapes } from "./lists.ts";
import { benchMemory, formatMemory } from "./memory.ts";
import { benchMonitorDay, formatMonitorDay } from "./monitor-day.ts";
import { benchPace, formatPace } from "./pace.ts";
import { benchQuietDay, formatQuietDay } from "./quiet-day.ts";
import { benchSearch } from "./search.ts";
import { benchServe, formatServe } from "./serve.ts";
import { benchSize, formatSize } from "./size.ts";
import { table } from "./support/figures.ts";
import { benchWebhooks, formatWebhooks } from "./webhooks.ts";
import { benchWire, formatWire } from "./wire.ts";
import { benchWritePath, formatWritePath } from "./write-path.ts";

/**
 * Runs all benchmarks, or the named ones, in sequence: `npm run bench [-- wire write-path kept key-values memory embedded pace collector
 * library api lists search size quiet-day monitor-day first-load export webhooks]`.
 * Prints Markdown. All take about half an hour; other load on the machine distorts the figures.
 */
const benches: Record<string, { title: string; run: () => Promise<string> }> = {
  wire: { title: "From the wire to the tables", run: async () => formatWire(await benchWire()) },
  "write-path": { title: "The write path alone", run: async () => formatWritePath(await benchWritePath()) },
  kept: { title: "Keeping app info and depots", run: async () => formatKept(await benchKept()) },
  "key-values": { title: "Parsing KeyValues", run: async () => formatKeyValues(await benchKeyValues()) },
  memory: { title: "Memory", run: async () => formatMemory(await benchMemory()) },
  embedded: { title: "Embedded database on a small machine", run: async () => formatEmbedded(await benchEmbedded()) },
  pace: { title: "Pace", run: async () => formatPace(await benchPace()) },
  collector: { title: "Collector", run: async () => formatCollector(await benchCollector()) },
  api: {
    title: "Readers beside a bulk sync",
    run: async () =>
      [formatApi(await benchApi()), "## The read API beside PostgREST", formatServe(await benchServe())].join("\n\n"),
  },
  lists: { title: "Lists", run: async () => formatShapes(await benchLists()) },
  search: { title: "Search by name", run: async () => formatShapes(await benchSearch()) },
  size: { title: "Size", run: async () => formatSize(await benchSize()) },
  "quiet-day": { title: "A quiet day", run: async () => formatQuietDay(await benchQuietDay()) },
  "monitor-day": { title: "A day of the monitor", run: async () => formatMonitorDay(await benchMonitorDay()) },
  "first-load": { title: "A first load", run: async () => formatFirstLoad(await benchFirstLoad()) },
  webhooks: { title: "Webhooks", run: async () => formatWebhooks(await benchWebhooks()) },
  export: { title: "Exports", run: async () => formatExport(await benchExport()) },
  library: { title: "Matching a library", run: async () => formatLibrary(await benchLibrary()) },
};

const selected = process.argv.slice(2);
const unknown = selected.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`unknown benchmark: ${unknown.join(", ")}; choose from ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}
console.log(`Node ${process.version} on ${cpus().length} cores (${cpus()[0]?.model}).\n`);
for (const [name, { title, run }] of Object.entries(benches)) {
  if (selected.length > 0 && !selected.includes(name)) continue;
  console.log(`## ${title}\n\n${await run()}\n`);
}

function formatKeyValues(result: KeyValuesBench): string {
  const { source, texts, megabytes, parseMegabytesPerSecond, kvparserMegabytesPerSecond, timesKvparser } = result;
  const rows = [
    ["this parser", parseMegabytesPerSecond, timesKvparser],
    ["kvparser", kvparserMegabytesPerSecond, 1],
  ];
  const about = `${texts.toLocaleString("en-US")} ${source}, ${megabytes.toFixed(1)} MB; parsing and extracting the record: ${Math.round(result.extractAppsPerSecond).toLocaleString("en-US")} apps/s on one core.`;
  return [about, "", table(["parser", "MB/s", "of kvparser"], rows)].join("\n");
}
