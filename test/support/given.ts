/**
 * Fixtures for tests of whole processes. Databases and services are closed after the test. Test files may extend them.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { type DatabaseKind, openTestDatabase, type TestDatabase, type TestDatabaseOptions } from "./databases.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";

export interface Given {
  open: (kind: DatabaseKind, options?: TestDatabaseOptions) => Promise<TestDatabase>;
  start: (options: ServiceOptions) => Service;
  /** A temporary folder, deleted after the test. */
  folder: string;
}

export const it = test.extend<Given>({
  open: ({ onTestFinished }, use) =>
    use(async (kind, options) => {
      const database = await openTestDatabase(kind, options);
      onTestFinished(() => database.close());
      return database;
    }),
  start: ({ onTestFinished }, use) =>
    use((options) => {
      const service = startService(options);
      onTestFinished(() => service.stop());
      return service;
    }),
  folder: async ({ onTestFinished }, use) => {
    const folder = await mkdtemp(join(tmpdir(), "spsync-folder-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await use(folder);
  },
});
