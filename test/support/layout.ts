/**
 * The modules of src and what each may import: the one source of the dependency test (test/unit/layout.test.ts) and of
 * the table in docs/architecture.md (`npm run docs`).
 */
export interface Module {
  holds: string;
  /** Modules, or single files of one (`steam/port`), that it may import. */
  imports: readonly string[];
  /** Modules of which it may import types alone. */
  types?: readonly string[];
}

/** From the bottom up: a module imports only what stands above it here. */
export const modules: Readonly<Record<string, Module>> = {
  catalog: {
    holds: "the app record, the KeyValues parser, the extractor, the views that readers get; pure functions",
    imports: [],
  },
  process: {
    holds: "configuration, lifecycle and exit codes, logger, errors, backoff, time, proxy, rate meter",
    imports: [],
  },
  db: {
    holds:
      "the port `rpc(name, args)` and its three transports, migrations, error codes, retry, leader lease, typed calls",
    imports: [
      "process",
      ...["views", "content-views", "list-views", "event-views", "in-order", "assets"].map((file) => `catalog/${file}`),
    ],
    types: ["catalog"],
  },
  web: {
    holds: "the HTTP client of every web API, rate limits and quotas, the store's app list, IGDB's token",
    imports: ["process"],
  },
  steam: {
    holds: "the session (the only importer of steam-user), the PICS protocol, the port `Pics`",
    imports: ["process"],
  },
  sync: {
    holds: "sweep, worker pool, the write path, bulk sync, change monitor, gap sweep",
    imports: ["catalog", "process", "db", "steam/port"],
  },
  collector: {
    holds: "app lists, SteamSpy's pages and details, the collector's store",
    imports: ["catalog", "process", "db", "web"],
  },
  library: {
    holds: "the three import stages, their files, the IGDB match, the classifier, the library's store",
    imports: ["catalog", "process", "db", "web"],
  },
  webhooks: {
    holds: "delivery of events to webhooks: addresses that may be reached, messages, cursors, retries",
    imports: ["catalog", "process", "db"],
  },
  exchange: {
    holds: "exports: the catalog as files of Parquet, NDJSON or CSV with a manifest, and a database seeded from them",
    imports: ["process", "db"],
  },
  lambda: {
    holds: "AWS Lambda handlers of the library stages, the SAM template and the state machine",
    imports: ["process", "db", "web", "library"],
  },
  "catalog-source": {
    holds: "where read commands look: a database, or the owner of the embedded one over HTTP",
    imports: ["catalog", "process", "db"],
  },
  status: {
    holds: "what the process knows of itself: snapshot, health, watchdog, heartbeat, metrics",
    imports: ["process", "db", "steam/port", "webhooks/outcome"],
    types: ["sync", "collector", "library"],
  },
  terminal: {
    holds: "everything that is text on a terminal: progress bars, tables, summaries",
    imports: ["process", "catalog/code-names", "webhooks/shown"],
    types: ["catalog", "db", "sync", "collector", "library", "webhooks", "exchange", "catalog-source"],
  },
  http: {
    holds: "Fastify: probes, metrics, the read API (`api/`), the dashboard (`dashboard/`)",
    imports: ["catalog", "process", "db", "status"],
  },
  doctor: {
    holds: "the checks of `doctor` and their report",
    imports: [
      "process",
      "db",
      "steam/port",
      "sync/sweep",
      "sync/poll",
      "library/s3-client",
      "catalog-source",
      "terminal",
    ],
    types: ["steam"],
  },
  commands: {
    holds: "the command line and what each command is made of: composition, no logic of its own",
    imports: ["everything"],
  },
  main: { holds: "the entry: a command, or `MODE`, becomes an exit code", imports: ["process", "commands"] },
};

/** Packages with a single importer, which contains what they do wrong. */
export const soleImporters: Readonly<Record<string, string>> = { "steam-user": "src/steam/session.ts" };

/** The table as it stands in docs/architecture.md, its columns aligned as the formatter aligns them. */
export function layoutTable(): string {
  const rows = Object.entries(modules).map(([name, { holds, imports, types = [] }]) => {
    const may = [
      ...imports.map((each) => (each === "everything" ? each : `\`${each}\``)),
      ...types.map((each) => `types of \`${each}\``),
    ];
    return [`\`${name === "main" ? "main.ts" : `${name}/`}\``, holds, may.join(", ") || "nothing"];
  });
  return formatTable(["Module", "Holds", "May import"], rows);
}

/** A Markdown table, its columns aligned as the formatter aligns them. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  return [lines[0], `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...lines.slice(1)].join("\n");
}
