import { describe, expect, it } from "vitest";
import { type AskOptions, askSteam } from "../../../src/commands/ask-steam.ts";
import { sleep } from "../../../src/process/time.ts";

type Context = Parameters<typeof askSteam>[1];
type Status = ReturnType<Awaited<ReturnType<NonNullable<AskOptions["open"]>>>["session"]["status"]>;

/** Asks a Steam that never answers, with limits in milliseconds. */
function askMute(
  status: Pick<Status, "connected" | "last_error">,
  { giveUpAfterMs = 900_000, limitMs = 5, stop = new AbortController() } = {},
) {
  const context = { config: { giveUpAfterMs }, lifecycle: { signal: stop.signal } } as unknown as Context;
  const never = async (signal?: AbortSignal): Promise<never> => {
    await sleep(2 ** 31 - 1, signal);
    throw new Error("unreachable");
  };
  return askSteam(620, context, {
    limitMs,
    open: async () => ({
      session: {
        start: () => {},
        status: () => ({
          ...status,
          connected_since: null,
          reconnect_attempts: 1,
          last_error_at: null,
          away_since: null,
          next_attempt_at: null,
        }),
      },
      pics: {
        productInfo: (_, signal) => never(signal),
        accessTokens: (_, signal) => never(signal),
        tagNames: (_, signal) => never(signal),
      },
    }),
  });
}

describe("fetch of an app that Steam does not answer for", () => {
  const away = { connected: false, last_error: "connect ECONNREFUSED" };

  it("gives up in one sentence with the reason and a remedy, after the shorter of its limit and GIVE_UP_AFTER", async () => {
    await expect(askMute(away)).rejects.toMatchObject({
      name: "SteamError",
      fault: "disconnected",
      message:
        "giving up: Steam could not be reached within 0 s (connect ECONNREFUSED). " +
        "Behind a proxy, set HTTPS_PROXY; `doctor` checks the way to Steam",
    });
    await expect(askMute({ ...away, last_error: null }, { limitMs: 60_000, giveUpAfterMs: 100 })).rejects.toThrow(
      /within 0\.1 s\. Behind/,
    );
    await expect(askMute({ connected: true, last_error: null })).rejects.toMatchObject({
      fault: "timeout",
      message: "giving up: Steam did not answer for app 620 within 0 s; try again",
    });
  });

  it("throws the reason of a stop, not its own, when the process is stopped", async () => {
    const stop = new AbortController();
    const asked = askMute(away, { stop, limitMs: 60_000 });
    stop.abort(new Error("SIGTERM"));
    await expect(asked).rejects.toThrow("SIGTERM");
  });
});
