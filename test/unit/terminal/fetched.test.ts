import { describe, expect, it } from "vitest";
import type { StoredApp } from "../../../src/catalog-source/port.ts";
import { recordOf } from "../../../src/terminal/comparison.ts";
import { fetchedDocument, formatFetched, type SteamSide } from "../../../src/terminal/fetched.ts";
import { now, plain, portal, portalStored } from "./samples.ts";

const stored = { stored: portalStored, note: null };

function steamSays(changes: Partial<SteamSide["record"]>, side: Partial<SteamSide> = {}): SteamSide {
  const record = { ...recordOf(portalStored), ...changes };
  return { changeNumber: 36_100_000, publicOnly: false, record, tagNames: new Map([[5055, "eSports"]]), ...side };
}

describe("fetchedDocument", () => {
  it("ignores differences of format and order", () => {
    const { differs, note, ...sides } = fetchedDocument(
      stored,
      steamSays({
        steam_release_date: "2011-04-18T17:00:00.000Z",
        genres: [25, 1],
        dlc: [323180, 652],
        languages: {
          thai: { subtitles: false, full_audio: false, supported: true },
          french: { supported: false, full_audio: false, subtitles: true },
          english: { full_audio: true, supported: true, subtitles: true },
        },
        primary_genre_id: 1,
      }),
    );
    expect(differs).toEqual([]);
    expect(note).toBeNull();
    expect(sides).toMatchObject({
      appid: 620,
      stored: { name: "Portal 2", tags: [1664, 5055], change_number: 36_053_620, is_pending: false },
      steam: { name: "Portal 2", tags: [1664, 5055], change_number: 36_100_000, public_only: false },
    });
  });

  it.each([
    ["name", "Portal 2: Desolation"],
    ["tags", [5055, 1664]],
    ["parent_appid", null],
    ["is_free", true],
    ["platforms", "windows"],
    ["content_descriptors", [2]],
    ["languages", null],
    ["steam_deck", { ...portal.steam_deck, category: "playable" }],
    ["primary_genre_id", null],
    ["dlc", [323180, 999]],
  ])("reports a difference of %s", (name, value) => {
    expect(fetchedDocument(stored, steamSays({ [name]: value })).differs).toEqual([name]);
  });

  it("ignores fields that Steam withholds, and compares nothing without a stored app", () => {
    const record = { appid: 620, name: "Portal 3" };
    const document = fetchedDocument(stored, steamSays({}, { record, publicOnly: true }));
    expect(document).toMatchObject({ differs: ["name"], steam: { public_only: true } });
    const alone = fetchedDocument({ stored: null, note: "not stored in Postgres" }, steamSays({}));
    expect(alone).toMatchObject({ stored: null, differs: [], note: "not stored in Postgres" });
  });

  it("ignores a stored DLC that Steam's list does not name: the list may be cut", () => {
    expect(fetchedDocument(stored, steamSays({ dlc: [652], dlc_complete: false })).differs).toEqual([]);
  });
});

describe("formatFetched", () => {
  it("shows differences side by side with a mark, and equal fields once", () => {
    const steam = steamSays({ name: "Portal 2: Desolation", tags: [5055, 1664], franchises: ["Portal", "Half-Life"] });
    const text = formatFetched(stored, steam, plain, now);
    expect(text).toMatch(/^Portal 2: Desolation \(620\), game\nSteam now: change number 36100000\nStored: synced /);
    expect(text).toContain(`
Differs               Stored                        Steam now
≠ Name                Portal 2                      Portal 2: Desolation
≠ Franchises          –                             Half-Life, Portal
≠ Tags                Puzzle (1664), eSports        eSports (5055), Puzzle
                      (5055)                        (1664)

Equal
  Type                game
`);
    expect(text.match(/Valve/g)).toHaveLength(2);
    expect(text).not.toContain("Stored only");
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("states that there are no differences", () => {
    const text = formatFetched(stored, steamSays({}), plain, now);
    expect(text).toContain("\n\nNo differences.\n\nEqual\n");
    expect(text).not.toContain("≠");
  });

  it("lists fields that Steam withholds separately", () => {
    const record = { appid: 620, name: "Portal 2" };
    const text = formatFetched(stored, steamSays({}, { record, publicOnly: true }), plain, now);
    expect(text).toContain("Steam now: change number 36100000 (public part only)\n");
    expect(text).toContain("Equal\n  Name                Portal 2\n\nStored only\n");
  });

  it("shows only Steam's record, with the reason, when nothing is stored", () => {
    const text = formatFetched({ stored: null, note: "the database is away" }, steamSays({}), plain, now);
    expect(text).toContain("Stored: the database is away\n\nSteam now\n  Name                Portal 2\n");
    expect(text).toContain("  Tags                1664, eSports (5055)\n");
  });
});

describe("formatFetched with all that Steam says", () => {
  const branch = { built_at: null, updated_at: null, description: null, password_required: false };
  const depot = { os_arch: null, language: null, dlc_appid: null, from_appid: null, shared_install: false };
  const depots = Array.from({ length: 23 }, (_, index) => ({
    ...depot,
    depot_id: 700 + index,
    name: null,
    os_list: null,
    manifests: [],
  }));
  const record: SteamSide["record"] = {
    ...recordOf(portalStored),
    name_localized: { japanese: "ポータル2", french: "Portail" },
    ai_content: ["pre_generated", "live"],
    vr_support: "only",
    os_arch: "64",
    restricted_countries: ["CN", "DE"],
    family_sharing_excluded: true,
    must_own_appid: 400,
    install_dir: "Portal 2",
    pics_review_percentage_without_bombs: 99,
    assets: {
      header: { french: "https://a/fr.jpg", english: "https://a/en.jpg" },
      icons: { clienticon: "https://a/x.ico" },
    },
    branches: [
      { ...branch, branch: "beta", build_id: "124", description: "Try\u001b[2J it", password_required: true },
      { ...branch, branch: "public", build_id: "123", built_at: "2026-01-02T03:04:05.000Z" },
    ],
    depots: [
      {
        ...depot,
        depot_id: 621,
        name: "Content",
        os_list: "windows,linux",
        os_arch: "64",
        from_appid: 228980,
        manifests: [{ branch: "public", manifest_id: "7612884913650437182", size_bytes: 1, download_bytes: 1 }],
      },
      ...depots,
    ],
  };
  const wide = { ...plain, columns: 120 };

  it("shows names, art, branches and depots", () => {
    const text = formatFetched({ stored: null, note: null }, steamSays({}, { record }), wide, now);
    for (const line of [
      "  Other names         french: Portail, japanese: ポータル2",
      "  Must own            400",
      "  Not sold in         CN, DE",
      "  Family sharing      excluded",
      "  AI content          pre-generated, live",
      "  Positive w/o bombs  99 %",
      "  Architecture        64 bit",
      "  Virtual reality     only",
      "  Folder              Portal 2",
      "  Branches            beta 124 (password, Try [2J it)",
      "                      public 123 (built 2026-01-02 03:04:05 UTC)",
      "  Depots              621 Content (windows, linux, 64 bit, from 228980): public 7612884913650437182",
      "                      … and 4 more",
      "  Art                 header: https://a/en.jpg (and 1 more)",
      "                      clienticon: https://a/x.ico",
    ]) {
      expect(`${text}\n`).toContain(`\n${line}\n`);
    }
  });

  it("compares branches and depots in whatever order, and ignores depots that are not kept", () => {
    const branches = record.branches?.toReversed() ?? [];
    const depots =
      record.depots?.toReversed().map((each) => ({ ...each, os_list: each.os_list?.split(",") ?? null })) ?? [];
    const says = steamSays(record);
    const differsFrom = (side: Partial<StoredApp>) =>
      fetchedDocument({ stored: { ...portalStored, ...side }, note: null }, says).differs;
    expect(differsFrom({ branches, depots })).not.toEqual(expect.arrayContaining(["branches"]));
    expect(differsFrom({ branches, depots })).not.toContain("depots");
    expect(differsFrom({ depots: null })).toContain("branches");
    expect(differsFrom({ depots: null })).not.toContain("depots");
    expect(differsFrom({ branches, depots: depots.slice(1) })).toContain("depots");
    const text = formatFetched({ stored: { ...portalStored, branches, depots: null }, note: null }, says, wide, now);
    expect(text).toMatch(/\nSteam only\n {2}Depots +621 Content/);
    expect(text).toMatch(/\nEqual\n(.|\n)* {2}Branches +beta 124/);
  });

  it("compares art and names without regard to the order of their keys", () => {
    const same = {
      ...record,
      name_localized: { french: "Portail", japanese: "ポータル2" },
      assets: {
        icons: { clienticon: "https://a/x.ico" },
        header: { english: "https://a/en.jpg", french: "https://a/fr.jpg" },
      },
    };
    const app = { ...portal, name_localized: same.name_localized, assets: same.assets };
    const { differs } = fetchedDocument({ stored: { ...portalStored, app }, note: null }, steamSays(record));
    expect(differs).not.toContain("assets");
    expect(differs).not.toContain("name_localized");
    expect(differs).toContain("vr_support");
  });
});
