import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type Checked, checkedBlocks, commandsOf } from "../support/documents/blocks.ts";
import { differences, matches } from "../support/documents/compare.ts";
import { storeKnownApps } from "../support/documents/known-catalog.ts";
import { psql } from "../support/documents/query.ts";
import { serve } from "./api/harness.ts";

/**
 * The questions in documents, on the well-known apps of the demo: every query and every request is run, and answers that
 * a document shows are compared. Commands in a fresh clone are the matter of test/readme.ts.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const documents = globSync("{*.md,docs/*.md}", { cwd: root }).map((path) => ({
  path,
  text: readFileSync(join(root, path), "utf8"),
}));

let database: TestDatabase;
let base: string;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  database = await openTestDatabase("postgres");
  await storeKnownApps(database);
  ({ base } = await serve(database, {}, (close) => closers.push(close)));
});
afterAll(async () => {
  for (const close of closers) await close();
  await database.close();
});

/** Runs every block of a check, and returns what its answer should have been where that is another one. */
async function faultsOf(check: string, faults: (block: Checked) => Promise<string[]>): Promise<string[]> {
  const all: string[] = [];
  for (const { path, text } of documents) {
    for (const block of checkedBlocks(text, check)) {
      all.push(...(await faults(block)).map((fault) => `${path}:${block.line}: ${fault}`));
    }
  }
  return all;
}

it("Postgres answers every query as shown", async () => {
  let count = 0;
  const faults = await faultsOf("query", async ({ text, answer }) => {
    count++;
    const result = await psql(database.url ?? "", text);
    return answer === null || matches(answer, result) ? [] : [`the answer is\n${result}`];
  });
  expect(faults).toEqual([]);
  expect(count).toBeGreaterThan(3);
});

it("the API answers every request as shown", async () => {
  let count = 0;
  const faults = await faultsOf("api", async ({ text, answer }) => {
    let body: unknown;
    for (const command of commandsOf(text)) {
      count++;
      const [, address = ""] = /^curl (?:-\w+ )*'?(?:http:\/\/)?localhost:8080([^\s']+)'?$/.exec(command) ?? [];
      if (address === "") return [`not understood: ${command}`];
      const reply = await fetch(base + address);
      const isJson = /json/.test(reply.headers.get("content-type") ?? "");
      body = isJson ? await reply.json() : await reply.body?.cancel();
      if (!reply.ok && answer === null) return [`${address}: ${JSON.stringify(body)}`];
    }
    if (answer === null) return [];
    const found = differences(answer, body);
    return found.length === 0 ? [] : [...found, JSON.stringify(body, null, 2)];
  });
  expect(faults).toEqual([]);
  expect(count).toBeGreaterThan(20);
});
