import { describe, expect, it } from "vitest";
import { createReadQueue, type ReadQueueOptions } from "../../../src/db/read-queue.ts";

const never = new AbortController().signal;

/** Reads that end when the test says so, on a clock that the test advances. */
function setUp(options: ReadQueueOptions) {
  let now = 0;
  const queue = createReadQueue({ ...options, now: () => now });
  /** Names of the running reads, in the order in which they started. */
  const running = new Map<string, () => void>();
  const started: string[] = [];
  const read = (key: string, name: string, { signal = never, isService = false } = {}) => {
    const result = queue.run({ key, isService }, signal, () => {
      started.push(name);
      return new Promise<string>((resolve) => running.set(name, () => resolve(name)));
    });
    // Rejections are looked at later.
    result.catch(() => {});
    return result;
  };
  return {
    read,
    started,
    running: () => [...running.keys()],
    /** Ends a running read that took this long. */
    async end(name: string, tookMs: number) {
      now += tookMs;
      running.get(name)?.();
      running.delete(name);
      await new Promise((resolve) => setImmediate(resolve));
    },
    pass(ms: number) {
      now += ms;
    },
  };
}

describe("createReadQueue", () => {
  it("gives one client half of the slots, so that the next client starts at once", () => {
    const { read, running } = setUp({ slots: 4 });
    for (let index = 1; index <= 5; index++) void read("hostile", `h${index}`);
    expect(running()).toEqual(["h1", "h2"]);
    void read("honest", "a");
    void read("other", "b");
    expect(running()).toEqual(["h1", "h2", "a", "b"]);
  });

  it("runs every read of one client on a single slot, in order of arrival", async () => {
    const { read, end, started } = setUp({ slots: 1 });
    const reads = ["r1", "r2", "r3"].map((name) => read("client", name));
    for (const name of ["r1", "r2", "r3"]) await end(name, 5);
    expect(await Promise.all(reads)).toEqual(["r1", "r2", "r3"]);
    expect(started).toEqual(["r1", "r2", "r3"]);
  });

  it("lets the client go first that used the least time, not the one that asked least often", async () => {
    const { read, end, started } = setUp({ slots: 1 });
    for (let index = 1; index <= 4; index++) void read("hostile", `h${index}`);
    for (let index = 1; index <= 4; index++) void read("honest", `a${index}`);
    await end("h1", 1_000);
    for (const name of ["a1", "a2", "a3", "a4"]) await end(name, 10);
    expect(started).toEqual(["h1", "a1", "a2", "a3", "a4", "h2"]);
  });

  it("forgets used time within seconds", async () => {
    const { read, end, pass, started } = setUp({ slots: 1 });
    void read("once expensive", "e");
    await end("e", 1_000);
    pass(60_000);
    void read("cheap", "c");
    void read("once expensive", "e2");
    void read("cheap", "c2");
    // 1,000 ms a minute ago weigh less than 100 ms now.
    await end("c", 100);
    expect(started).toEqual(["e", "c", "e2"]);
  });

  it("counts the time of a read that still runs", async () => {
    const { read, end, pass, started } = setUp({ slots: 3 });
    void read("slow", "s1");
    void read("slow", "s2");
    void read("quick", "q1");
    await end("q1", 50);
    void read("quick", "q2");
    pass(50);
    void read("slow", "s3");
    void read("quick", "q3");
    await end("q2", 0);
    expect(started).toEqual(["s1", "s2", "q1", "q2", "q3"]);
  });

  it("runs the service's own reads before those of all clients, and limits only those of clients", async () => {
    const { read, end, started } = setUp({ slots: 1, maxWaitingPerClient: 2, maxWaiting: 3 });
    for (const name of ["h1", "h2", "h3"]) void read("hostile", name);
    await expect(read("hostile", "h4")).rejects.toMatchObject({ fault: "retryable", code: "too_many_waiting" });
    void read("honest", "a1");
    await expect(read("other", "b1")).rejects.toMatchObject({ fault: "retryable", code: "busy" });
    void read("service", "s1", { isService: true });
    await end("h1", 1);
    await end("s1", 5_000);
    expect(started).toEqual(["h1", "s1", "a1"]);
  });

  it("drops a read that waits when its signal aborts; one that runs keeps its slot until it ends", async () => {
    const { read, end, started } = setUp({ slots: 1 });
    const [runs, waits] = [new AbortController(), new AbortController()];
    const running = read("client", "r1", { signal: runs.signal });
    const waiting = read("client", "r2", { signal: waits.signal });
    void read("client", "r3");
    runs.abort();
    waits.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    await expect(read("client", "r4", { signal: waits.signal })).rejects.toThrow("gone");
    expect(started).toEqual(["r1"]);
    await end("r1", 1);
    expect(await running).toBe("r1");
    expect(started).toEqual(["r1", "r3"]);
  });

  it("frees the slot of a read that fails", async () => {
    const queue = createReadQueue({ slots: 1 });
    const fails = queue.run({ key: "client" }, never, () => Promise.reject(new Error("no")));
    const next = queue.run({ key: "client" }, never, () => Promise.resolve("next"));
    await expect(fails).rejects.toThrow("no");
    expect(await next).toBe("next");
  });
});
