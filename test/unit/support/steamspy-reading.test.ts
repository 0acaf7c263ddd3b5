import { describe, expect, it } from "vitest";
import { generateSteamSpy } from "../../support/web/generate-steamspy.ts";
import {
  emptyMetadata,
  expectDetails,
  expectPage,
  readSteamSpyIndependently,
} from "../../support/web/read-steamspy.ts";
import type { SteamSpyApp } from "../../support/web/steamspy.ts";

const generated = generateSteamSpy({ seed: 1, games: 2_500 });

describe("readSteamSpyIndependently", () => {
  const app: SteamSpyApp = {
    ...(Object.values(generated.pages[0] ?? {})[0] as SteamSpyApp),
    ...{
      appid: 10,
      name: "A",
      developer: " D\u0000ev ",
      publisher: "",
      score_rank: "",
      positive: 5,
      negative: 2 ** 31,
    },
    ...{ owners: "0 .. 20,000", average_forever: 12.5, average_2weeks: 0, price: "199" },
  };
  const read = {
    ...emptyMetadata(),
    ...{
      developer: "Dev",
      owners_estimate: "0 .. 20,000",
      owners_doubtful: false,
      positive_reviews: 5,
      average_playtime_2weeks: 0,
      price: 199,
    },
  };
  const details = { ...app, price: null, score_rank: "98", languages: "", genre: " RPG, Indie", tags: { RPG: 3 } };

  it("keeps the columns of details when it reads a page", () => {
    const rows = new Map([[10, { ...emptyMetadata(), genre: "RPG", fetch_status: "success" as const, price: 1 }]]);
    expectPage(rows, { 10: app, 20: { ...app, price: "1.5", score_rank: 9, owners: "" } });
    expect(Object.fromEntries(rows)).toEqual({
      10: { ...read, genre: "RPG", fetch_status: "success" },
      20: { ...read, price: null, score_rank: 9, owners_estimate: null, owners_doubtful: null },
    });
  });

  it("replaces all columns when it reads details", () => {
    const rows = new Map([[10, { ...emptyMetadata(), languages: "English", fetch_attempts: 2 }]]);
    expectDetails(rows, 10, details);
    const known = { ...read, price: null, score_rank: 98, genre: "RPG, Indie", fetch_status: "success" };
    expect(rows.get(10)).toEqual({ ...known, tags_json: { RPG: 3 } });
    expectDetails(rows, 10, { ...details, tags: [] });
    expect(rows.get(10)).toEqual({ ...known, tags_json: {} });
    expectDetails(rows, 10, { ...details, name: "", developer: "Dev" });
    expect(rows.get(10)?.fetch_status).toBe("success");
  });

  it.each([{}, { ...details, appid: 999_999 }, { ...details, name: null, developer: " " }])(
    "changes only the status of an unknown app: %j",
    (answer) => {
      const rows = new Map([[10, { ...emptyMetadata(), genre: "RPG" }]]);
      expectDetails(rows, 10, answer);
      expectDetails(rows, 20, answer);
      expect(rows.get(10)).toEqual({ ...emptyMetadata(), genre: "RPG", fetch_status: "not_found" });
      expect(rows.get(20)).toEqual({ ...emptyMetadata(), fetch_status: "not_found" });
    },
  );

  it("reads a dump with all states", () => {
    const [known] = generated.details.keys();
    const [unknown] = generated.unknown.keys();
    const rows = readSteamSpyIndependently(generated, { details: [known ?? 0, unknown ?? 0, 7] });
    expect(rows.size).toBe(2_501);
    expect(rows.get(known ?? 0)?.fetch_status).toBe("success");
    expect(rows.get(unknown ?? 0)).toMatchObject({ fetch_status: "not_found", tags_json: null });
    expect(rows.get(7)).toEqual({ ...emptyMetadata(), fetch_status: "not_found" });
    const again = readSteamSpyIndependently(generated, { pages: [0], onto: new Map(rows) });
    expect(again.get(known ?? 0)?.fetch_status).toBe("success");
  });
});
