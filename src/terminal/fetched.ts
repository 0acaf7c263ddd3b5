import type { AppRecord } from "../catalog/app-record.ts";
import type { AppView } from "../catalog/views.ts";
import { freshness, titleOf } from "./app.ts";
import { canonical, differences, namesOf, recordOf, servedApart } from "./comparison.ts";
import { type Field, type FieldName, fields, type Names } from "./fields.ts";
import { facts, gap, labelWidth, paint, paragraph, type Terminal, table } from "./layout.ts";

/** `fetch`: Steam's current app info of an app, compared with the stored one. */

export interface SteamSide {
  changeNumber: number;
  /** Steam withholds sections, so the record has only some of the fields. */
  publicOnly: boolean;
  record: AppRecord;
  tagNames: ReadonlyMap<number, string>;
}

export interface StoredSide {
  /** Null when the app is not stored or cannot be read. */
  app: AppView | null;
  /** Why `app` is null. */
  note: string | null;
}

/** The document of `fetch --json`. */
export interface FetchedDocument {
  appid: number;
  stored: (AppRecord & Pick<AppView, "change_number" | "synced_at" | "is_pending">) | null;
  steam: AppRecord & { change_number: number; public_only: boolean };
  /** Fields that both have and that differ. */
  differs: FieldName[];
  /** Why `stored` is null. */
  note: string | null;
}

export function fetchedDocument({ app, note }: StoredSide, steam: SteamSide): FetchedDocument {
  const [stored, now] = [app && recordOf(app), canonical(steam.record)];
  return {
    appid: now.appid,
    stored: app &&
      stored && { ...stored, change_number: app.change_number, synced_at: app.synced_at, is_pending: app.is_pending },
    steam: { ...now, change_number: steam.changeNumber, public_only: steam.publicOnly },
    differs: stored ? differences(stored, now) : [],
    note,
  };
}

/** The same as text: the fields that differ side by side, those that agree, those that only the stored app has, then
 * branches and depots as Steam has them. */
export function formatFetched(stored: StoredSide, steam: SteamSide, terminal: Terminal, now: number): string {
  const record = canonical(steam.record);
  const names = joined(stored.app, steam.tagNames);
  const lines = [
    ...paragraph(paint(terminal, "bold", titleOf({ ...stored.app, ...record })), terminal),
    `Steam now: change number ${steam.changeNumber}${steam.publicOnly ? " (public part only)" : ""}`,
    ...paragraph(`Stored: ${stored.app ? lowered(freshness(stored.app, now)) : (stored.note ?? "nothing")}`, terminal),
    ...(stored.app
      ? compared(recordOf(stored.app), record, names, terminal)
      : group("Steam now", fields, record, names, terminal)),
  ];
  return `${lines.join("\n")}\n`;
}

function compared(stored: AppRecord, steam: AppRecord, names: Names, terminal: Terminal): string[] {
  const differs = differences(stored, steam);
  const compared = fields.filter(({ name }) => !servedApart.includes(name));
  const agreed = compared.filter(({ name }) => steam[name] !== undefined && !differs.includes(name));
  const onlyStored = compared.filter(({ name }) => steam[name] === undefined);
  const onlySteam = fields.filter(({ name }) => servedApart.includes(name));
  return [
    "",
    ...(differs.length === 0 ? ["No differences."] : sideBySide(differs, stored, steam, names, terminal)),
    ...group("Equal", agreed, stored, names, terminal),
    ...group("Stored only", onlyStored, stored, names, terminal),
    ...group("Steam now, not compared", onlySteam, steam, names, terminal),
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
    .map(({ label, format }) => [
      `≠ ${label}`,
      format(stored, names) ?? "–",
      paint(terminal, "yellow", format(steam, names) ?? "–"),
    ]);
  return table([head, ...rows], [labelWidth, width, width]);
}

function group(title: string, shown: readonly Field[], record: AppRecord, names: Names, terminal: Terminal): string[] {
  const lines = facts(
    shown.map((field) => [field.label, field.format(record, names)]),
    terminal,
  );
  return lines.length === 0 ? [] : ["", paint(terminal, "bold", title), ...lines];
}

/** Names of tags come from Steam, all other names from the stored app. */
function joined(app: AppView | null, tagNames: ReadonlyMap<number, string>): Names {
  const names = app ? namesOf(app) : { apps: new Map(), tags: new Map(), genres: new Map(), categories: new Map() };
  return { ...names, tags: new Map([...names.tags, ...tagNames]) };
}

const lowered = (sentence: string) => sentence.charAt(0).toLowerCase() + sentence.slice(1);
