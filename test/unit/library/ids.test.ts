import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseProfile } from "../../../src/library/ids.ts";

const id = "76561197960287930";
const first = "76561197960265729";
const last = "76561202255233023";

describe("parseProfile", () => {
  it.each([
    [id, id],
    [` ${id}\n`, id],
    [first, first],
    [last, last],
    // 2^32 - 1 accounts: ids need not begin with 7656119.
    ["76561200000000000", "76561200000000000"],
    [`https://steamcommunity.com/profiles/${id}`, id],
    [`http://www.steamcommunity.com/profiles/${id}/`, id],
    [`HTTPS://SteamCommunity.com/Profiles/${id}/games/?tab=all#top`, id],
    [`steamcommunity.com/profiles/${id}?l=german`, id],
    [`https://steamcommunity.com:443//profiles//${id}`, id],
    ["https://steamcommunity.com/profiles/[U:1:22202]", id],
    ["https://steamcommunity.com/profiles/%5BU:1:22202%5D/", id],
    [`https://steamcommunity.com/id/${id}`, id],
    ["STEAM_0:0:11101", id],
    ["STEAM_1:0:11101", id],
    ["steam_0:1:11101", "76561197960287931"],
    ["STEAM_0:1:0", first],
    ["STEAM_0:1:2147483647", last],
    ["[U:1:22202]", id],
    ["[u:1:22202]", id],
    ["U:1:22202", id],
    ["[U:1:22202:1]", id],
    ["[U:1:4294967295]", last],
  ])("reads the id in %j", (given, steamId64) => {
    expect(parseProfile(given)).toEqual({ steamId64 });
  });

  it.each([
    ["gabelogannewell", "gabelogannewell"],
    ["St4ck", "St4ck"],
    ["_-_", "_-_"],
    ["7656119796028793x", "7656119796028793x"],
    ["https://steamcommunity.com/id/gabelogannewell", "gabelogannewell"],
    ["https://www.steamcommunity.com/id/gabelogannewell/inventory/#440", "gabelogannewell"],
    ["steamcommunity.com/ID/Robin?xml=1", "Robin"],
    // The address says that it is a name.
    ["https://steamcommunity.com/id/12345", "12345"],
    ["https://steamcommunity.com/id/86561197960287930", "86561197960287930"],
  ])("reads the custom name in %j", (given, customName) => {
    expect(parseProfile(given)).toEqual({ customName });
  });

  it.each([
    "76561197960265728",
    "76561202255233024",
    "620",
    "0",
    "7656119796028793",
    `${id}0`,
    "9".repeat(400),
    "STEAM_0:0:0",
    "STEAM_0:1:4294967295",
    "[U:1:0]",
    "[U:1:4294967296]",
    "https://steamcommunity.com/profiles/620",
  ])("refuses the number %j with the range", (given) => {
    expect(parseProfile(given)).toEqual({ fault: expect.stringContaining(`${first} to ${last}`) });
  });

  it.each([
    "",
    " ",
    "x",
    "Gabe Newell",
    "gabe@example.org",
    "ü123",
    `${id}.0`,
    "STEAM_2:0:11101",
    "STEAM_0:2:11101",
    "[G:1:22202]",
    "[U:0:22202]",
    "[U:1:22202",
    "https://steamcommunity.com",
    "https://steamcommunity.com/id/",
    "https://steamcommunity.com/profiles/gabelogannewell",
    "https://steamcommunity.com/groups/valve",
    "https://steamcommunity.com/id/%00%ff",
    `https://steamcommunity.com.example.org/profiles/${id}`,
    `https://steamcommunity.com@example.org/profiles/${id}`,
    `https://example.org/profiles/${id}`,
    `ftp://steamcommunity.com/profiles/${id}`,
    "x".repeat(65),
  ])("refuses %j and says which forms there are", (given) => {
    const parsed = parseProfile(given);
    const fault = "fault" in parsed ? parsed.fault : expect.fail(JSON.stringify(parsed));
    for (const form of ["SteamID64", "/profiles/", "/id/name", "custom name", "STEAM_0:", "[U:1:"]) {
      expect(fault).toContain(form);
    }
  });

  it("gives one account one id in every form, over the whole range, and only ids and names for any text", () => {
    const accounts = fc.integer({ min: 1, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(accounts, fc.constantFrom("0", "1"), (account, universe) => {
        const steamId64 = String(76_561_197_960_265_728n + BigInt(account));
        const low = account % 2;
        for (const form of [
          steamId64,
          `STEAM_${universe}:${low}:${(account - low) / 2}`,
          `[U:1:${account}]`,
          `https://steamcommunity.com/profiles/${steamId64}/`,
        ]) {
          expect(parseProfile(form)).toEqual({ steamId64 });
        }
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.webUrl({ withQueryParameters: true })), (text) => {
        const parsed = parseProfile(text);
        if ("steamId64" in parsed) expect(parsed.steamId64).toMatch(/^765612?\d+$/);
        if ("customName" in parsed) expect(parsed.customName).toMatch(/^[\w-]+$/);
      }),
    );
  });
});
