import { type KeyValueBlock, toKeyValues } from "../steam/key-values-writer.ts";

/**
 * App info as structured data, so that the model need not parse what it writes. Each section carries its own stamp in
 * the fields that it alone determines; the other fields are those that several sections determine.
 */
export interface AppInfo {
  common?: Common;
  extended?: Extended;
  depots?: Depots;
}

export interface Common {
  stamp: number;
  type: "game" | "demo";
  isFreeToDownload: boolean;
  parent: number | null;
  developers: string[];
  hasDeck: boolean;
}

export interface Extended {
  stamp: number;
  isFreeApp: boolean;
  dlcFor: number | null;
  developer: string | null;
  dlc: number[];
}

export interface Depots {
  stamp: number;
  dlc: number[];
}

export const sectionNames = ["common", "extended", "depots"] as const;
export type SectionName = (typeof sectionNames)[number];

/** @param empty sections that are there without content; to a reader they are missing. */
export function toText(
  appid: number,
  info: AppInfo,
  { isPublicOnly = false, empty = [] }: { isPublicOnly?: boolean; empty?: readonly SectionName[] } = {},
): string {
  const sections = { common: common(info.common), extended: extended(info.extended), depots: depots(info.depots) };
  const written = sectionNames.map((name): [string, KeyValueBlock | undefined] => [
    name,
    sections[name] ?? (empty.includes(name) ? {} : undefined),
  ]);
  return toKeyValues({ appinfo: [["appid", appid], ["public_only", isPublicOnly ? 1 : undefined], ...written] });
}

function common(of: Common | undefined): KeyValueBlock | undefined {
  return (
    of && {
      name: `App ${of.stamp}`,
      type: of.type,
      freetodownload: of.isFreeToDownload ? 1 : undefined,
      parent: of.parent ?? undefined,
      store_tags: { 0: tagOf(of), 1: 19 },
      genres: { 0: tagOf(of) },
      category: { [`category_${tagOf(of)}`]: 1 },
      steam_deck_compatibility: of.hasDeck ? { category: 3, tested_build_id: of.stamp } : undefined,
      associations: [
        ...of.developers.map((name, index): [string, KeyValueBlock] => [`${index}`, { type: "developer", name }]),
        ["9", { type: "franchise", name: `Franchise ${tagOf(of)}` }],
      ],
    }
  );
}

function extended(of: Extended | undefined): KeyValueBlock | undefined {
  return (
    of && {
      homepage: `https://example.com/${of.stamp}`,
      isfreeapp: of.isFreeApp ? 1 : undefined,
      dlcforappid: of.dlcFor ?? undefined,
      developer: of.developer ?? undefined,
      publisher: `Publisher ${of.stamp}`,
      listofdlc: of.dlc.length > 0 ? of.dlc.join(",") : undefined,
    }
  );
}

function depots(of: Depots | undefined): KeyValueBlock | undefined {
  return (
    of && {
      ...Object.fromEntries(of.dlc.map((dlc, index) => [700 + index, { dlcappid: dlc }])),
      branches: { public: { buildid: of.stamp, timebuildupdated: 1_700_000_000 + of.stamp } },
    }
  );
}

/** One of a few ids, so that versions share some. */
export const tagOf = ({ stamp }: Common) => 1 + (stamp % 4);
