import { parse as parseWithKvparser } from "kvparser";
import { extractApp } from "../src/catalog/extract.ts";
import { parseKeyValues } from "../src/catalog/key-values.ts";
import { readRealPayloads } from "../test/unit/catalog/real-payloads.ts";

/** Throughput of the KeyValues parser and of the extractor, compared with kvparser: `node bench/key-values.ts`. */

export interface KeyValuesBench {
  /** Where the texts come from. */
  source: string;
  texts: number;
  /** Megabytes (10^6 bytes of UTF-8) of all texts together. */
  megabytes: number;
  parseMegabytesPerSecond: number;
  kvparserMegabytesPerSecond: number;
  /** The parser's speed over kvparser's, in the same run. */
  timesKvparser: number;
  /** Parsing and extracting the record, on one core. */
  extractAppsPerSecond: number;
}

interface Payload {
  appid: number;
  text: string;
}

const warmUpRounds = 3;
const measuredRounds = 9;

/** Runs the contenders alternately, so that other load slows all of them, and compares medians. Takes a few seconds. */
export async function benchKeyValues(): Promise<KeyValuesBench> {
  const { source, payloads } = await readPayloads();
  const megabytes = payloads.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) / 1e6;
  const contenders: ((payload: Payload) => unknown)[] = [
    ({ text }) => parseKeyValues(text),
    ({ text }) => parseWithKvparser(text),
    ({ appid, text }) => extractApp(appid, text, false),
  ];
  const seconds = contenders.map((): number[] => []);
  for (let round = 0; round < warmUpRounds + measuredRounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const start = performance.now();
      for (const payload of payloads) contender(payload);
      if (round >= warmUpRounds) seconds[index]?.push((performance.now() - start) / 1000);
    }
  }
  const [parse = 0, kvparser = 0, extract = 0] = seconds.map(median);
  return {
    source,
    texts: payloads.length,
    megabytes,
    parseMegabytesPerSecond: megabytes / parse,
    kvparserMegabytesPerSecond: megabytes / kvparser,
    timesKvparser: kvparser / parse,
    extractAppsPerSecond: payloads.length / extract,
  };
}

async function readPayloads(): Promise<{ source: string; payloads: Payload[] }> {
  const real = readRealPayloads();
  if (real !== null) return { source: "real payloads", payloads: real };
  const { generateCatalog } = await import("../test/support/steam/generate.ts");
  const catalog = generateCatalog({ seed: 1, count: 2000 });
  const payloads = [...catalog.apps.values()].map((app) => ({
    appid: app.appid,
    text: catalog.body(app, "whole").bytes.toString("utf8"),
  }));
  return { source: "generated payloads", payloads };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

if (import.meta.main) {
  const result = await benchKeyValues();
  console.log(`${result.texts} ${result.source}, ${result.megabytes.toFixed(1)} MB`);
  console.log(`parse     ${result.parseMegabytesPerSecond.toFixed(0)} MB/s`);
  console.log(`kvparser  ${result.kvparserMegabytesPerSecond.toFixed(0)} MB/s`);
  console.log(`ratio     ${result.timesKvparser.toFixed(2)}`);
  console.log(`extract   ${result.extractAppsPerSecond.toFixed(0)} apps/s`);
}
