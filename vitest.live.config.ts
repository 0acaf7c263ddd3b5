import { defineConfig } from "vitest/config";

/** Real services, one after the other and politely. What has no credentials in `.env.integration` is skipped. */
export default defineConfig({
  test: { include: ["test/live/**/*.test.ts"], fileParallelism: false, testTimeout: 120_000, hookTimeout: 60_000 },
});
