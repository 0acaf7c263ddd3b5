import { describe, expect, it } from "vitest";
import type { AppRecord } from "../../../src/catalog/app-record.ts";
import { extractApp } from "../../../src/catalog/extract.ts";
import { demoApps, demoText } from "../../support/demo/apps.ts";
import { story } from "../../support/demo/story.ts";

const read = (appid: number, text: string) => extractApp(appid, text, false).record;
/** Names of the fields that differ. */
const differences = (before: AppRecord, after: AppRecord) =>
  Object.keys(after).filter((key) => {
    const field = key as keyof AppRecord;
    return JSON.stringify(before[field]) !== JSON.stringify(after[field]);
  });

describe("the demo's apps", () => {
  it("have names, types and companies under different appids, those of the documents' examples among them", () => {
    const records = demoApps.map((app) => read(app.appid, demoText(app)));
    expect(records.filter(({ name, type, developers }) => !name || !type || developers?.length !== 1)).toEqual([]);
    const appids = new Set(demoApps.map(({ appid }) => appid));
    expect(appids.size).toBe(demoApps.length);
    for (const appid of [400, 440, 570, 620, 730]) expect(appids).toContain(appid);
  });
});

describe("the demo's story", () => {
  it("changes an app in one respect at a time: builds, a release, a rename, verdicts, tags; and delists one", () => {
    const stored = new Map(demoApps.map((app) => [app.appid, read(app.appid, demoText(app))]));
    const seen = new Set<string>();
    const happenings = story();
    // Four rounds of nine.
    for (let count = 0; count < 36; count += 1) {
      const { value } = happenings.next();
      if (value.kind === "list") {
        seen.add(value.isListed ? "listed" : "delisted");
        continue;
      }
      const before = stored.get(value.appid);
      const after = read(value.appid, value.text);
      if (!before) throw new Error(`no app ${value.appid}`);
      stored.set(value.appid, after);
      const fields = differences(before, after);
      expect(fields, `happening ${count}`).not.toEqual([]);
      seen.add(`${value.appid} ${fields.join(" ")}`);
    }
    expect([...seen].toSorted()).toMatchInlineSnapshot(`
      [
        "105600 branches",
        "1150003 release_state",
        "1150003 tags",
        "1150013 release_state",
        "1150023 name install_dir",
        "1150033 pics_review_score pics_review_percentage",
        "1150033 steam_deck",
        "440 steam_deck current_build_id branches depots",
        "570 steam_deck current_build_id branches depots",
        "730 steam_deck current_build_id branches depots",
        "delisted",
        "listed",
      ]
    `);
  });
});
