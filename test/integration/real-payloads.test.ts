import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isFull } from "../support/full.ts";
import { type CommonSection, commonToText } from "../support/independent-reading/common-to-text.ts";
import { compareWithDatabase } from "../support/independent-reading/compare.ts";
import { readIndependently } from "../support/independent-reading/expected.ts";
import { blockAt, type Pairs, readPairs } from "../support/independent-reading/pairs.ts";
import { fromPayloads } from "../support/steam/catalog.ts";
import { startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { decodeMessage, messages } from "../support/steam/wire.ts";
import { startBulk } from "../support/sync.ts";
import { serve } from "./api/harness.ts";

/**
 * Real payloads all the way: simulated Steam, steam-user, extraction, Postgres. For each stored field a reading of the
 * raw text that shares no code with the extractor must agree, on every app (without `FULL=1` on every fourth of appinfo and every tenth of common-2026).
 *
 * The data lies beside the repository and is never part of it; where it is absent, these tests say that they are
 * skipped.
 */
const folder = fileURLToPath(new URL("../../../shared/pics/", import.meta.url));
const present = existsSync(folder);

interface Payload {
  appid: number;
  changeNumber: number;
  text: string;
}

function lines<T>(file: string): T[] {
  const text = gunzipSync(readFileSync(`${folder}${file}`)).toString();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

/** The app of a captured reply to a product info request. */
function captured(name: string): Payload {
  const message = decodeMessage(readFileSync(`${folder}wire/product-info-response-${name}.bin`));
  const [app] = messages.productInfoResponse.decode(message.body).apps ?? [];
  if (app === undefined) throw new Error(`no app in ${name}`);
  const text = Buffer.from(app.buffer ?? []).subarray(0, -1);
  return { appid: app.appid, changeNumber: app.change_number ?? 0, text: text.toString() };
}

/** What `GET /v1/info/:appid` must reply: the text's keys and values, of repeated keys the first, and four keys about the text. */
function steamcmdReply({ appid, changeNumber, text }: Payload): object {
  const [[, root] = ["", ""]] = readPairs(text);
  const head = {
    _change_number: changeNumber,
    _missing_token: /\n\t"public_only"\t\t"1"/.test(text),
    _sha: createHash("sha1").update(text).digest("hex"),
    _size: Buffer.byteLength(text),
  };
  return { data: { [appid]: { ...head, ...(jsonOf(root) as object) } }, status: "success" };
}

function jsonOf(value: string | Pairs): unknown {
  if (typeof value === "string") return value;
  return Object.fromEntries((blockAt(value) ?? []).map(([key, inner]) => [key, jsonOf(inner)]));
}

/** Compares the reply for each app with {@link steamcmdReply}, key by key. */
async function compareInfo(database: TestDatabase, payloads: Payload[]): Promise<void> {
  const served = await serve(database, {}, () => {});
  const differing: number[] = [];
  for (const payload of payloads) {
    const reply = await served.json(`/v1/info/${payload.appid}`);
    if (!isDeepStrictEqual(reply, steamcmdReply(payload))) differing.push(payload.appid);
  }
  await served.server.close();
  expect(differing).toEqual([]);
}

const sources: [string, number, () => Payload[]][] = [
  [
    "appinfo.jsonl.gz",
    isFull ? 1_690 : 423,
    () =>
      lines<{ appid: number; change_number: number; text: string }>("appinfo.jsonl.gz")
        .filter((_, index) => isFull || index % 4 === 0)
        .map((line) => ({ ...line, changeNumber: line.change_number })),
  ],
  [
    "common-2026.jsonl.gz",
    isFull ? 7_743 : 775,
    () =>
      lines<{ appid: number; common: CommonSection }>("common-2026.jsonl.gz")
        .filter((_, index) => isFull || index % 10 === 0)
        .map(({ appid, common }, index) => ({
          appid,
          changeNumber: 37_000_000 + index,
          text: commonToText(appid, common),
        })),
  ],
  ["the captured replies of wire/", 2, () => ["480", "440-public-only"].map(captured)],
];

describe.skipIf(!present)(`real payloads${present ? "" : " (skipped: ../shared/pics is not there)"}`, () => {
  let database: TestDatabase | null = null;
  afterAll(() => database?.close());

  it.each(sources)(
    "stores every field of every app in %s as an independent reading expects, and serves its text in the shape of the steamcmd API",
    async (name, count, read) => {
      const payloads = read();
      const steam = await startSimulatedSteam({ catalog: fromPayloads(payloads), keepRequests: false });
      const distrust = steam.trustHere();
      database = await openTestDatabase("postgres");
      // The rest of the id space is empty and swept elsewhere.
      const summary = await startBulk(database.db, steam, { appids: payloads.map(({ appid }) => appid) }).done;
      distrust();
      await steam.close();
      expect(summary).toMatchObject({ stored: count, failed_count: 0, unknown: 0 });

      const expected = new Map(
        payloads.map(({ appid, changeNumber, text }) => [appid, readIndependently(appid, changeNumber, text)]),
      );
      const comparison = await compareWithDatabase(database.sql, expected);
      expect(comparison.differences.slice(0, 5)).toEqual([]);
      expect(comparison.apps).toBe(count);
      // The texts of common-2026 are composed of one section: no app info that Steam sent.
      if (!name.startsWith("common")) await compareInfo(database, payloads);
      process.stdout.write(
        `${count} real apps, ${comparison.fields} fields compared, ${comparison.differences.length} differ\n`,
      );
    },
  );
});
