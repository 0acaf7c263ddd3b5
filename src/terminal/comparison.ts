import type { AppRecord, LanguageSupport, SteamDeckRecord } from "../catalog/app-record.ts";
import type { AppView } from "../catalog/views.ts";
import { type FieldName, fieldGroups, type Names } from "./fields.ts";

/** What is stored of an app and what Steam says of it, brought into one form. */

const fieldNames = fieldGroups.flatMap(({ fields }) => fields.map(({ name }) => name));

/** A stored app in the form of a record. */
export function recordOf(view: AppView): AppRecord {
  const { is_active, is_known, is_listed, created_at, updated_at, ...rest } = view;
  const { change_number, synced_at, is_pending, missing_token, ...facts } = rest;
  const { platforms, parent, dlc, tags, genres, categories, is_free, has_workshop, ...same } = facts;
  return normal({
    ...same,
    // Unknown until a payload has told it.
    ...(is_free !== null && { is_free }),
    ...(has_workshop !== null && { has_workshop }),
    platforms: platforms.join(",") || null,
    parent_appid: parent?.appid ?? null,
    dlc: dlc.map(({ appid }) => appid),
    tags: tags.map(({ id }) => id),
    genres: genres.map(({ id }) => id),
    primary_genre: genres.find(({ is_primary }) => is_primary)?.id ?? null,
    categories: categories.map(({ id }) => id),
  });
}

/** What a stored app calls its tags, genres, categories, parent and DLC. */
export function namesOf({ parent, dlc, tags, genres, categories }: AppView): Names {
  const known = (list: readonly { id: number; name: string | null }[]) =>
    new Map(list.flatMap(({ id, name }) => (name === null ? [] : [[id, name]])));
  const apps = [...dlc, ...(parent ? [parent] : [])].map(({ appid, name }) => ({ id: appid, name }));
  return { apps: known(apps), tags: known(tags), genres: known(genres), categories: known(categories) };
}

/** The fields that both records speak of and that differ. Both must be {@link normal}. */
export function differences(stored: AppRecord, steam: AppRecord): FieldName[] {
  return fieldNames.filter(
    (name) => steam[name] !== undefined && JSON.stringify(stored[name] ?? null) !== JSON.stringify(steam[name]),
  );
}

/**
 * The record in the one form that can be compared: times with milliseconds, lists ascending where their order means nothing. A primary
 * genre that is not among the genres is dropped, as the database has no place for it.
 */
export function normal(record: AppRecord): AppRecord {
  const { genres, primary_genre, languages, steam_deck } = record;
  const changed: Partial<AppRecord> = {};
  for (const name of [
    "steam_release_date",
    "original_release_date",
    "store_asset_mtime",
    "last_content_update",
  ] as const) {
    const time = record[name];
    if (time) changed[name] = isoTime(time);
  }
  for (const name of ["genres", "categories", "dlc"] as const) {
    if (record[name]) changed[name] = record[name].toSorted((a, b) => a - b);
  }
  for (const name of ["developers", "publishers", "franchises"] as const) {
    if (record[name]) changed[name] = record[name].toSorted();
  }
  if (primary_genre && !genres?.includes(primary_genre)) changed.primary_genre = null;
  if (languages) changed.languages = normalLanguages(languages);
  if (steam_deck) changed.steam_deck = normalDeck(steam_deck);
  return { ...record, ...changed };
}

function normalLanguages(languages: Record<string, LanguageSupport>): Record<string, LanguageSupport> {
  const entries = Object.entries(languages).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, { full_audio, subtitles }]) => [name, { full_audio, subtitles }]));
}

function normalDeck({
  category,
  steamos_category,
  test_timestamp,
  tested_build_id,
  tests,
}: SteamDeckRecord): SteamDeckRecord {
  return {
    category,
    steamos_category,
    test_timestamp: test_timestamp && isoTime(test_timestamp),
    tested_build_id,
    tests: tests?.map(({ display, token }) => ({ display, token })) ?? null,
  };
}

const isoTime = (time: string) => new Date(time).toISOString();
