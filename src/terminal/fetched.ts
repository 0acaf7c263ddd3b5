import type { AppRecord } from "../catalog/app-record.ts";
import type { AppView } from "../catalog/views.ts";
import type { StoredApp } from "../catalog-source/port.ts";
import { freshness, titleOf } from "./app.ts";
import { canonical, differences, namesOf, recordOf } from "./comparison.ts";
import { type Field, type FieldName, fields, type Names } from "./fields.ts";
import { facts, gap, labelWidth, paint, paragraph, styled, type Terminal, table } from "./layout.ts";

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
  stored: StoredApp | null;
  /** Why `stored` is null. */
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

export function fetchedDocument({ stored, note }: StoredSide, steam: SteamSide): FetchedDocument {
  const now = canonical(steam.record);
  const record = stored && recordOf(stored);
  return {
    appid: now.appid,
    stored: stored && record && { ...record, ...freshnessOf(stored.app) },
    steam: { ...now, change_number: steam.changeNumber, public_only: steam.publicOnly },
    differs: record ? differences(record, now) : [],
    note,
  };
}

const freshnessOf = ({ change_number, synced_at, is_pending }: AppView) => ({ change_number, synced_at, is_pending });

/** The same as text: the fields that differ side by side, those that agree, then those that only one of the two has. */
export function formatFetched({ stored, note }: StoredSide, steam: SteamSide, terminal: Terminal, now: number): string {
  const record = canonical(steam.record);
  const app = stored?.app ?? null;
  const names = joined(app, steam.tagNames);
  const lines = [
    ...paragraph(styled(terminal, "bold", titleOf({ ...app, ...record })), terminal),
    `Steam now: change number ${steam.changeNumber}${steam.publicOnly ? " (public part only)" : ""}`,
    ...paragraph(`Stored: ${app ? lowered(freshness(app, now)) : (note ?? "nothing")}`, terminal),
    ...(stored
      ? compared(recordOf(stored), record, names, terminal)
      : group("Steam now", fields, record, names, terminal)),
  ];
  return `${lines.join("\n")}\n`;
}

function compared(stored: AppRecord, steam: AppRecord, names: Names, terminal: Terminal): string[] {
  const differs = differences(stored, steam);
  const others = fields.filter(({ name }) => !differs.includes(name));
  const agreed = others.filter(({ name }) => steam[name] !== undefined && stored[name] !== undefined);
  const onlyStored = others.filter(({ name }) => steam[name] === undefined);
  const onlySteam = others.filter(({ name }) => stored[name] === undefined);
  return [
    "",
    ...(differs.length === 0 ? ["No differences."] : sideBySide(differs, stored, steam, names, terminal)),
    ...group("Equal", agreed, stored, names, terminal),
    ...group("Stored only", onlyStored, stored, names, terminal),
    ...group("Steam only", onlySteam, steam, names, terminal),
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
  const head = ["Differs", "Stored", "Steam now"].map((title) => styled(terminal, "bold", title));
  const rows = fields
    .filter(({ name }) => differs.includes(name))
    .map(({ label, format }) => [
      `≠ ${label}`,
      format(stored, names) ?? "–",
      styled(terminal, "yellow", format(steam, names) ?? "–"),
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
