/** What most tests of whole processes are given; what they open and start ends with them. Files with needs of their own extend it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { type DatabaseKind, openTestDatabase, type TestDatabase, type TestDatabaseOptions } from "./databases.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";

export interface Given {
  open: (kind: DatabaseKind, options?: TestDatabaseOptions) => Promise<TestDatabase>;
  start: (options: ServiceOptions) => Service;
  /** A folder of its own. */
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
