import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import type { AppRecord } from "../../../src/catalog/app-record.ts";
import { extractApp } from "../../../src/catalog/extract.ts";
import { type CommonSection, commonToText } from "../independent-reading/common-to-text.ts";
import type { Column, Dictionary } from "./model.ts";

/** Examples are those of this app where their note names no other: Counter-Strike 2. */
const usualApp = 730;

interface Payload {
  appid: number;
  change_number?: number;
  sha1?: string;
  text: string;
}

/** Rows that the extractor makes of an app's payload, by table. */
type Rows = Record<string, object[] | undefined>;

/** Real payloads lie beside the repository and are never part of it. */
const folder = fileURLToPath(new URL("../../../../shared/pics/", import.meta.url));
export const hasRealPayloads = existsSync(folder);

/** Examples of what comes over PICS that no row of their app has, as the extractor makes it of the real payload. */
export function untrueExamples({ tables }: Dictionary): string[] {
  const columns = tables.flatMap((table) =>
    table.group === "catalog" ? table.columns.map((column) => ({ ...column, table: table.name })) : [],
  );
  const told = columns.filter(({ name, meaning }) => meaning?.source?.startsWith("PICS") && name !== "appid");
  const rowsOf = realRows(new Set(told.map(appOf)));
  return told.flatMap((column) => {
    const rows = rowsOf.get(appOf(column));
    // The history is made of several payloads.
    const candidates = rows === undefined ? [] : rows[column.table];
    const isTrue =
      candidates?.some((row) => isExampleOf(column, (row as Record<string, unknown>)[column.name])) ?? true;
    return isTrue ? [] : [`${column.table}.${column.name}: ${column.meaning?.example}`];
  });
}

function noted({ meaning }: Column): [value: string, note: string] {
  const [, value = meaning?.example ?? "", note = ""] = /^(.*) (\([^()]*\))$/s.exec(meaning?.example ?? "") ?? [];
  return [value, note];
}

const appOf = (column: Column) => Number(/\(app (\d+)/.exec(noted(column)[1])?.[1] ?? usualApp);

/** What is left out of an example is not compared. */
function isExampleOf(column: Column, value: unknown): boolean {
  const [example] = noted(column);
  if (column.type === "jsonb") return contains(value, JSON.parse(example.replaceAll(/,? …/g, "")));
  if (column.type.endsWith("[]")) return `{${value}}` === example;
  if (column.type.startsWith("timestamp")) return Date.parse(`${value}`) === Date.parse(example);
  return String(value) === example;
}

function contains(value: unknown, part: unknown): boolean {
  if (typeof part !== "object" || part === null) return value === part;
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(part).every(([key, inner]) => contains((value as Record<string, unknown>)[key], inner));
}

function realRows(appids: ReadonlySet<number>): Map<number, Rows> {
  const payloads = new Map<number, Payload>();
  for (const { appid, common } of lines<{ appid: number; common: CommonSection }>("common-2026.jsonl.gz", appids)) {
    payloads.set(appid, { appid, text: commonToText(appid, common) });
  }
  for (const payload of lines<Payload>("appinfo.jsonl.gz", appids)) payloads.set(payload.appid, payload);
  return new Map([...payloads].map(([appid, payload]) => [appid, rowsOfPayload(payload)]));
}

function lines<T extends { appid: number }>(file: string, appids: ReadonlySet<number>): T[] {
  return gunzipSync(readFileSync(folder + file))
    .toString()
    .trimEnd()
    .split("\n")
    .filter((line) => appids.has(Number(/"appid": ?(\d+)/.exec(line)?.[1])))
    .map((line) => JSON.parse(line) as T);
}

function rowsOfPayload({ appid, text, change_number, sha1 }: Payload): Rows {
  const { record, isPartial } = extractApp(appid, text, false);
  const { tags = [], genres = [], categories = [], dlc = [], steam_deck, branches, depots = [] }: AppRecord = record;
  const names = (list: string[] = []) => list.map((name) => ({ name }));
  return {
    apps: [record],
    steam_tags: tags.map((tag_id) => ({ tag_id })),
    steam_genres: genres.map((genre_id) => ({ genre_id })),
    steam_categories: categories.map((category_id) => ({ category_id })),
    franchises: names(record.franchises),
    developers: names(record.developers),
    publishers: names(record.publishers),
    app_steam_tags: tags.map((tag_id, index) => ({ tag_id, rank: index + 1 })),
    app_genres: genres.map((genre_id) => ({ genre_id, is_primary: genre_id === record.primary_genre_id })),
    app_categories: categories.map((category_id) => ({ category_id })),
    app_dlc: dlc.map((dlc_appid) => ({ dlc_appid })),
    app_steam_deck: steam_deck ? [steam_deck] : [],
    app_branches: branches,
    app_depots: depots,
    app_depot_manifests: depots.flatMap(({ depot_id, manifests }) => manifests.map((each) => ({ depot_id, ...each }))),
    app_info: [{ change_number, sha1, size: Buffer.byteLength(text), partial: isPartial, data: "\\x789c…" }],
  };
}
