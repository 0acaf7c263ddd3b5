import { expect, it, onTestFinished, vi } from "vitest";
import { SteamError } from "../../../src/process/errors.ts";
import { retrySteam } from "../../../src/sync/retry-steam.ts";

it("retrySteam gives up after ten attempts, with the error of the last one", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let attempts = 0;
  const request = async () => {
    attempts += 1;
    throw new SteamError("timeout", `attempt ${attempts}`);
  };
  const rejected = expect(retrySteam(request, new AbortController().signal)).rejects.toThrow("attempt 10");
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  await rejected;
  expect(attempts).toBe(10);
});
