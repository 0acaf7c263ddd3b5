import { describe, expect, it } from "vitest";
import { type Following, formatFollowing, formatNextSteps } from "../../../src/terminal/following.ts";
import { ago, now } from "./samples.ts";

const following: Following = {
  change: 36_000_446,
  changed: 412,
  pending: 0,
  failing: 0,
  polledAt: ago(1),
  isLeading: true,
  isSweeping: false,
  isSteamConnected: true,
  isDatabaseReachable: true,
};

describe("formatFollowing", () => {
  it.each([
    [{}, "change 36,000,446 · 412 changed · 0 pending · polled 1 s ago"],
    [{ change: null, polledAt: null, isLeading: false }, "no change yet · 412 changed · 0 pending · not polled yet"],
    [
      { isLeading: false, failing: 3 },
      "change 36,000,446 · 412 changed · 0 pending · 3 failing · another worker polls",
    ],
    [{ isSteamConnected: false }, "Steam is away · change 36,000,446 · 412 changed · 0 pending · polled 1 s ago"],
    [
      { isDatabaseReachable: false, isSweeping: true, change: 1 },
      "the database is away · change 1 · 412 changed · 0 pending · polled 1 s ago · f…",
    ],
  ])("with %j", (changes, line) => {
    expect(formatFollowing({ ...following, ...changes }, now)).toBe(line);
  });
});

describe("formatNextSteps", () => {
  it("names commands that work as pasted", () => {
    const text = formatNextSteps({ address: null, prefix: "DATA_DIR='./a b' " });
    expect(text).toContain("  An app     DATA_DIR='./a b' npm start -- app 620\n");
    expect(text).not.toContain("Dashboard");
  });
});
