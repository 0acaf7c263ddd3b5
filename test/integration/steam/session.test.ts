import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { SteamError } from "../../../src/process/errors.ts";
import type { SteamMessage } from "../../../src/steam/connection.ts";
import { createSteamSession } from "../../../src/steam/session.ts";
import { type LogLine, memoryLogger, startHarness, startRelay, warnLevel } from "./harness.ts";

const changesMessage: SteamMessage = { request: 8901, reply: 8902 };
const changesBody = { since_change_number: 0, send_app_info_changes: true, send_package_info_changes: true };
const warnings = (lines: LogLine[]) => lines.filter(({ level }) => level === warnLevel);

test("logs on, sends a request, and logs off when stopped", async () => {
  await using harness = await startHarness();
  const { session, steam } = harness;
  expect(session.status()).toMatchObject({ connected: false, connected_since: null, reconnect_attempts: 0 });
  await session.ready();
  expect(session.status()).toMatchObject({ connected: true, reconnect_attempts: 0, last_error: null });
  expect(Date.parse(session.status().connected_since ?? "")).toBeCloseTo(Date.now(), -4);

  const [reply] = await session.request<{ current_change_number: number }>(changesMessage, changesBody);
  expect(reply?.current_change_number).toBe(steam.catalog.currentChangeNumber);

  await session.stop();
  expect(steam.log.counts.logoff).toBe(1);
  expect(session.status().connected).toBe(false);
  await expect(session.ready()).rejects.toMatchObject({ fault: "disconnected" });
  await expect(session.request(changesMessage, changesBody)).rejects.toMatchObject({ fault: "disconnected" });
  expect(harness.escaped).toEqual([]);
});

test("retries while the server list fails, and logs what it cannot reach", async () => {
  const faults = (["http_500", "empty", "garbage"] as const).map((how) => ({ kind: "cm_list", how }) as const);
  await using harness = await startHarness({ faults });
  const { session, steam } = harness;
  await session.ready();
  expect(steam.log.counts.cm_list).toBe(4);
  expect(session.status()).toMatchObject({ connected: true, reconnect_attempts: 3 });
  expect(session.status().last_error).toContain("api.steampowered.com");
  expect(warnings(harness.lines).map(({ msg }) => msg)).toEqual([
    expect.stringMatching(/api\.steampowered\.com: HTTP error 500; trying again in .* s.*HTTPS_PROXY.*npm run demo/),
    expect.stringContaining("names no usable server"),
    expect.stringContaining("api.steampowered.com"),
  ]);
  expect(harness.escaped).toEqual([]);
});

test("reports the server that the proxy cannot reach", async () => {
  await using harness = await startHarness({ session: { reconnectMinDelayMs: 1 } });
  await harness.session.ready();
  harness.steam.faults.add({ kind: "unreachable", host: "steamserver.net", times: 2 });
  harness.steam.disconnectAll();
  await expect.poll(() => harness.session.status().reconnect_attempts).toBe(3);
  await harness.session.ready();
  expect(harness.session.status().last_error).toMatch(/cannot log on to the Steam server cmp\d-sim1.*502/);
  expect(harness.escaped).toEqual([]);
});

test("backs off exponentially up to the limit", async () => {
  const lines: LogLine[] = [];
  const session = createSteamSession({
    proxyUrl: "http://127.0.0.1:1",
    logger: memoryLogger(lines),
    reconnectMinDelayMs: 4,
    reconnectMaxDelayMs: 50,
    requestTimeoutMs: 1_000,
    random: () => 0.5,
  });
  session.start();
  await expect.poll(() => warnings(lines).length).toBeGreaterThan(6);
  await session.stop();
  const pauses = warnings(lines).map((line) => line.retry_in_ms);
  expect(pauses.slice(0, 6)).toEqual([6, 12, 24, 38, 38, 38]);
  expect(session.status()).toMatchObject({ connected: false, last_error: expect.stringContaining("ECONNREFUSED") });
});

test("retries after a refused logon with any EResult", async () => {
  const eresults = [2, 3, 5, 6, 15, 20, 34, 43, 48, 63, 84, 85];
  await using harness = await startHarness();
  await harness.session.ready();
  for (const eresult of eresults) harness.steam.faults.add({ kind: "logon_refused", eresult });
  harness.steam.disconnectAll();
  await expect.poll(() => harness.session.status().reconnect_attempts).toBe(eresults.length + 1);
  await harness.session.ready();
  const seen = warnings(harness.lines).map((line) => line.eresult);
  expect(seen.slice(1)).toEqual(eresults);
  expect(harness.escaped).toEqual([]);
});

test("reconnects after a logoff with any EResult", async () => {
  const eresults = [0, 2, 3, 5, 6, 20, 34, 48, 84];
  await using harness = await startHarness();
  for (const [i, eresult] of eresults.entries()) {
    await harness.session.ready();
    harness.steam.disconnectAll(eresult);
    await expect.poll(() => harness.session.status().reconnect_attempts).toBe(i + 1);
  }
  await harness.session.ready();
  expect(warnings(harness.lines).map((line) => line.eresult)).toEqual(eresults);
  expect(harness.escaped).toEqual([]);
});

test("ends an attempt in which Steam does not answer the logon", async () => {
  await using harness = await startHarness({ session: { logonTimeoutMs: 300 } });
  await harness.session.ready();
  harness.steam.faults.add({ kind: "hang", on: "logon", times: 2 });
  harness.steam.disconnectAll();
  await expect.poll(() => harness.session.status().reconnect_attempts).toBe(3);
  await harness.session.ready();
  expect(harness.session.status().last_error).toContain("no logon within 0.3 s");
});

test("rejects requests in flight when the connection is lost", async () => {
  await using harness = await startHarness();
  const { session, steam } = harness;
  await session.ready();
  steam.faults.add({ kind: "hang", times: 2 });
  const requests = [session.request(changesMessage, changesBody), session.request(changesMessage, changesBody)];
  await expect.poll(() => steam.log.counts.changes).toBe(2);
  steam.disconnectAll(34);
  const results = await Promise.allSettled(requests);
  for (const result of results) {
    expect(result).toMatchObject({ status: "rejected", reason: { fault: "disconnected", eresult: 34 } });
  }
  expect(harness.escaped).toEqual([]);
});

test("reconnects after a time-out during which Steam sent nothing", async () => {
  await using harness = await startHarness();
  const { session, steam } = harness;
  await session.ready();
  steam.faults.add({ kind: "hang", times: 2 });
  const first = session.request(changesMessage, changesBody, { timeoutMs: 200 });
  const other = session.request(changesMessage, changesBody, { timeoutMs: 4_000 });
  await expect(first).rejects.toMatchObject({ fault: "timeout" });
  await expect(other).rejects.toMatchObject({ fault: "disconnected" });
  await session.ready();
  expect(steam.log.counts.logon).toBe(2);
  await session.request(changesMessage, changesBody);
});

test("fails only one request when it times out while Steam answers others", async () => {
  await using harness = await startHarness();
  const { session, steam } = harness;
  await session.ready();
  steam.faults.add({ kind: "hang" });
  const hanging = session.request(changesMessage, changesBody, { timeoutMs: 1_000 });
  await session.request(changesMessage, changesBody);
  await expect(hanging).rejects.toMatchObject({ fault: "timeout" });
  await session.request(changesMessage, changesBody);
  expect(steam.log.counts.logon).toBe(1);
});

test("ends a request and the wait for the logon when their signal aborts", async () => {
  await using harness = await startHarness();
  const { session, steam } = harness;
  await session.ready();
  steam.faults.add({ kind: "hang" });
  const reason = new Error("enough");
  const controller = new AbortController();
  const request = session.request(changesMessage, changesBody, { signal: controller.signal });
  controller.abort(reason);
  await expect(request).rejects.toBe(reason);
  await expect(session.request(changesMessage, changesBody, { signal: controller.signal })).rejects.toBe(reason);

  steam.faults.add({ kind: "unreachable", times: 1_000 });
  steam.disconnectAll();
  await expect.poll(() => session.status().connected).toBe(false);
  const later = new AbortController();
  const ready = session.ready(later.signal);
  later.abort(reason);
  await expect(ready).rejects.toBe(reason);
});

test("rejects a reply of the wrong kind as a protocol fault", async () => {
  await using harness = await startHarness();
  await harness.session.ready();
  const request = harness.session.request({ request: 8901, reply: 9999 }, changesBody);
  await expect(request).rejects.toBeInstanceOf(SteamError);
  await expect(request).rejects.toMatchObject({ fault: "protocol" });
});

test("rejects requests in flight when stopped", async () => {
  await using harness = await startHarness();
  await harness.session.ready();
  harness.steam.faults.add({ kind: "hang" });
  const request = harness.session.request(changesMessage, changesBody);
  const [result] = await Promise.allSettled([request, harness.session.stop()]);
  expect(result).toMatchObject({ status: "rejected", reason: { fault: "disconnected" } });
});

test("does not start after stop, and rejects a proxy that is no URL", async () => {
  const options = { logger: memoryLogger([]), reconnectMaxDelayMs: 1_000, requestTimeoutMs: 1_000 };
  const session = createSteamSession(options);
  await session.stop();
  session.start();
  await session.stop();
  expect(session.status()).toMatchObject({ connected: false, reconnect_attempts: 0, last_error: null });
  expect(() => createSteamSession({ ...options, proxyUrl: "no url" })).toThrow("HTTPS_PROXY");
});

test("stops in time although the proxy does not answer", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const session = createSteamSession({
    proxyUrl: `http://127.0.0.1:${port}`,
    logger: memoryLogger([]),
    reconnectMaxDelayMs: 60_000,
    requestTimeoutMs: 60_000,
  });
  session.start();
  const [socket] = await once(silent, "connection");
  const closed = once(socket.resume(), "close");
  const before = performance.now();
  await session.stop();
  expect(performance.now() - before).toBeLessThan(3_000);
  await closed;
  silent.close();
});

test("detects a half-open connection, and stops in time", async () => {
  await using harness = await startHarness();
  await using relay = await startRelay(harness.steam.proxyUrl);
  const session = createSteamSession({
    proxyUrl: relay.url,
    logger: memoryLogger([]),
    reconnectMinDelayMs: 5,
    reconnectMaxDelayMs: 20,
    requestTimeoutMs: 200,
    logOffTimeoutMs: 100,
  });
  session.start();
  await session.ready();
  relay.freeze();
  await expect(session.request(changesMessage, changesBody)).rejects.toMatchObject({ fault: "timeout" });
  await session.ready();
  await session.request(changesMessage, changesBody);
  relay.freeze();
  await session.stop();
  await relay.thawed();
  expect(session.status()).toMatchObject({ connected: false, reconnect_attempts: 1 });
});

test.each(["online", "reconnecting"])(
  "lets the process end by itself after stop (%s)",
  async (state) => {
    await using harness = await startHarness();
    await harness.session.ready();
    if (state === "reconnecting") harness.steam.faults.add({ kind: "cm_list", times: 1_000 });
    const script = fileURLToPath(new URL("./stopping-process.ts", import.meta.url));
    const child = spawn(process.execPath, [script, harness.steam.proxyUrl, state], {
      env: { ...process.env, ...harness.steam.env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const output = await child.stdout.toArray();
    const { stoppedAfterMs, endedAfterMs } = JSON.parse(Buffer.concat(output).toString());
    expect(stoppedAfterMs).toBeLessThan(3_000);
    expect(endedAfterMs).toBeLessThan(3_000);
  },
  60_000,
);
