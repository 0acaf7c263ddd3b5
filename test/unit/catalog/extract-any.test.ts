import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AppRecord } from "../../../src/catalog/app-record.ts";
import { ExtractError, extractApp } from "../../../src/catalog/extract.ts";
import { KeyValuesError } from "../../../src/catalog/key-values.ts";
import { readRealPayloads } from "./real-payloads.ts";
import { partialRecord, wholeRecord } from "./record-schema.ts";
import { type Pairs, write } from "./writer.ts";

const sections = ["common", "extended", "config", "depots", "branches", "public", "public_only", "appid"];
const fields =
  "name type releasestate steam_release_date oslist controller_support review_score metacritic_fullurl metacritic_url " +
  "parent freetodownload content_descriptors supported_languages languages category workshop_visible store_tags genres primary_genre " +
  "associations developer publisher steam_deck_compatibility steamos_compatibility tests display token supported " +
  "category_30 steam_machine_compatibility isfreeapp state homepage listofdlc dlcforappid timebuildupdated timeupdated buildid dlcappid english installdir playtest_type " +
  "name_localized aicontenttype restricted_countries exfgls osarch onlyvrsupport header_image small_capsule library_assets_full image " +
  "image2x icon clienticon configuration steamos_tests description pwdrequired manifests gid size download config oslist __proto__ constructor 0 1 2";
const oddValues = [
  "",
  "0",
  "1",
  "2",
  "true",
  "-1",
  "5.5",
  "500",
  "1,2,,500,x",
  "2147483648",
  "developer",
  "\0",
  "../a.jpg",
  "a/b.jpg",
  "f".repeat(40),
  "\ud800",
];

const key = fc.oneof(fc.constantFrom(...fields.split(" ")), fc.string({ unit: "binary", maxLength: 4 }));
const scalar = fc.oneof(
  fc.constantFrom(...oddValues),
  fc.string({ unit: "binary", maxLength: 10 }),
  fc.string({ unit: fc.constantFrom("\ud83d", "\ude00", "\0", " ", "a"), maxLength: 6 }),
  fc.bigInt({ min: -1n, max: 2n ** 64n }).map(String),
);
const { block } = fc.letrec<{ value: string | Pairs; block: Pairs }>((tie) => ({
  value: fc.oneof({ maxDepth: 5, withCrossShrink: true }, scalar, tie("block")),
  block: fc.array(fc.tuple(key, tie("value")), { maxLength: 8 }),
}));
const appinfo = fc.array(fc.tuple(fc.constantFrom(...sections), fc.oneof(scalar, block)), { maxLength: 6 });

/** The record; null for the two errors that may be thrown. Anything else fails the test. */
function extractOrRefuse(text: string, partial: boolean): AppRecord | null {
  try {
    return extractApp(500, text, partial).record;
  } catch (error) {
    if (error instanceof KeyValuesError || error instanceof ExtractError) return null;
    throw error;
  }
}

/** As the record arrives in Postgres: through JSON, without NUL or half a surrogate pair anywhere, keys included. */
function throughJson(record: AppRecord): unknown {
  const json = JSON.stringify(record);
  expect(json).not.toMatch(/\\u0000|\\ud[89a-f]/i);
  expect(json.isWellFormed()).toBe(true);
  const arrived = JSON.parse(json);
  expect(Object.keys(arrived)).toEqual(Object.keys(record));
  return arrived;
}

describe("extractApp with any tree (property)", () => {
  it("returns a record that the database accepts", () => {
    let records = 0;
    fc.assert(
      fc.property(appinfo, fc.boolean(), (tree, partial) => {
        const record = extractOrRefuse(write({ appinfo: tree }), partial);
        if (record === null) return;
        records++;
        partialRecord.parse(throughJson(record));
      }),
      { numRuns: 1500 },
    );
    expect(records).toBeGreaterThan(100);
  });

  it("returns every key for a payload with all sections", () => {
    const filled = block.filter((pairs) => pairs.length > 0);
    fc.assert(
      fc.property(
        fc.tuple(...["common", "extended", "config", "depots"].map((name) => fc.tuple(fc.constant(name), filled))),
        (tree) => {
          wholeRecord.parse(throughJson(extractApp(500, write({ appinfo: tree }), false).record));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("returns for a partial payload only what it returns for a whole one with the same text", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("common", "extended", "config", "depots"), block), { maxLength: 4 }),
        (tree) => {
          const text = write({ appinfo: tree });
          const { dlc_complete: _, ...partial } = extractApp(500, text, true).record;
          expect(extractApp(500, text, false).record).toMatchObject(partial);
        },
      ),
    );
  });
});

describe("extractApp with a damaged text (property)", () => {
  const sample = write({
    appinfo: {
      appid: "500",
      common: { name: 'A "B" \\', store_tags: { "0": "19", "1": "492" }, oslist: "windows,macos" },
      extended: { listofdlc: "10,20", isfreeapp: "1" },
      depots: { branches: { public: { buildid: "7", timeupdated: "1303171200" } } },
    },
  });
  const piece = fc.oneof(fc.string({ unit: fc.constantFrom('"', "\\", "{", "}", "\n", "\0", "a", "1"), maxLength: 4 }));

  it("throws one of the two errors, or returns a record that the database accepts", () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(sample.length), fc.nat(20), piece, (at, cut, inserted) => {
        const record = extractOrRefuse(sample.slice(0, at) + inserted + sample.slice(at + cut), false);
        if (record === null) refused++;
        else partialRecord.parse(throughJson(record));
      }),
      { numRuns: 1500 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});

describe("real payloads (../shared beside the repository)", () => {
  const payloads = readRealPayloads();

  it("become records that the database accepts, complete unless a section is missing", (ctx) => {
    if (payloads === null) return ctx.skip("skipped: ../shared/pics/appinfo.jsonl.gz is absent");
    const counts = { complete: 0, withoutDepots: 0, publicOnly: 0 };
    for (const { appid, text } of payloads) {
      const { record, lacks } = extractApp(appid, text, false);
      const isPublicOnly = text.includes('"public_only"');
      const isComplete = !isPublicOnly && !lacks.includes("depots");
      counts[isComplete ? "complete" : isPublicOnly ? "publicOnly" : "withoutDepots"]++;
      (isComplete ? wholeRecord : partialRecord).parse(throughJson(record));
    }
    expect(counts).toEqual({ complete: 1126, withoutDepots: 186, publicOnly: 378 });
  });
});
