import { defineConfig } from "vitest/config";

const shared = {
  testTimeout: 60_000,
  // The first files wait until the templates of the databases are made.
  hookTimeout: 120_000,
  expect: { poll: { timeout: 20_000 } },
  // The files of a worker share the modules it has loaded: steam-user alone takes two seconds of the processor.
  isolate: false,
  // Fewer collections of short-lived objects, which take a tenth of the processor otherwise.
  execArgv: ["--max-semi-space-size=64"],
};

/**
 * Slow suites, most of them of processes and faults: without `FULL=1` half of them rest, each half every other day, so that the
 * whole stays below twelve minutes on two cores. What a suite shows in processes, others show in parts every day. None rests when
 * files are named on the command line.
 */
const turns = [
  [
    "fault/{monitor,silence,collector-outages,untrue-answers}",
    "integration/{command-line,real-payloads,collector-clock}",
    "integration/db/{poolers,data-folder,connection-exit-codes}",
    "integration/{dashboard/dashboard,steam/bombs,sql/list-plans}",
  ],
  [
    "fault/{collector-faults,monitor-gaps,reextract,interruption}",
    "integration/{process,collector-process,export,sync-model,http-limits,doctor,real-versions}",
    "integration/db/{pglite,migrate,supabase-outage}",
    "integration/{dashboard/pages,sql/collector-lists-model,sql/compare}",
  ],
];
const today = Math.floor(Date.now() / 86_400_000);
const runsAll = process.env.FULL === "1" || process.argv.some((word) => word.startsWith("test/"));
const resting = runsAll ? [] : (turns[today % turns.length]?.map((suites) => `test/${suites}.test.ts`) ?? []);

export default defineConfig({
  test: {
    // Tests often wait for a process or a server: with two at a time, two cores idle for a sixth of the time.
    maxWorkers: 3,
    coverage: {
      // Counts in these files alone: the measurement of V8 makes every file up to twice as slow.
      provider: "istanbul",
      include: ["src/library/**/*.ts", "src/lambda/**/*.ts"],
      reporter: ["text-summary"],
      thresholds: { branches: 80, functions: 80, lines: 80 },
    },
    projects: [
      { test: { ...shared, name: "unit", include: ["test/unit/**/*.test.ts"] } },
      {
        test: {
          ...shared,
          name: "integration",
          include: ["test/**/*.test.ts"],
          exclude: ["test/unit/**", "test/live/**", ...resting],
          // One Postgres for all files, which starts only when one of them runs.
          globalSetup: ["test/support/global-setup.ts"],
        },
      },
    ],
  },
});
