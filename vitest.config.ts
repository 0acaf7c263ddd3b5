import { defineConfig } from "vitest/config";

const timeouts = { testTimeout: 60_000, hookTimeout: 60_000 };

/** Unit tests start at once; all others share one Postgres, which starts only when one of them runs. */
export default defineConfig({
  test: {
    coverage: {
      provider: "v8",
      include: ["src/library/**/*.ts"],
      reporter: ["text-summary"],
      thresholds: { branches: 80, functions: 80, lines: 80 },
    },
    projects: [
      { test: { ...timeouts, name: "unit", include: ["test/unit/**/*.test.ts"] } },
      {
        test: {
          ...timeouts,
          name: "integration",
          include: ["test/**/*.test.ts"],
          exclude: ["test/unit/**", "test/live/**"],
          globalSetup: ["test/support/global-setup.ts"],
        },
      },
    ],
  },
});
