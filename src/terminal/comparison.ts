import type { AppRecord } from "../catalog/app-record.ts";
import type { AppView } from "../catalog/views.ts";
import type { StoredApp } from "../catalog-source/port.ts";
import { type FieldName, fields, type Names } from "./fields.ts";

/** Compares a stored app with what Steam answers, both as canonical records. */

/** Converts a stored app to a canonical record. A column with the same name and type in both needs no line here. */
export function recordOf({ app, branches, depots }: StoredApp): AppRecord {
  const { is_active, is_known, is_listed, created_at, updated_at, ...rest } = app;
  const { change_number, synced_at, is_pending, missing_token, ...told } = rest;
  const { store_modified_at, price_change_number, steamspy, ...facts } = told;
  const { platforms, parent, dlc, tags, genres, categories, is_free, has_workshop, family_sharing_excluded, ...same } =
    facts;
  return canonical({
    ...same,
    // Null until a payload contains the section that decides it.
    ...(is_free !== null && { is_free }),
    ...(has_workshop !== null && { has_workshop }),
    ...(family_sharing_excluded !== null && { family_sharing_excluded }),
    platforms: platforms.join(",") || null,
    parent_appid: parent?.appid ?? null,
    dlc: dlc.map(({ appid }) => appid),
    tags: tags.map(({ id }) => id),
    genres: genres.map(({ id }) => id),
    categories: categories.map(({ id }) => id),
    branches,
    ...(depots && { depots: depots.map((depot) => ({ ...depot, os_list: depot.os_list?.join(",") ?? null })) }),
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

/** Depots that are not kept do not differ. A stored DLC that Steam's list does not name is no difference: the list may be cut, and the DLC may name the app as its parent. */
function differs(name: FieldName, stored: AppRecord, steam: AppRecord): boolean {
  if (steam[name] === undefined || (name === "depots" && stored.depots === undefined)) return false;
  if (name === "dlc") return !steam.dlc?.every((appid) => stored.dlc?.includes(appid));
  return JSON.stringify(stored[name] ?? null) !== JSON.stringify(steam[name]);
}

/** The record in the one form that can be compared: times with milliseconds, lists ascending where their order has no meaning. */
export function canonical(record: AppRecord): AppRecord {
  const given = fields.filter(({ name }) => name in record);
  return { ...record, ...Object.fromEntries(given.map((field) => [field.name, field.canonical(record)])) };
}
