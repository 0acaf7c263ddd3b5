import { describe, expect, it } from "vitest";
import { type Outcome, runChecks } from "../../../src/doctor/check.ts";
import { steamChecks } from "../../../src/doctor/steam-facts.ts";
import type { ProductInfoReply } from "../../../src/steam/pics.ts";
import type { Fault } from "../../support/steam/faults.ts";
import { type GenerateOptions, generateCatalog } from "../../support/steam/generate.ts";
import type { SimulatedSteamOptions } from "../../support/steam/simulated-steam.ts";
import { startHarness } from "./harness.ts";

/** The Steam checks of `doctor` against simulations that behave as expected and that deviate. */

const apps = { seed: 5, count: 120, maxAppid: 5_000, tokenShare: 0.1, deniedShare: 0.1 };

interface Case {
  steam?: SimulatedSteamOptions;
  generate?: Partial<GenerateOptions>;
  faults?: Fault[];
  limitMs?: number;
  pingMs?: number;
  timeoutMs?: number;
}

/** The outcomes by name, and how many requests they took. */
async function measure({
  steam,
  generate,
  faults = [],
  limitMs = 10_000,
  pingMs = 5_000,
  timeoutMs = 5_000,
}: Case = {}) {
  let reply: readonly ProductInfoReply[] = [];
  await using harness = await startHarness({
    steam: { catalog: generateCatalog({ ...apps, ...generate }), ...steam },
    faults,
    pics: {
      requestDelayMs: 0,
      timeoutMs,
      onReply(kind, messages) {
        if (kind === "metadata" || kind === "product_info") reply = messages as ProductInfoReply[];
      },
    },
  });
  const { session, pics } = harness;
  await session.ready();
  const { signal } = new AbortController();
  const checks = steamChecks({
    pics,
    lastReply: () => reply,
    isLoggedOn: () => true,
    limitMs,
    pingMs,
    signal,
  });
  const outcomes = await runChecks([{ title: "Steam", checks }], { signal, onOutcome: () => {} });
  const counts = harness.steam.log.counts;
  const found = Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome])) as Record<string, Outcome>;
  return { found, outcomes, counts };
}

describe("steamChecks", () => {
  it("passes for a Steam that behaves as expected, with few requests", async () => {
    const { outcomes, counts } = await measure();
    expect(outcomes.map(({ name, result }) => [name, result])).toEqual(
      ["metadata", "SHA-1", "texts over HTTP", "access tokens", "tag names", "category names", "change window"].map(
        (name) => [name, "ok"],
      ),
    );
    const summaries = outcomes.map(({ summary }) => summary).join("\n");
    for (const text of [
      "5,000 of 5,000 ids answered in 1 message",
      "120 of them apps (as idsPerRequest in src/sync/sweep.ts expects)",
      "the SHA-1 of 5 of 5 texts is the announced one",
      "is offered over HTTP; all texts are in the reply",
      "19 Action, 21 Adventure, 492 Indie, 1664 Puzzle",
      "27 categories have a name: 2 Single-player (as src/sync/label-names.ts expects)",
      "changes are listed 5,000 numbers back and not 5,",
    ]) {
      expect(summaries).toContain(text);
    }
    expect(summaries).toMatch(
      /\d+ of 10 apps with withheld sections are granted a token, \d+ are denied; with it \d+ are complete/,
    );
    const requests = Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(requests - counts.cm_list - counts.logon - counts.heartbeat).toBeLessThanOrEqual(20);
    expect(counts).toMatchObject({
      metadata: 1,
      product_info: 2,
      access_tokens: 1,
      tag_names: 1,
      category_names: 1,
      http_payload: 0,
    });
  });

  it.each([
    [
      300,
      /listed 2\d\d numbers back and not 3\d\d, where the force flags are set; changeWindow \(5,000\).*otherwise$/,
      "warning",
    ],
    [9_000, /listed 8,\d\d\d numbers back and not 9,\d\d\d, where .* \(as changeWindow/, "ok"],
    [1_000_000, /listed 80,000 numbers back and perhaps farther \(as changeWindow/, "ok"],
  ])("measures a change window of %i changes", async (changeWindow, summary, result) => {
    const { found, counts } = await measure({ steam: { changeWindow } });
    expect(found["change window"]).toMatchObject({ result, summary: expect.stringMatching(summary) });
    expect(counts.changes).toBeLessThanOrEqual(8);
  });

  it("recognizes texts offered over HTTP and fetches them", async () => {
    const { found, counts } = await measure({ steam: { httpMinSize: 4_000 } });
    expect(found["texts over HTTP"]).toMatchObject({
      result: "ok",
      summary: expect.stringMatching(
        /^5 of 5 large apps .*offered over HTTP by clientconfig\..*; all were fetched there/,
      ),
    });
    expect(found["SHA-1"]).toMatchObject({ result: "ok", summary: expect.stringContaining("5 of 5") });
    expect(counts.http_payload).toBeGreaterThanOrEqual(5);
    expect(counts.http_payload).toBeLessThanOrEqual(10);
  });

  it("warns of offered texts that are missing, and of texts without an offer", async () => {
    const gone = await measure({
      steam: { httpMinSize: 4_000 },
      faults: [{ kind: "http_payload", status: 404, times: 99 }],
    });
    expect(gone.found["texts over HTTP"]).toMatchObject({
      result: "warning",
      summary: expect.stringMatching(/5 could not be fetched: http:\/\/.*404.*; offeredText.*otherwise$/),
    });
    expect(gone.found["SHA-1"]).toMatchObject({ result: "warning", summary: expect.stringContaining("0 of 0") });
    const none = await measure({ faults: [{ kind: "no_buffer", times: 1 }] });
    expect(none.found["texts over HTTP"]).toMatchObject({
      result: "warning",
      summary: expect.stringMatching(/^1 of 5 large apps .*without an offer over HTTP/),
    });
  });

  it("warns of a text whose SHA-1 is not the announced one", async () => {
    const { found } = await measure({ faults: [{ kind: "truncated", times: 1 }] });
    expect(found["SHA-1"]).toMatchObject({
      result: "warning",
      summary: expect.stringMatching(
        /^the SHA-1 of 4 of 5 texts.*payloadOfReply in src\/steam\/payload\.ts expects otherwise/,
      ),
    });
  });

  it("warns when no token is granted, and skips when no app needs one", async () => {
    const denied = await measure({ generate: { tokenShare: 0, deniedShare: 0.1 } });
    expect(denied.found["access tokens"]).toMatchObject({
      result: "warning",
      summary: expect.stringMatching(
        /^0 of \d+ apps with withheld sections are granted a token, \d+ are denied; fetchApps/,
      ),
    });
    const open = await measure({ generate: { tokenShare: 0, deniedShare: 0 } });
    expect(open.found["access tokens"]).toMatchObject({ result: "skipped" });
  });

  it("warns of ids without an answer", async () => {
    const { found } = await measure({ faults: [{ kind: "omit", on: "metadata", times: 1, appids: [10, 60] }] });
    expect(found.metadata).toMatchObject({
      result: "warning",
      summary: expect.stringMatching(
        /^4,99\d of 5,000 ids answered.*; idsPerRequest in src\/sync\/sweep.ts expects otherwise$/,
      ),
    });
  });

  it("distinguishes a timed-out request from an unreachable Steam", async () => {
    const { found } = await measure({
      timeoutMs: 1_000,
      faults: [{ kind: "hang", on: "metadata", times: 99 }],
    });
    expect(found.metadata).toMatchObject({ result: "warning", summary: expect.stringContaining("no usable reply: ") });
    // Without metadata it fetches apps that are known to be large.
    expect(found["SHA-1"]).toMatchObject({ summary: expect.stringContaining("1 of 1 texts") });
    const silent = ["tag_names", "changes"] as const;
    const late = await measure({
      limitMs: 3_000,
      pingMs: 100,
      faults: silent.map((on) => ({ kind: "hang", on, times: 99 })),
    });
    expect(late.found["tag names"]).toMatchObject({
      result: "failed",
      summary: "no reply within 3 s",
      blame: "unreachable",
    });
    for (const name of ["category names", "change window"]) {
      expect(late.found[name]).toMatchObject({ result: "skipped", cause: "Steam cannot be reached" });
    }
  });
});
