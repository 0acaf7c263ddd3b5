import { hash } from "node:crypto";
import { promisify } from "node:util";
import { deflate, deflateSync } from "node:zlib";
import { extractApp } from "../catalog/extract.ts";
import { labelsOf } from "../catalog/labels.ts";
import type { ApplyRequest, KeptText, StoredRecord } from "../db/sync-calls.ts";
import { nextTurn } from "../process/time.ts";
import type { AppPayload } from "../steam/port.ts";
import { type FetchedApps, isWithheld } from "./fetch-apps.ts";
import type { KeyCensus } from "./key-census.ts";

/** What is kept of app info besides the record. */
export interface Keep {
  /** The text exactly as Steam sent it. */
  appInfo: boolean;
  /** Depots and their manifests. */
  depots: boolean;
}

/** An app that was not stored, and the step that failed; `apply` means that the database rejected it. */
export interface Failure {
  appid: number;
  error: string;
  step: "fetch" | "extract" | "apply";
  /** Steam did not answer for it, neither with the app nor as unknown. */
  silent?: boolean;
}

/** A batch after fetch and extract, ready to be written. */
export interface ExtractedBatch extends Pick<ApplyRequest, "apps" | "unknown" | "tokens"> {
  failed: Failure[];
}

/** Of the texts read in one turn of the event loop, in characters: about 20 apps, which take two or three milliseconds. */
const charactersPerTurn = 80_000;

/** Extracts the records of fetched apps. A text that cannot be read fails its app only. */
export async function extractBatch(
  fetched: FetchedApps,
  { keep, census }: { keep: Keep; census?: KeyCensus },
): Promise<ExtractedBatch> {
  const { apps, unknown, failed, tokens } = fetched;
  const records: Promise<StoredRecord>[] = [];
  const failures: Failure[] = failed.map((failure) => ({ ...failure, step: "fetch" }));
  let turn = charactersPerTurn;
  for (const payload of apps) {
    // Yields to the event loop between replies and between their parts, so that requests such as /health are answered
    // meanwhile.
    if (turn >= charactersPerTurn) {
      await nextTurn();
      turn = 0;
    }
    turn += payload.text?.length ?? 0;
    try {
      const record = toRecord(payload, keep, census);
      records.push(keep.appInfo && payload.bytes ? withText(record, payload.bytes) : Promise.resolve(record));
    } catch (error) {
      const step = payload.text === null ? "fetch" : "extract";
      failures.push({ appid: payload.appid, error: error instanceof Error ? error.message : String(error), step });
    }
  }
  return { apps: await Promise.all(records), unknown, failed: failures, tokens };
}

function toRecord(payload: AppPayload, keep: Keep, census: KeyCensus | undefined): StoredRecord {
  if (payload.text === null) throw new Error(payload.error ?? "Steam sent no app info");
  // Where depots are not kept, a record lists none, in place of those of an older version.
  const options = { withDepots: keep.depots };
  const { record, isPartial, lacks, unread } = extractApp(payload.appid, payload.text, isWithheld(payload), options);
  census?.count(payload.appid, unread);
  const labels = labelsOf(record);
  return {
    ...record,
    ...(labels && { labels }),
    change_number: payload.changeNumber,
    partial: isPartial,
    // Also where only the text says so (`public_only`): the rest is requested again with a token.
    missing_token: isPartial,
    lacks,
  };
}

async function withText(record: StoredRecord, bytes: Buffer): Promise<StoredRecord> {
  return { ...record, info: await keptText(bytes) };
}

const deflateAsync = promisify(deflate);
/** A hand-over to the thread pool costs three times the CPU time of deflating a text of usual size, 4 KB. */
const maxSyncBytes = 64 * 1024;

async function keptText(bytes: Buffer): Promise<KeptText> {
  const deflated = bytes.length <= maxSyncBytes ? deflateSync(bytes) : await deflateAsync(bytes);
  return { sha1: hash("sha1", bytes), size: bytes.length, data: deflated.toString("base64") };
}
