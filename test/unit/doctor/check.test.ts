import { describe, expect, it } from "vitest";
import { adviceOf, failed, type Outcome, ok, runChecks, skipped, warning } from "../../../src/doctor/check.ts";

const { signal } = new AbortController();

function deferred() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, resolve };
}

describe("runChecks", () => {
  it("reports each outcome when it is known and returns them in the order of the checks", async () => {
    const reported: string[] = [];
    const slow = deferred();
    const groups = [
      { title: "A", checks: [{ name: "one", run: async () => ok("fine") }] },
      {
        title: "B",
        concurrent: true,
        checks: [
          { name: "slow", run: () => slow.promise.then(() => warning("odd")) },
          { name: "fast", run: async () => skipped("not run") },
        ],
      },
      { title: "C", checks: [{ name: "last", run: async () => failed("refused", "configuration", "Ask again.") }] },
    ];
    const outcomes = await runChecks(groups, {
      signal,
      onGroup: (title) => reported.push(title),
      onOutcome({ group, name }) {
        reported.push(`${group} ${name}`);
        if (name === "fast") slow.resolve();
      },
    });
    expect(reported).toEqual(["A", "A one", "B", "B fast", "B slow", "C", "C last"]);
    expect(outcomes.map(({ name, result, blame }) => [name, result, blame])).toEqual([
      ["one", "ok", null],
      ["slow", "warning", null],
      ["fast", "skipped", null],
      ["last", "failed", "configuration"],
    ]);
    for (const { duration_ms } of outcomes) expect(duration_ms).toBeGreaterThanOrEqual(0);
  });

  it("counts a check that throws as failed and continues", async () => {
    const checks = [
      { name: "broken", run: () => Promise.reject(new Error("no such thing")) },
      { name: "next", run: async () => ok("fine") },
    ];
    const outcomes = await runChecks([{ title: "A", checks }], { signal, onOutcome: () => {} });
    expect(outcomes).toMatchObject([
      {
        result: "failed",
        summary: "no such thing",
        blame: "other",
        remedy: expect.stringContaining("doctor --report"),
      },
      { result: "ok", remedy: null },
    ]);
  });

  it("rejects with the signal's reason and reports nothing further", async () => {
    const stop = new AbortController();
    const reported: Outcome[] = [];
    const checks = [
      {
        name: "one",
        async run() {
          stop.abort(new Error("interrupted"));
          return ok("too late");
        },
      },
      { name: "two", run: async () => ok("never run") },
    ];
    const running = runChecks([{ title: "A", checks }], {
      signal: stop.signal,
      onOutcome: (outcome) => reported.push(outcome),
    });
    await expect(running).rejects.toThrow("interrupted");
    expect(reported).toEqual([]);
  });
});

describe("adviceOf", () => {
  it.each([
    ["The folder is in use by process 7. Stop it.", "The folder is in use by process 7", "Stop it."],
    ["The data folder ./a is a file: remove it.", "The data folder ./a is a file", "Remove it."],
    ["S3 denies it (403): check: the key.", "S3 denies it (403): check", "The key."],
    ["No advice", "No advice", "Correct what it names."],
  ])("splits %j into what happened and what to do", (message, what, remedy) => {
    expect(adviceOf(message, "other")).toEqual([what, "other", remedy]);
  });
});
