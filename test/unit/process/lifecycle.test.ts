import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConfigError, DatabaseError, SteamError, WebError } from "../../../src/process/errors.ts";
import { createLifecycle, exitCodeOf, type LifecycleOptions } from "../../../src/process/lifecycle.ts";

function createTest(kind: LifecycleOptions["kind"] = "service") {
  const host = Object.assign(new EventEmitter(), { exit: vi.fn<(code: number) => void>() });
  const lines: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => lines.push(JSON.parse(line).msg) });
  const lifecycle = createLifecycle({ kind, logger, process: host });
  const events: string[] = [];
  return { host, lines, lifecycle, events };
}

describe("createLifecycle", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("aborts the signal first, then runs the steps one by one, last added first", async () => {
    const { lifecycle, events, host } = createTest();
    lifecycle.signal.addEventListener("abort", () => events.push("abort"));
    lifecycle.onShutdown("database", () => events.push("database"));
    lifecycle.onShutdown("worker", async () => {
      await vi.advanceTimersByTimeAsync(100);
      events.push("worker");
    });
    await lifecycle.exitWith(70);
    expect(events).toEqual(["abort", "worker", "database"]);
    expect(lifecycle.signal.reason).toMatchObject({ name: "AbortError" });
    expect(host.exit.mock.calls).toEqual([[70]]);
    expect(host.eventNames()).toEqual([]);
  });

  it.each([
    ["service", "SIGTERM", 0],
    ["service", "SIGINT", 0],
    ["one-off", "SIGTERM", 143],
    ["one-off", "SIGINT", 130],
  ] as const)("ends a %s at %s with %i", async (kind, signal, code) => {
    const { lifecycle, host } = createTest(kind);
    host.emit(signal);
    await lifecycle.exitWith(1);
    expect(lifecycle.signal.reason.message).toBe(`stopped by ${signal}`);
    expect(host.exit.mock.calls).toEqual([[code]]);
  });

  it("logs a step that fails or exceeds its limit, and goes on", async () => {
    const { lifecycle, events, host, lines } = createTest();
    lifecycle.onShutdown("log off", () => events.push("log off"));
    lifecycle.onShutdown("leases", () => Promise.reject(new Error("away")));
    lifecycle.onShutdown("worker", () => new Promise(() => {}), 7000);
    const ended = lifecycle.exitWith(0);
    await vi.advanceTimersByTimeAsync(6999);
    expect(events).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await ended;
    expect(events).toEqual(["log off"]);
    expect(lines).toEqual(["shutdown: worker did not finish in time", "shutdown: leases failed"]);
    expect(host.exit.mock.calls).toEqual([[0]]);
  });

  it("takes ten seconds at most and still starts every step", async () => {
    const { lifecycle, events, host } = createTest();
    for (const name of ["third", "second", "first"]) {
      lifecycle.onShutdown(name, () => {
        events.push(name);
        return new Promise(() => {});
      });
    }
    void lifecycle.exitWith(0);
    await vi.advanceTimersByTimeAsync(9999);
    expect(host.exit).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(10);
    expect(events).toEqual(["first", "second", "third"]);
    expect(host.exit.mock.calls).toEqual([[0]]);
  });

  it("exits at once at a second signal, but not at a duplicate of the first", async () => {
    const { lifecycle, host, events } = createTest();
    lifecycle.onShutdown("worker", () => new Promise(() => {}));
    host.emit("SIGINT");
    await vi.advanceTimersByTimeAsync(50);
    host.emit("SIGINT");
    expect(host.exit).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    host.emit("SIGTERM");
    expect(host.exit.mock.calls).toEqual([[143]]);
    expect(events).toEqual([]);
  });

  it.each(["uncaughtException", "unhandledRejection"])(
    "shuts down gracefully with exit code 1 on %s",
    async (event) => {
      const { lifecycle, host, events, lines } = createTest();
      lifecycle.onShutdown("leases", () => events.push("leases"));
      host.emit(event, new Error("a fault"));
      await lifecycle.exitWith(0);
      expect(events).toEqual(["leases"]);
      expect(lines).toEqual(["unexpected fault"]);
      expect(host.exit.mock.calls).toEqual([[1]]);
    },
  );

  it("exits with 1 when an error happens during the shutdown", async () => {
    const { lifecycle, host } = createTest();
    lifecycle.onShutdown("worker", () => host.emit("unhandledRejection", new Error("late")));
    await lifecycle.exitWith(0);
    expect(host.exit.mock.calls).toEqual([[1]]);
  });
});

describe("exitCodeOf", () => {
  it.each([
    [new ConfigError("x"), 2],
    [new DatabaseError("denied", "28P01", "x"), 2],
    [new DatabaseError("misconfigured", "3D000", "x"), 2],
    [new DatabaseError("unreachable", "ECONNREFUSED", "x"), 75],
    [new DatabaseError("schema", "42883", "x"), 1],
    [new SteamError("disconnected", "x"), 75],
    [new SteamError("timeout", "x"), 75],
    [new SteamError("silent", "x"), 75],
    [new SteamError("protocol", "x"), 1],
    [new WebError("unreachable", "x", 502), 75],
    [new WebError("limited", "x", 429), 75],
    [new WebError("blocked", "x", 403), 75],
    [new WebError("denied", "x", 401), 2],
    [new WebError("refused", "x", 404), 1],
    [new WebError("invalid", "x", 200), 1],
    [new Error("x"), 1],
    ["text", 1],
  ])("%s: %i", (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});

describe("a real process", () => {
  const moduleUrl = new URL("../../../src/process/lifecycle.ts", import.meta.url).href;

  function run(script: string) {
    const preamble = `
      import { pino } from "pino";
      import { createLifecycle } from ${JSON.stringify(moduleUrl)};
      const logger = pino({ level: "warn" }, pino.destination({ fd: 1, sync: true }));
      const lifecycle = createLifecycle({ kind: "one-off", logger });
      lifecycle.onShutdown("step", () => console.log("step done"));
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", preamble + script], {
      cwd: fileURLToPath(new URL("../../..", import.meta.url)),
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    const ended = once(child, "close").then(([code]) => ({ code, output }));
    return { child, ended };
  }

  it("finishes its steps on SIGTERM and exits with 143", async () => {
    const { child, ended } = run(`setInterval(() => {}, 1000); console.log("ready");`);
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    expect(await ended).toEqual({ code: 143, output: "ready\nstep done\n" });
  });

  it("logs an unhandled rejection, finishes its steps and exits with 1", async () => {
    const { code, output } = await run(`Promise.reject(new Error("not handled")); setInterval(() => {}, 1000);`).ended;
    expect(code).toBe(1);
    expect(output).toContain("not handled");
    expect(output).toMatch(/step done\n$/);
  });
});
