import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { valveDomains } from "../../../src/process/host-name.ts";
import { fetchText, maxTextBytes, offeredText, unzip } from "../../../src/steam/http-payload.ts";
import type { AppInfoMessage } from "../../../src/steam/payload.ts";
import { zippedZeros } from "../../support/steam/bombs.ts";

const text = Buffer.from("text ".repeat(100));
const sha = createHash("sha1").update(text).digest();
const host = "clientconfig.steamstatic.com";
const minSizeBytes = 400;

function appInfo(fields: Partial<AppInfoMessage>): AppInfoMessage {
  const absent = { missing_token: null, only_public: null, buffer: null };
  return { appid: 10, change_number: 1, sha, size: text.length + 1, ...absent, ...fields };
}
const offerOf = (fields: Partial<AppInfoMessage> = {}) =>
  offeredText(appInfo(fields), { host, minSizeBytes }, valveDomains);

test("builds the URL of a text from the minimum size on", () => {
  const url = `http://${host}/appinfo/10/sha/${sha.toString("hex")}.txt.gz`;
  expect(offerOf()).toEqual({ url, sha1: sha.toString("hex"), sizeBytes: 501 });
  expect(offerOf({ size: 400 })).toMatchObject({ sizeBytes: 400 });
  expect(offerOf({ size: 399 })).toBeNull();
  expect(offerOf({ sha: null })).toBeNull();
  expect(offeredText(appInfo({}), { host: null, minSizeBytes: null }, valveDomains)).toBeNull();
});

test.each([
  "127.0.0.1",
  "localhost",
  "evil.example",
  "x.steamstatic.com:80",
  "X.steamstatic.com",
  "a@x.steamstatic.com",
])("rejects an offer at the host %s", (bad) => {
  const offer = () => offeredText(appInfo({}), { host: bad, minSizeBytes: 1 }, valveDomains);
  expect(offer).toThrow(JSON.stringify(bad));
  expect(offer).toThrow("STEAM_CONTENT_HOSTS");
});

test("shows a rejected host in printable characters, and shortened", () => {
  const offer = () => offeredText(appInfo({}), { host: `\0\n${"x".repeat(10_000)}`, minSizeBytes: 1 }, valveDomains);
  expect(offer).toThrow(/^[ -~]{1,250}$/);
});

test("rejects an offer without a size, with an absurd one, or with a SHA-1 of the wrong length", () => {
  expect(() => offerOf({ size: null })).toThrow("size unknown");
  expect(() => offerOf({ size: maxTextBytes + 1 })).toThrow(String(maxTextBytes + 1));
  expect(() => offerOf({ size: 0xffffffff })).toThrow("4294967295");
  expect(() => offeredText(appInfo({ size: 0 }), { host, minSizeBytes: null }, valveDomains)).toThrow("size 0");
  expect(() => offerOf({ sha: sha.subarray(1) })).toThrow("SHA-1");
  expect(() => offerOf({ sha: Buffer.alloc(0) })).toThrow("SHA-1");
});

test("unzips up to the limit, of one member or many, and fails for a damaged body", async () => {
  const half = text.subarray(0, 250);
  const limit = text.length;
  expect(await unzip(gzipSync(text), limit)).toEqual(text);
  expect(await unzip(Buffer.concat([gzipSync(half), gzipSync(half)]), limit)).toEqual(text);
  expect(await unzip(text, limit)).toEqual(text);
  expect(await unzip(Buffer.alloc(0), limit)).toEqual(Buffer.alloc(0));
  await expect(unzip(gzipSync(text), limit - 1)).rejects.toThrow("more than 499 bytes");
  await expect(unzip(text, limit - 1)).rejects.toThrow("larger than 499 bytes");
  await expect(unzip(zippedZeros(1024 ** 3), limit)).rejects.toThrow("more than 500 bytes");
  await expect(unzip(gzipSync(text).subarray(0, -9), limit)).rejects.toThrow("damaged gzip");
});

/** A server that takes the place of the proxy, reached by a name that resolves to loopback. */
async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ proxyEnv: { HTTP_PROXY: `http://localhost:${port}` } });
  return {
    port,
    fetch: (options = {}, deadlineMs = 10_000, signal?: AbortSignal) => {
      const offered = offerOf();
      if (!offered) throw new Error("no offer");
      return fetchText(offered, { hosts: valveDomains, agent, ...options }, performance.now() + deadlineMs, signal);
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("sends the host's URL to the proxy, and asks for no encoding", async () => {
  const seen: unknown[] = [];
  await using server = await serve((request, response) => {
    seen.push(request.url, request.headers["accept-encoding"]);
    response.end(gzipSync(text));
  });
  expect(await server.fetch()).toEqual(text);
  expect(seen).toEqual([offerOf()?.url, "identity"]);
});

test("retries transient statuses twice, whatever Retry-After says", async () => {
  const statuses = [408, 429, 500, 502, 503, 504];
  const fetchAfter = async (status: number, failures: number) => {
    let requests = 0;
    await using server = await serve((_request, response) => {
      requests += 1;
      if (requests <= failures) response.writeHead(status, { "retry-after": "86400" }).end();
      else response.end(text);
    });
    const [result] = await Promise.allSettled([server.fetch()]);
    return { result, requests };
  };
  const recovered = await Promise.all(statuses.map((status) => fetchAfter(status, 2)));
  expect(recovered).toEqual(statuses.map(() => ({ result: { status: "fulfilled", value: text }, requests: 3 })));
  const failed = await fetchAfter(503, 9);
  expect(failed).toMatchObject({ result: { status: "rejected", reason: { message: "HTTP status 503" } }, requests: 3 });
});

test.each([204, 206, 301, 302, 307, 403, 404, 416, 501])("does not retry HTTP status %i", async (status) => {
  let requests = 0;
  await using server = await serve((_request, response) => {
    requests += 1;
    response.writeHead(status, { location: "http://127.0.0.1/" }).end(status === 206 ? text : undefined);
  });
  await expect(server.fetch()).rejects.toMatchObject({
    fault: "protocol",
    message: expect.stringContaining(`${status}`),
  });
  expect(requests).toBe(1);
});

test("ends with the signal, with the time limit, and with the deadline, also within the body", async () => {
  let requests = 0;
  await using server = await serve((_request, response) => {
    requests += 1;
    response.write("a");
  });
  const controller = new AbortController();
  const aborted = server.fetch({}, 10_000, controller.signal);
  await expect.poll(() => requests).toBe(1);
  controller.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  await expect(server.fetch({ timeoutMs: 50 })).rejects.toMatchObject({ fault: "timeout" });
  await expect(server.fetch({}, 50)).rejects.toMatchObject({ fault: "timeout" });
  expect(requests).toBe(3);
  await expect(server.fetch({}, 0)).rejects.toMatchObject({ fault: "timeout" });
  expect(requests).toBe(3);
});

test("without a proxy, does not connect to a host that resolves to loopback", async () => {
  let requests = 0;
  await using server = await serve((_request, response) => {
    requests += 1;
    response.end(text);
  });
  const offered = { url: `http://localhost:${server.port}/`, sha1: sha.toString("hex"), sizeBytes: 501 };
  const direct = { hosts: valveDomains, agent: new Agent() };
  const fetched = fetchText(offered, direct, performance.now() + 10_000);
  await expect(fetched).rejects.toMatchObject({ fault: "protocol", message: expect.stringContaining("not a public") });
  expect(requests).toBe(0);
});
