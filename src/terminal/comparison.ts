import type { AppRecord } from "../catalog/app-record.ts";
import type { AppView } from "../catalog/views.ts";
import { type FieldName, fields, type Names } from "./fields.ts";

/** Compares a stored app with what Steam answers, both as canonical records. */

/** Until the view has it. */
interface NewColumns {
  family_sharing_excluded?: boolean | null;
}

/** Converts a stored app to a canonical record. A column with the same name and type in both needs no line here. */
export function recordOf(view: AppView): AppRecord {
  const { is_active, is_known, is_listed, created_at, updated_at, ...rest } = view;
  const { change_number, synced_at, is_pending, missing_token, ...facts } = rest;
  const { platforms, parent, dlc, tags, genres, categories, steam_deck, ...columns } = facts;
  const { is_free, has_workshop, family_sharing_excluded = null, ...same } = columns as typeof columns & NewColumns;
  return canonical({
    ...same,
    // Null until a payload contains the section that decides it.
    ...(is_free !== null && { is_free }),
    ...(has_workshop !== null && { has_workshop }),
    ...(family_sharing_excluded !== null && { family_sharing_excluded }),
    platforms: platforms.join(",") || null,
    steam_deck: steam_deck && {
      steamos_tests: null,
      machine_tests: null,
      frame_tests: null,
      configuration: null,
      ...steam_deck,
    },
    parent_appid: parent?.appid ?? null,
    dlc: dlc.map(({ appid }) => appid),
    tags: tags.map(({ id }) => id),
    genres: genres.map(({ id }) => id),
    categories: categories.map(({ id }) => id),
  });
}

/** Names of the tags, genres, categories, parent and DLC of a stored app. */
export function namesOf({ parent, dlc, tags, genres, categories }: AppView): Names {
  const known = (list: readonly { id: number; name: string | null }[]) =>
    new Map(list.flatMap(({ id, name }) => (name === null ? [] : [[id, name]])));
  const apps = [...dlc, ...(parent ? [parent] : [])].map(({ appid, name }) => ({ id: appid, name }));
  return { apps: known(apps), tags: known(tags), genres: known(genres), categories: known(categories) };
}

/** The fields that Steam's record contains and that differ from the stored ones. Both records must be {@link canonical}. */
export function differences(stored: AppRecord, steam: AppRecord): FieldName[] {
  return fields.map(({ name }) => name).filter((name) => differs(name, stored, steam));
}

/** Fields with tables of their own, which a stored app is not read with. */
export const servedApart: readonly FieldName[] = ["branches", "depots"];

/** A stored DLC that Steam's list does not name is no difference: the list may be cut, and the DLC may name the app as its parent. */
function differs(name: FieldName, stored: AppRecord, steam: AppRecord): boolean {
  if (steam[name] === undefined || servedApart.includes(name)) return false;
  if (name === "dlc") return !steam.dlc?.every((appid) => stored.dlc?.includes(appid));
  return JSON.stringify(stored[name] ?? null) !== JSON.stringify(steam[name]);
}

/** The record in the one form that can be compared: times with milliseconds, lists ascending where their order has no meaning. */
export function canonical(record: AppRecord): AppRecord {
  const given = fields.filter(({ name }) => name in record);
  return { ...record, ...Object.fromEntries(given.map((field) => [field.name, field.canonical(record)])) };
}
