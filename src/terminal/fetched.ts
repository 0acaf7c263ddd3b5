import type { AppRecord } from "../catalog/app-record.ts";
import type { AppView } from "../catalog/views.ts";
import { freshness, titleOf } from "./app.ts";
import { differences, namesOf, normal, recordOf } from "./comparison.ts";
import { type Field, type FieldName, fieldGroups, type Names } from "./fields.ts";
import { facts, gap, labelWidth, paint, paragraph, type Terminal, table } from "./layout.ts";

/** What Steam says of an app now, next to what is stored. */

export interface SteamSide {
  changeNumber: number;
  /** Steam holds sections back, so the record speaks of some fields only. */
  publicOnly: boolean;
  record: AppRecord;
  tagNames: ReadonlyMap<number, string>;
}

export interface StoredSide {
  /** Null when it is not stored, or cannot be read. */
  app: AppView | null;
  /** Why there is nothing to compare with; null when there is. */
  note: string | null;
}

/** The document of `fetch --json`. */
export interface FetchedDocument {
  appid: number;
  stored: (AppRecord & Pick<AppView, "change_number" | "synced_at" | "is_pending">) | null;
  steam: AppRecord & { change_number: number; public_only: boolean };
  /** Names of the fields that both speak of and that differ. */
  differs: FieldName[];
  /** Why `stored` is null. */
  note: string | null;
}

export function fetchedDocument({ app, note }: StoredSide, steam: SteamSide): FetchedDocument {
  const [stored, now] = [app && recordOf(app), normal(steam.record)];
  return {
    appid: now.appid,
    stored: app &&
      stored && { ...stored, change_number: app.change_number, synced_at: app.synced_at, is_pending: app.is_pending },
    steam: { ...now, change_number: steam.changeNumber, public_only: steam.publicOnly },
    differs: stored ? differences(stored, now) : [],
    note,
  };
}

/** The same for people: first what differs, side by side, then what agrees, then what only one side tells. */
export function formatFetched(stored: StoredSide, steam: SteamSide, terminal: Terminal, now: number): string {
  const record = normal(steam.record);
  const names = joined(stored.app, steam.tagNames);
  const lines = [
    ...paragraph(paint(terminal, "bold", titleOf({ ...stored.app, ...record })), terminal),
    `Steam now: change number ${steam.changeNumber}${steam.publicOnly ? ", the public part only" : ""}`,
    ...paragraph(`Stored: ${stored.app ? lowered(freshness(stored.app, now)) : (stored.note ?? "nothing")}`, terminal),
    ...(stored.app
      ? compared(recordOf(stored.app), record, names, terminal)
      : group("Steam now", fields, record, names, terminal)),
  ];
  return `${lines.join("\n")}\n`;
}

const fields = fieldGroups.flatMap((group) => group.fields);

function compared(stored: AppRecord, steam: AppRecord, names: Names, terminal: Terminal): string[] {
  const differs = differences(stored, steam);
  const agreed = fields.filter(({ name }) => steam[name] !== undefined && !differs.includes(name));
  const untold = fields.filter(({ name }) => steam[name] === undefined);
  return [
    "",
    ...(differs.length === 0 ? ["Nothing differs."] : sideBySide(differs, stored, steam, names, terminal)),
    ...group("The same on both sides", agreed, stored, names, terminal),
    ...group("Stored, and not told by Steam now", untold, stored, names, terminal),
  ];
}

function sideBySide(
  differs: readonly FieldName[],
  stored: AppRecord,
  steam: AppRecord,
  names: Names,
  terminal: Terminal,
): string[] {
  const width = Math.floor((terminal.columns - labelWidth) / 2) - gap;
  const head = ["Differs", "Stored", "Steam now"].map((title) => paint(terminal, "bold", title));
  const rows = fields
    .filter(({ name }) => differs.includes(name))
    .map(({ label, words }) => [
      `≠ ${label}`,
      words(stored, names) ?? "–",
      paint(terminal, "yellow", words(steam, names) ?? "–"),
    ]);
  return table([head, ...rows], [labelWidth, width, width]);
}

function group(title: string, shown: readonly Field[], record: AppRecord, names: Names, terminal: Terminal): string[] {
  const lines = facts(
    shown.map((field) => [field.label, field.words(record, names)]),
    terminal,
  );
  return lines.length === 0 ? [] : ["", paint(terminal, "bold", title), ...lines];
}

/** Steam names its tags; what else has a name in the store keeps that. */
function joined(app: AppView | null, tagNames: ReadonlyMap<number, string>): Names {
  const names = app ? namesOf(app) : { apps: new Map(), tags: new Map(), genres: new Map(), categories: new Map() };
  return { ...names, tags: new Map([...names.tags, ...tagNames]) };
}

const lowered = (sentence: string) => sentence.charAt(0).toLowerCase() + sentence.slice(1);
