import { defineConfig } from "vitest/config";

const shared = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 20_000 } },
  // The files of a worker share the modules it has loaded: steam-user alone takes two seconds of the processor.
  isolate: false,
};

/** Unit tests start at once; all others share one Postgres, which starts only when one of them runs. */
export default defineConfig({
  test: {
    // Most of the time a test waits for a process or a server, so that two at a time fit on two cores.
    maxWorkers: 2,
    coverage: {
      provider: "v8",
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
          exclude: ["test/unit/**", "test/live/**"],
          globalSetup: ["test/support/global-setup.ts"],
        },
      },
    ],
  },
});
