import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ImportRejectedError } from "../../../src/library/errors.ts";
import {
  databaseImportEvent,
  type Failure,
  handleEvent,
  igdbEnrichmentEvent,
  steamImportEvent,
} from "../../../src/library/events.ts";
import { DatabaseError, WebError } from "../../../src/process/errors.ts";

const steam = { user_id: "u1", steam_id64: "76561197960287930" };
const igdb = { user_id: "u1", s3_location: "s3://bucket/imports/u1/a-raw.csv" };
const database = { user_id: "u1", s3_enriched_location: "file:///data/imports/u1/a-enriched.csv" };

const errorFor = async (shape: typeof steamImportEvent, event: unknown) => {
  const reply: Failure | { success: true } = await handleEvent(shape, event, async () => expect.fail("the stage ran"));
  if (reply.success) return expect.fail("the event was accepted");
  return reply.error;
};

describe("handleEvent", () => {
  it("passes the event to the stage and returns its response", async () => {
    const stage = async (event: object) => ({ success: true as const, event });
    expect(await handleEvent(steamImportEvent, steam, stage)).toEqual({ success: true, event: steam });
    expect(await handleEvent(igdbEnrichmentEvent, igdb, stage)).toEqual({ success: true, event: igdb });
    expect(await handleEvent(databaseImportEvent, database, stage)).toEqual({ success: true, event: database });
  });

  it("accepts an execution id and ignores other fields of the previous response", async () => {
    const stage = async (event: object) => event;
    const execution_id = "arn:aws:states:eu-central-1:123456789012:execution:library:run-7";
    expect(await handleEvent(steamImportEvent, { ...steam, execution_id }, stage)).toEqual({ ...steam, execution_id });
    const whole = { ...igdb, success: true, game_count: 3, execution_id };
    expect(await handleEvent(igdbEnrichmentEvent, whole, stage)).toEqual({ ...igdb, execution_id });
  });

  it("returns success: false for ImportRejectedError and rethrows every other error", async () => {
    const fail = (error: unknown) => handleEvent(steamImportEvent, steam, () => Promise.reject(error));
    expect(await fail(new ImportRejectedError("The profile is private."))).toEqual({
      success: false,
      error: "The profile is private.",
    });
    for (const error of [new WebError("unreachable", "503", 503), new TypeError("x"), new Error("y")])
      await expect(fail(error)).rejects.toBe(error);
  });

  it("returns success: false for values that the database rejects, and rethrows its other errors", async () => {
    const fail = (error: unknown) => handleEvent(steamImportEvent, steam, () => Promise.reject(error));
    for (const code of ["22003", "22P05", "23514", "54000"])
      expect(await fail(new DatabaseError("data", code, `library_apply: ${code}`))).toEqual({
        success: false,
        error: `The database rejects a value: library_apply: ${code}`,
      });
    for (const fault of [
      "unreachable",
      "retryable",
      "timeout",
      "schema",
      "denied",
      "misconfigured",
      "fatal",
    ] as const) {
      const error = new DatabaseError(fault, "x", "y");
      await expect(fail(error)).rejects.toBe(error);
    }
  });

  it("never throws for an event of any shape", async () => {
    const shapes = [steamImportEvent, igdbEnrichmentEvent, databaseImportEvent] as const;
    const odd = fc.oneof(
      fc.anything(),
      fc.string({ unit: "binary" }),
      fc.bigInt(),
      fc.constantFrom("\0", "u\0", "s3://b/\0", steam.steam_id64),
    );
    const names = ["user_id", "steam_id64", "s3_location", "s3_enriched_location", "execution_id", "__proto__"];
    const anyEvent = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...names), odd));
    await fc.assert(
      fc.asyncProperty(anyEvent, fc.constantFrom(...shapes), async (event, shape) => {
        const reply = await handleEvent<object, object>(shape, event, async (valid) => valid);
        if (!("success" in reply)) expect(reply).toMatchObject({ user_id: expect.stringMatching(/^[\w.@|:+-]+$/) });
      }),
    );
  });

  it("returns success: false for a stage that throws synchronously", async () => {
    const reply = await handleEvent(steamImportEvent, steam, () => {
      throw new ImportRejectedError("at once");
    });
    expect(reply).toEqual({ success: false, error: "at once" });
  });

  it.each([
    "76561202255233023",
    "STEAM_0:0:11101",
    "[U:1:22202]",
    "gabelogannewell",
    "https://steamcommunity.com/id/name/",
  ])("accepts the Steam profile %j", async (steam_id64) => {
    const stage = async (event: { steam_id64: string }) => event.steam_id64;
    expect(await handleEvent(steamImportEvent, { ...steam, steam_id64 }, stage)).toBe(steam_id64);
  });

  it.each(["u1", "7", "auth0|5f7", "a@b.example", "9b2f0c1e-7d7e-4d6e-9c58-0d5a3c6a1f10", "cl9z_x+y", "x".repeat(200)])(
    "accepts the user id %j",
    async (user_id) => {
      expect(await handleEvent(steamImportEvent, { ...steam, user_id }, async (event) => event.user_id)).toBe(user_id);
    },
  );
});

describe("handleEvent returns success: false for an event that", () => {
  it.each([undefined, null, 7, "event", [], [steam], true])("is %j", async (event) => {
    expect(await errorFor(steamImportEvent, event)).toMatch(/^Invalid event: .+/);
  });

  it("lacks required fields, and names each", async () => {
    expect(await errorFor(steamImportEvent, {})).toMatch(/user_id: .*steam_id64: /);
    const only = async (shape: unknown) => errorFor(shape as typeof steamImportEvent, { user_id: "u1" });
    expect(await only(igdbEnrichmentEvent)).toMatch(/: s3_location: /);
    expect(await only(databaseImportEvent)).toMatch(/: s3_enriched_location: /);
  });

  const badIds = [
    "",
    ".",
    "..",
    "../u2",
    "u1/..",
    "u1/u2",
    "u1\\u2",
    "/u1",
    ".hidden",
    "a..b",
    "u 1",
    "u1\n",
    "\u0000",
    "%2e%2e",
    "ü1",
    "~",
    "-u1",
    "x".repeat(201),
    7,
    null,
    {},
  ];
  it.each(badIds)("has the user id or execution id %j", async (id) => {
    expect(await errorFor(steamImportEvent, { ...steam, user_id: id })).toMatch(/: user_id: /);
    expect(await errorFor(steamImportEvent, { ...steam, execution_id: id })).toMatch(/: execution_id: /);
  });

  const badSteamIds = [
    steam.steam_id64.slice(1),
    `${steam.steam_id64}0`,
    "76561197960265728",
    "96561197960287930",
    "Gabe Newell",
    "https://example.org/profiles/76561197960287930",
    "",
    76561197960287,
    null,
  ];
  it.each(badSteamIds)("has the Steam id %j", async (steam_id64) => {
    expect(await errorFor(steamImportEvent, { ...steam, steam_id64 })).toMatch(/: steam_id64: /);
  });

  it.each([
    "",
    "imports/u1/a-raw.csv",
    "https://a.example/x",
    "s3://",
    "s3://bucket",
    "s3://bucket/",
    "file:",
    7,
    null,
  ])("has the location %j", async (location) => {
    const shapes = [igdbEnrichmentEvent, databaseImportEvent] as unknown as (typeof steamImportEvent)[];
    for (const [index, name] of ["s3_location", "s3_enriched_location"].entries()) {
      const shape = shapes[index] ?? expect.fail("no shape");
      expect(await errorFor(shape, { user_id: "u1", [name]: location })).toContain(`: ${name}: `);
    }
  });
});
