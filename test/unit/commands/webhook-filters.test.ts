import { describe, expect, it } from "vitest";
import { eventsOfAll } from "../../../src/http/api/parameters.ts";
import { parseParameters } from "../../../src/http/api/validation.ts";

describe("filters of `webhook add`", () => {
  it("are read as the parameters of /v1/events, and refused in its words", () => {
    const given = { event: "build,released", appid: ["730", "440,10"], tag: "Puzzle", min_reviews: "5" };
    expect(parseParameters(eventsOfAll, given)).toMatchObject({
      event: ["build", "released"],
      appid: [730, 440, 10],
      tag: ["Puzzle"],
      min_reviews: 5,
    });
    expect(() => parseParameters(eventsOfAll, { event: "buld" })).toThrow('did you mean "build"?');
    expect(() => parseParameters(eventsOfAll, { min_reviews: ["1", "2"] })).toThrow("must be a whole number");
  });
});
