import { once } from "node:events";
import { PassThrough } from "node:stream";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ChangeView } from "../../src/catalog/views.ts";
import type { CatalogReader } from "../../src/db/catalog-reader.ts";
import type { HttpSettings } from "../../src/http/deps.ts";
import type { HttpLimits } from "../../src/http/limits.ts";
import { buildServer } from "../../src/http/server.ts";
import { loadConfig } from "../../src/process/config.ts";
import { createLogger, createOutput } from "../../src/process/logger.ts";
import { createMetrics } from "../../src/status/metrics.ts";
import { startBareServer } from "../support/http-soak/start-bare-server.ts";
import { idleSnapshot } from "../support/idle-snapshot.ts";
import { connectRaw, request } from "../support/raw-http.ts";

/** What slow, stalled and greedy clients may hold, through real sockets. */

const large = "x".repeat(10_000_000);

const newest = 1e12;

/** A history that is too long to be read, of changes of 10 KB; nothing new is stored. */
const endless: Pick<CatalogReader, "changes" | "for" | "news"> = {
  for: () => endless as CatalogReader,
  news: (ms) => sleep(ms),
  async changes({ after = newest, max }) {
    await setImmediate();
    if (after >= newest) return { items: [], last_id: newest, next: null };
    const change = { appid: 10, change_number: 1, field: "name", old: null, new: large.slice(0, 10_000) };
    const items = Array.from({ length: max }, (_, at) => ({ ...change, id: after + at + 1 }) as unknown as ChangeView);
    return { items, last_id: after + max, next: after + max };
  },
};

async function start(
  limits: Partial<HttpLimits> = {},
  settings: Partial<HttpSettings> = {},
  reader: Partial<CatalogReader> = endless,
) {
  const stream = new PassThrough() as unknown as NodeJS.WriteStream;
  const metrics = createMetrics();
  const server = buildServer({
    snapshot: () => idleSnapshot,
    reader: () => reader as CatalogReader,
    metrics,
    settings: {
      ...loadConfig({}).http,
      keep: loadConfig({}).keep,
      history: true,
      historyDays: null,
      dashboard: false,
      ...settings,
    },
    logger: createLogger({ level: "info", output: createOutput(stream) }),
    limits: { checkMs: 50, ...limits },
  });
  server.get("/large", () => large);
  server.get("/broken", ({ query }) => {
    throw new Error(`broken ${(query as { kind?: string }).kind ?? ""}`);
  });
  const base = await server.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => server.close());
  stream.read();
  return {
    base,
    log: () => String(stream.read() ?? ""),
    async metric(name: string): Promise<number> {
      const line = (await metrics.text()).split("\n").find((each) => each.startsWith(`${name} `));
      return Number(line?.split(" ").at(-1) ?? 0);
    },
  };
}

const dropped = (reason: string) => `http_connections_dropped_total{reason="${reason}"}`;
const stalledStream = { send: request("/v1/changes/stream?after=0"), isStalled: true };

describe("event streams", () => {
  test("free the slot of a reader that stalls and then leaves", async () => {
    const { base, metric } = await start({ streamsPerClient: 2 });
    for (let round = 0; round < 3; round++) {
      const readers = [await connectRaw(base, stalledStream), await connectRaw(base, stalledStream)];
      await expect.poll(() => metric("http_streams")).toBe(2);
      // The server's writer waits until the reader accepts more.
      await expect.poll(async () => (await fetch(`${base}/v1/changes/stream`)).status).toBe(429);
      for (const { socket } of readers) socket.destroy();
      await expect.poll(() => metric("http_streams")).toBe(0);
    }
  });

  test("free the slots of streams that wait behind another one on their connection", async () => {
    const { base, metric } = await start({ stallMs: 300 });
    const pipelined = { send: request("/v1/changes/stream?after=0").repeat(3) };
    const { socket } = await connectRaw(base, pipelined);
    await expect.poll(() => metric("http_streams")).toBe(3);
    socket.destroy();
    await expect.poll(() => metric("http_streams")).toBe(0);
    // The second is not read as long as the first goes on.
    await (await connectRaw(base, pipelined)).closed;
    await expect.poll(() => metric("http_streams")).toBe(0);
  });

  test("cut off a reader that does not read, while another one reads on", async () => {
    const { base, metric, log } = await start({ stallMs: 200 });
    const honest = await connectRaw(base, { send: request("/v1/changes/stream?after=0") });
    const stalled = await Promise.all(Array.from({ length: 5 }, () => connectRaw(base, stalledStream)));
    await expect.poll(() => metric(dropped("stalled_stream"))).toBe(5);
    await expect.poll(() => metric("http_streams")).toBe(1);
    const read = honest.socket.bytesRead;
    await expect.poll(() => honest.socket.bytesRead).toBeGreaterThan(read);
    for (const { socket } of [honest, ...stalled]) socket.destroy();
    expect(log()).toBe("");
  });

  test("send heartbeats, and are refused with 406 where the client does not accept them", async () => {
    const { base } = await start({ heartbeatMs: 20 });
    const reply = await fetch(`${base}/v1/changes/stream`);
    expect(reply.headers.get("content-type")).toBe("text/event-stream");
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
    let text = "";
    for await (const chunk of reply.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (text.includes(": heartbeat\n\n: heartbeat")) break;
    }
    expect(text).toMatch(/^event: open\ndata: \{\}\nretry: 1000\n\n/);
    for (const accept of ["application/json", "*/*, text/event-stream;q=0", "text/*;q=0.0, */*"]) {
      const refused = await fetch(`${base}/v1/changes/stream`, { headers: { accept } });
      expect([accept, refused.status]).toEqual([accept, 406]);
      expect(refused.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    }
    for (const accept of ["text/event-stream", "text/html, */*;q=0.1", "text/event-stream;q=0.5, */*;q=0"]) {
      const open = await fetch(`${base}/v1/changes/stream`, { headers: { accept } });
      expect([accept, open.status]).toEqual([accept, 200]);
      await open.body?.cancel();
    }
  });
});

describe("the dashboard", () => {
  test("costs the database no more with 200 open pages than with one", async () => {
    const asked = new Map<string, number>();
    const count = <T>(name: string, answer: T) => {
      asked.set(name, (asked.get(name) ?? 0) + 1);
      return Promise.resolve(answer);
    };
    const reader: Partial<CatalogReader> = {
      news: (ms) => sleep(ms),
      events: () => count("events", { items: [], last_id: 1, next: null }),
      activity: () => count("activity", []),
      day: () => count("day", { apps: 0, added: 0, hours: [] }),
      summary: () => count("summary", { apps: 1 } as never),
    };
    const { base, metric } = await start({ streamsPerClient: 300 }, { dashboard: true }, reader);
    const first = await connectRaw(base, { send: request("/dashboard/stream") });
    await expect.poll(() => first.text()).toContain("event: catalog");
    const alone = [...asked].filter(([name]) => name !== "events");
    const pages = await Promise.all(
      Array.from({ length: 199 }, () => connectRaw(base, { send: request("/dashboard/stream") })),
    );
    for (const { text } of pages) {
      await expect.poll(text).toMatch(/event: open.*event: service.*event: status.*event: (catalog|activity)/s);
    }
    expect([...asked].filter(([name]) => name !== "events")).toEqual(alone);
    expect(alone.map(([, times]) => times)).toEqual([1, 1, 1]);
    // The newest events once; then the feed polls every half second.
    expect(asked.get("events")).toBeLessThan(20);
    for (const { socket } of [first, ...pages]) socket.destroy();
    await expect.poll(() => metric("http_streams")).toBe(0);
  });
});

describe("slow clients", () => {
  test("are answered 408 while their headers or body are incomplete, other bytes 400 or 431; none is logged", async () => {
    const { base, metric, log } = await start({ headersMs: 150, requestMs: 200, keepAliveMs: 150 });
    const post = "POST /v1/apps HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n";
    const answers = await Promise.all(
      [
        "",
        "GET / HT",
        request("/").slice(0, -2),
        `${post}half`,
        "no HTTP\r\n\r\n",
        request("/", `a: ${"b".repeat(40_000)}\r\n`),
      ].map(async (send) => (await connectRaw(base, { send })).closed),
    );
    const statuses = answers.map((text) => Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]));
    expect(statuses).toEqual([408, 408, 408, 404, 400, 431]);
    for (const text of answers) {
      const [head = "", body = ""] = text.split("\r\n\r\n");
      expect(head).toContain("application/problem+json");
      // The request whose body is incomplete has its answer, 404, before that of the closed connection.
      expect(JSON.parse(body.split("HTTP/1.1")[0] ?? "")).toMatchObject({
        status: Number(/\d{3}/.exec(head)?.[0]),
        detail: expect.any(String),
      });
    }
    expect([await metric(dropped("request_timeout")), await metric(dropped("malformed_request"))]).toEqual([4, 2]);
    // A connection without a next request.
    expect(await (await connectRaw(base, { send: request("/health") })).closed).toMatch(/^HTTP\/1.1 200/);
    expect(log()).toBe("");
  });

  test("that do not read a large reply are cut off, and the oldest of them once all replies take too much memory", async () => {
    const patient = await start({ stallMs: 100, leastRate: 100_000_000 });
    const unread = await connectRaw(patient.base, { send: request("/large"), isStalled: true });
    await expect.poll(() => patient.metric(dropped("unread_reply"))).toBe(1);
    unread.socket.resume();
    await unread.closed;
    expect(unread.socket.bytesRead).toBeLessThan(large.length);

    const { base, metric, log } = await start({ unsentBytes: 2.5 * large.length });
    const readers = [];
    for (let reader = 1; reader <= 4; reader++) {
      readers.push(await connectRaw(base, { send: request("/large"), isStalled: true }));
      await expect.poll(() => metric(dropped("unread_reply"))).toBe(Math.max(0, reader - 2));
    }
    expect((await (await fetch(`${base}/large`)).text()).length).toBe(large.length);
    expect(await metric(dropped("unread_reply"))).toBe(3);
    for (const { socket } of readers) socket.destroy();
    expect(log()).toBe("");
  });

  test("that move no byte in either direction are disconnected", async () => {
    const { base, metric } = await start({ silenceMs: 50 });
    const stalled = await connectRaw(base, { send: request("/large"), isStalled: true });
    await expect.poll(() => metric("http_connections")).toBe(1);
    await expect.poll(() => metric("http_connections")).toBe(0);
    stalled.socket.destroy();
  });
});

describe("connections", () => {
  test("are limited per address and in all, and idle ones make room", async () => {
    const { base, metric } = await start({}, { maxConnections: 12 });
    const idle = (client: number) => connectRaw(base, { send: request("/health"), localAddress: `127.0.0.${client}` });
    const own = [await idle(2), await idle(2), await idle(2)];
    const above = await idle(2);
    await above.closed;
    expect(await metric(dropped("client_limit"))).toBe(1);
    // Others are served, until the connections of all are used up.
    for (const client of [3, 4, 5]) for (let each = 0; each < 3; each++) own.push(await idle(client));
    await expect.poll(() => own.every(({ text }) => text().startsWith("HTTP/1.1 200"))).toBe(true);
    await (await idle(6)).closed;
    expect(await metric(dropped("connection_limit"))).toBe(1);
    await Promise.all(own.map(({ closed }) => closed));
    const next = await idle(6);
    await once(next.socket, "data");
    expect(next.text()).toMatch(/^HTTP\/1.1 200/);
    next.socket.destroy();
  });
});

describe("the log", () => {
  test("has an error that a client repeats once, and a bounded number of different ones", async () => {
    const { base, log } = await start();
    for (let each = 0; each < 30; each++) expect((await fetch(`${base}/broken`)).status).toBe(500);
    expect(log().trim().split("\n")).toHaveLength(1);
    for (let kind = 0; kind < 40; kind++) await fetch(`${base}/broken?kind=${kind}`);
    expect(log().trim().split("\n").length).toBeLessThanOrEqual(21);
  });
});

describe("a process without file descriptors", () => {
  test("keeps running, logs little, and answers again once connections are gone", async () => {
    const server = startBareServer({
      files: 90,
      env: { MAX_CONNECTIONS: "1000", TRUSTED_PROXIES: "1", IGNORE_FILE_LIMIT: "on" },
    });
    onTestFinished(() => server.stop());
    const base = await server.url();
    const flood = await Promise.all(Array.from({ length: 200 }, () => connectRaw(base, { send: request("/health") })));
    const cpu = server.cpuSeconds();
    await sleep(300);
    // Above its limit of files it may not spin.
    expect(server.cpuSeconds() - cpu).toBeLessThan(0.2);
    for (const { socket } of flood) socket.destroy();
    await expect
      .poll(() =>
        fetch(`${base}/health`).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
    expect(server.output().length).toBeLessThan(2_000);
  });
});
