import { once } from "node:events";
import { connect } from "node:net";
import { fastify } from "fastify";
import { expect, test } from "vitest";
import { readRailwayAddress, type TrustedProxies, trustProxy } from "../../src/http/proxies.ts";
import { serve } from "./api/harness.ts";

/** What guards the HTTP side in front of every route: keys, the client's address, host names. */

const apiKey = "guarded-key-0123456789";
const right = { authorization: `Bearer ${apiKey}` };
const wrong = { authorization: "Bearer guarded-key-0000000000" };

test("limits wrong keys per address on every guarded route, counts them, and never locks the right key out", async () => {
  const { get } = await serve(null, { apiKey });
  const statuses: number[] = [];
  for (const path of ["/v1/apps", "/docs", "/status", "/metrics", "/", "/dashboard/stream"]) {
    for (let n = 0; n < 2; n++) {
      const answer = await get(path, wrong);
      statuses.push(answer.status);
      await answer.body?.cancel();
    }
  }
  expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
  const limited = await get("/status", wrong);
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await limited.json()).toMatchObject({ title: "Too Many Requests", detail: expect.stringContaining("wrong") });
  // Without a key there is no guess.
  expect((await get("/status")).status).toBe(401);
  expect((await get("/status", right)).status).toBe(200);
  expect(await (await get("/metrics", right)).text()).toContain("\nhttp_wrong_keys_total 13\n");
});

test("keeps /health and /ready open, and lets them tell only the state without the key", async () => {
  const { get } = await serve(null, { apiKey }, undefined, { mode: "change_monitor" });
  expect([(await get("/health")).status, await (await get("/health")).json()]).toEqual([200, { status: "starting" }]);
  expect([(await get("/ready")).status, await (await get("/ready")).json()]).toEqual([503, { ready: false }]);
  expect(await (await get("/health", right)).json()).toMatchObject({ mode: "change_monitor", reasons: [] });
  expect(await (await get("/ready", right)).json()).toMatchObject({ reasons: [expect.any(String)] });
  // Guesses are counted here, too.
  for (let n = 0; n < 10; n++) expect(await (await get("/health", wrong)).json()).toEqual({ status: "starting" });
  expect((await get("/status", wrong)).status).toBe(429);
});

/** The client's address as the server sees it. */
async function addressOf(proxies: TrustedProxies, peer: string, headers: Record<string, string>) {
  const server = fastify({ trustProxy: trustProxy(proxies) });
  readRailwayAddress(server, proxies);
  server.get("/", ({ ip }, reply) => reply.send(ip));
  return (await server.inject({ url: "/", remoteAddress: peer, headers })).body;
}

test.each([
  // Railway's edge sets X-Real-IP; what the client sends in X-Forwarded-For stays before the edge's own address.
  ["railway", "100.64.0.3", { "x-real-ip": "203.0.113.7", "x-forwarded-for": "6.6.6.6, 152.233.33.1" }, "203.0.113.7"],
  ["railway", "::ffff:100.64.0.3", { "x-real-ip": "2001:db8::7" }, "2001:db8::7"],
  ["railway", "100.64.0.3", { "x-forwarded-for": "6.6.6.6" }, "100.64.0.3"],
  ["railway", "100.64.0.3", { "x-real-ip": "6.6.6.6, 203.0.113.7", "x-forwarded-for": "6.6.6.6" }, "100.64.0.3"],
  // Past the edge: the private network, or a machine that only says it is on Railway.
  ["railway", "fd12::5", { "x-real-ip": "6.6.6.6", "x-forwarded-for": "6.6.6.6" }, "fd12::5"],
  ["railway", "198.51.100.9", { "x-real-ip": "6.6.6.6", "x-forwarded-for": "6.6.6.6" }, "198.51.100.9"],
  [0, "198.51.100.9", { "x-real-ip": "6.6.6.6", "x-forwarded-for": "6.6.6.6" }, "198.51.100.9"],
  [1, "10.0.0.2", { "x-real-ip": "6.6.6.6", "x-forwarded-for": "6.6.6.6, 203.0.113.7" }, "203.0.113.7"],
  [2, "10.0.0.2", { "x-forwarded-for": "6.6.6.6, 203.0.113.7, 10.0.0.3" }, "203.0.113.7"],
] as const)("with trusted proxies %s, a request from %s with %j is of %s", async (proxies, peer, headers, address) => {
  expect(await addressOf(proxies, peer, headers)).toBe(address);
});

test.each([
  ["railway", "100.64.0.3"],
  [0, "198.51.100.9"],
] as const)("counts forged addresses as one client with trusted proxies %s", async (trustedProxies, peer) => {
  const { server } = await serve(null, { apiKey, trustedProxies });
  const guess = async (forged: string, real: string) => {
    const headers = { ...wrong, "x-forwarded-for": `${forged}, 152.233.33.${forged.length}`, "x-real-ip": real };
    return (await server.inject({ url: "/status", remoteAddress: peer, headers })).statusCode;
  };
  for (let n = 0; n < 10; n++) expect(await guess(`6.6.6.${n}`, "203.0.113.7")).toBe(401);
  expect(await guess("6.6.7.7", "203.0.113.7")).toBe(429);
  // The edge names another reader.
  expect(await guess("6.6.7.7", "203.0.113.8")).toBe(trustedProxies === "railway" ? 401 : 429);
});

test("refuses host names that are not allowed, on every route but the probes", async () => {
  const { base } = await serve(null, { allowedHosts: ["catalog.example", ".example.org", "[::1]", "192.0.2.1"] });
  const { port } = new URL(base);

  /** The status of a request, byte by byte as given. */
  async function ask(target: string, host: string | null, version = "1.1"): Promise<number> {
    const socket = connect(Number(port), "127.0.0.1");
    socket.end(`GET ${target} HTTP/${version}\r\n${host === null ? "" : `Host: ${host}\r\n`}Connection: close\r\n\r\n`);
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    await once(socket, "close");
    return Number(text.split(" ")[1]);
  }

  const allowed = ["catalog.example", `Catalog.EXAMPLE.:${port}`, "a.b.example.org", "[::1]", "[0:0:0:0:0:0:0:1]:80"];
  for (const host of [...allowed, "192.0.2.1:8080"]) expect([host, await ask("/status", host)]).toEqual([host, 200]);
  const strange = ["evil.example", "example.org", "catalog.example.evil.example", "127.0.0.1", `localhost:${port}`];
  const malformed = [
    "",
    "catalog.example@evil.example",
    "catalog.example/",
    "catalog.example:80:80",
    "catalog.example, a",
  ];
  for (const host of [...strange, ...malformed, "[::2]"]) {
    expect([host, await ask("/status", host)]).toEqual([host, 421]);
    for (const path of ["/health", "/ready"]) expect([host, await ask(path, host)]).not.toEqual([host, 421]);
  }
  for (const path of ["/", "/v1/apps", "/docs", "/metrics", "/dashboard/stream", "/nothing", "/v1/health"]) {
    expect([path, await ask(path, "evil.example")]).toEqual([path, 421]);
  }
  // The target's host replaces the header; a server of HTTP/1.1 refuses a request without any by itself.
  expect(await ask("http://evil.example/status", "catalog.example")).toBe(421);
  expect(await ask("/status", null)).toBe(400);
  expect(await ask("/status", null, "1.0")).toBe(421);
  const forwarded = await fetch(`${base}/status`, { headers: { "x-forwarded-host": "catalog.example" } });
  expect(forwarded.status).toBe(421);
});
