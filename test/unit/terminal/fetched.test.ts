import { describe, expect, it } from "vitest";
import { recordOf } from "../../../src/terminal/comparison.ts";
import { fetchedDocument, formatFetched, type SteamSide } from "../../../src/terminal/fetched.ts";
import { now, plain, portal } from "./samples.ts";

const stored = { app: portal, note: null };

function steamSays(changes: Partial<SteamSide["record"]>, side: Partial<SteamSide> = {}): SteamSide {
  const record = { ...recordOf(portal), ...changes };
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
    const alone = fetchedDocument({ app: null, note: "not stored in Postgres" }, steamSays({}));
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
    const text = formatFetched({ app: null, note: "the database is away" }, steamSays({}), plain, now);
    expect(text).toContain("Stored: the database is away\n\nSteam now\n  Name                Portal 2\n");
    expect(text).toContain("  Tags                1664, eSports (5055)\n");
  });
});
