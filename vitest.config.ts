import { defineConfig } from "vitest/config";

const shared = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 20_000 } },
  // The files of a worker share the modules it has loaded: steam-user alone takes two seconds of the processor.
  isolate: false,
};

/** The tests of the library import, whose coverage is measured: measuring it makes a file take up to twice as long. */
const library = ["test/unit/{library,lambda}/**/*.test.ts", "test/{integration,fault}/library-*.test.ts"];

/** One Postgres for all files, which starts only when one of them runs. */
const globalSetup = ["test/support/global-setup.ts"];

export default defineConfig({
  test: {
    // Tests often wait for a process or a server: with two at a time, two cores idle for a sixth of the time.
    maxWorkers: 3,
    coverage: {
      provider: "v8",
      include: ["src/library/**/*.ts", "src/lambda/**/*.ts"],
      reporter: ["text-summary"],
      thresholds: { branches: 80, functions: 80, lines: 80 },
    },
    projects: [
      { test: { ...shared, name: "unit", include: ["test/unit/**/*.test.ts"], exclude: library } },
      {
        test: {
          ...shared,
          name: "integration",
          include: ["test/**/*.test.ts"],
          exclude: ["test/unit/**", "test/live/**", ...library],
          globalSetup,
        },
      },
      { test: { ...shared, name: "library", include: library, globalSetup } },
    ],
  },
});
