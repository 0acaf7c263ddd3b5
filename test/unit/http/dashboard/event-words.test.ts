import { describe, expect, it, test } from "vitest";
import * as codeNames from "../../../../src/catalog/code-names.ts";
import { eventKinds } from "../../../../src/catalog/event-views.ts";
import { eventWords } from "../../../../src/http/dashboard/page/event-words.js";

type Facts = Parameters<typeof eventWords>[0];
const say = (event: Partial<Facts>) =>
  eventWords({ event: "build", subject: null, old: null, new: null, ...event }, codeNames);

describe("events in people's words", () => {
  test.each<[Partial<Facts>, Partial<ReturnType<typeof eventWords>>]>([
    [
      { event: "build", subject: "public", old: "19591492", new: "19602233" },
      { label: "build", tone: "info", about: "public", isAboutNeeded: true, old: "19591492", now: "19602233" },
    ],
    [
      { event: "released", old: "prerelease", new: "released" },
      { tone: "good", old: "coming soon", now: "released" },
    ],
    [
      { event: "review_verdict", old: 6, new: 8 },
      { tone: "good", old: "Mostly Positive", now: "Very Positive" },
    ],
    [{ event: "review_verdict", old: 8, new: 6 }, { tone: "warn" }],
    [
      { event: "metacritic_score", old: null, new: 87 },
      { old: "none", now: "87" },
    ],
    [
      { event: "deck_verdict", old: "playable", new: "verified" },
      { label: "verdict", tone: "good", about: "Steam Deck", isAboutNeeded: true, old: "Playable", now: "Verified" },
    ],
    [
      { event: "tags", old: [{ id: 9, name: "Strategy" }], new: [{ id: 7, name: null }] },
      { removed: ["Strategy"], added: ["no. 7"], text: null },
    ],
    [
      { event: "platforms", old: null, new: ["macos", "linux"] },
      { added: ["macOS", "Linux"], removed: [] },
    ],
    [{ event: "developer_changed", old: ["valve"], new: null }, { removed: ["valve"] }],
    [{ event: "dlc_added", new: [{ appid: 5, name: null }] }, { added: ["app 5"] }],
    [
      { event: "content_descriptors", old: [1, 5], new: [5, 2] },
      { removed: ["some nudity or sexual content"], added: ["frequent violence or gore"] },
    ],
    [
      { event: "release_date_moved", old: null, new: "2026-11-12T12:00:00Z" },
      { old: "none", now: "2026-11-12" },
    ],
    [{ event: "art_changed", new: ["header_image", "icon"] }, { text: "another header image, icon" }],
  ])("%j", (event, words) => expect(say(event)).toMatchObject(words));

  it("has words for every kind, without a code or a blank", () => {
    for (const event of eventKinds) {
      const { label, about, text, now, added, removed } = say({ event, old: ["old_value"], new: ["new_value"] });
      expect(label).toMatch(/^[\w ]+$/);
      expect(about).not.toContain("_");
      expect([text, now, ...added, ...removed].filter(Boolean), event).not.toEqual([]);
    }
  });
});
