import { describe, expect, it } from "vitest";
import { demoUsage, readDemoWords } from "../../support/demo/arguments.ts";

const plain = { apps: 3_000, keep: false, failing: false, outage: false };

describe("the words of npm run demo", () => {
  it.each([
    [[], plain],
    [["keep", "12000"], { ...plain, keep: true, apps: 12_000 }],
    [["12000", "--keep"], { ...plain, keep: true, apps: 12_000 }],
    [["12,000"], { ...plain, apps: 12_000 }],
    [["--outage", "FAILING", "keep", "100000"], { apps: 100_000, keep: true, failing: true, outage: true }],
    [["keep", "--help"], "help"],
  ])("reads %j", (words, options) => {
    expect(readDemoWords(words)).toEqual(options);
  });

  it("reads what npm takes for options of its own", () => {
    expect(readDemoWords([], { npm_config_keep: "12000" })).toEqual({ ...plain, keep: true, apps: 12_000 });
    expect(readDemoWords(["500"], { npm_config_keep: "true", npm_config_outage: "" })).toEqual({
      ...plain,
      keep: true,
      apps: 500,
    });
    expect(readDemoWords([], { npm_config_keep: "false" })).toEqual(plain);
  });

  it.each([
    [["kep"], '"kep" is no word of the demo; did you mean keep?'],
    [["--aps=3"], '"--aps=3" is no word of the demo'],
    [["0"], "0 apps: expected 1 to 100000"],
    [["100001"], "100001 apps: expected 1 to 100000"],
    [["12", "13"], "12 and 13: one number of apps is enough"],
    [["-1.5"], '"-1.5" is no word of the demo'],
  ])("rejects %j", (words, fault) => {
    expect(readDemoWords(words)).toEqual({ fault });
  });

  it("names every word in the usage, within 80 columns", () => {
    for (const word of Object.keys(plain).slice(1)) expect(demoUsage).toMatch(new RegExp(`^  ${word} `, "m"));
    for (const line of demoUsage.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });
});
