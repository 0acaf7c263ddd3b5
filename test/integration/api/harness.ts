import { deflateSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { type CatalogReader, createCatalogReader, type ReaderOptions } from "../../../src/db/catalog-reader.ts";
import type { HttpSettings } from "../../../src/http/deps.ts";
import { buildServer } from "../../../src/http/server.ts";
import { loadConfig } from "../../../src/process/config.ts";
import { createMetrics } from "../../../src/status/metrics.ts";
import type { ServiceSnapshot } from "../../../src/status/snapshot.ts";
import type { TestDatabase } from "../../support/databases.ts";
import { idleSnapshot } from "../../support/idle-snapshot.ts";
import { generateRecords } from "../../support/steam/records.ts";
import { silent } from "../../support/templates.ts";
import { catalogOf, deckVerdict, fullRecord, record } from "../sql/catalog.ts";

/** Serves HTTP over a test database without a worker; `overrides` replaces fields of the worker's snapshot. */
export async function serve(
  database: Pick<TestDatabase, "db"> | null,
  settings: Partial<HttpSettings> = {},
  closeAfter: (close: () => Promise<void>) => void = onTestFinished,
  overrides: Partial<ServiceSnapshot> = {},
  limits: ReaderOptions = {},
) {
  const reader: CatalogReader | null = database && createCatalogReader(database.db, limits);
  const snapshot = () => ({ ...idleSnapshot, ...overrides });
  const server = buildServer({
    snapshot,
    reader: () => reader,
    metrics: createMetrics(),
    settings: {
      ...loadConfig({}).http,
      keep: loadConfig({}).keep,
      history: true,
      historyDays: null,
      rateLimit: { count: 1_000_000, periodMs: 60_000 },
      ...settings,
    },
    logger: silent,
  });
  const base = await server.listen({ port: 0, host: "127.0.0.1" });
  closeAfter(() => server.close());
  return {
    base,
    server,
    get: (path: string, headers: Record<string, string> = {}) => fetch(base + path, { headers }),
    async json<T>(path: string): Promise<T> {
      const answer = await fetch(base + path);
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as T;
    },
  };
}

export const hostileName = `<img src=x onerror="alert(1)">'; drop table apps; --`;

export const keptText = String.raw`"appinfo" { "appid" "620" "common" { "name" "Portal \"2\"" "__proto__" { "1" "" } } }`;

/** Stores generated apps of every shape, one with a hostile name, one in which nothing is empty (620), and some changes. */
export async function fill(database: TestDatabase, apps = 200): Promise<void> {
  const { store, sql } = catalogOf(() => database);
  const records = generateRecords(apps);
  const info = { sha1: "00ff", size: keptText.length, data: deflateSync(keptText).toString("base64") };
  await store(
    ...records.filter(({ appid }) => appid !== 620),
    record(1, 500, { name: hostileName, developers: [hostileName], tags: [19], steam_deck: deckVerdict("playable") }),
    fullRecord(620, 500, { info }),
  );
  await sql("update steam_tags set name = 'Tag ' || tag_id where tag_id % 3 > 0");
  await store(
    ...records
      .filter(({ appid }) => appid !== 620)
      .slice(0, 40)
      .map((app) => ({ ...app, change_number: app.change_number + 1_000_000, name: `${app.name}!`, tags: [19, 21] })),
  );
}

/** Parses the server-sent events of a reply. */
export async function* eventsOf(answer: Response): AsyncGenerator<{ id?: string; event?: string; data?: string }> {
  if (!answer.body) throw new Error("no body");
  let text = "";
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = text
        .slice(0, end)
        .split("\n")
        .flatMap((line) => {
          const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
          return name === undefined ? [] : [[name, value]];
        });
      text = text.slice(end + 2);
      if (fields.length > 0) yield Object.fromEntries(fields);
    }
  }
}
