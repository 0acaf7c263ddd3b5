import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { pino } from "pino";
import { expect, test } from "vitest";
import {
  type AppInfoMessage,
  decodeText,
  fetchHttpPayload,
  httpPayloadUrl,
  unzip,
} from "../../../src/steam/payload.ts";

const sha1 = (bytes: Buffer) => createHash("sha1").update(bytes).digest();

function appInfo(fields: Partial<AppInfoMessage>): AppInfoMessage {
  const absent = { missing_token: null, only_public: null, sha: null, buffer: null, size: null };
  return { appid: 10, change_number: 1, ...absent, ...fields };
}

function decode(app: AppInfoMessage, bytes: Buffer) {
  const logged: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => logged.push(line) });
  return { text: decodeText(app, bytes, logger), logged };
}

test("removes one trailing NUL only", () => {
  const bytes = Buffer.from("a\0b\0\0");
  expect(decode(appInfo({ sha: sha1(Buffer.from("a\0b\0")) }), bytes)).toEqual({ text: "a\0b\0", logged: [] });
  expect(decode(appInfo({}), Buffer.from("no NUL")).text).toBe("no NUL");
  expect(decode(appInfo({}), Buffer.alloc(0)).text).toBe("");
});

test("hashes bytes, not text, so that invalid UTF-8 keeps its SHA-1", () => {
  const bytes = Buffer.from([0x61, 0x99, 0x62, 0]);
  expect(decode(appInfo({ sha: sha1(bytes.subarray(0, 3)) }), bytes)).toEqual({ text: "a\uFFFDb", logged: [] });
});

test("logs a SHA-1 that differs, and keeps the text", () => {
  const { text, logged } = decode(appInfo({ sha: sha1(Buffer.from("other")) }), Buffer.from("text\0"));
  expect(text).toBe("text");
  expect(logged.length).toBe(1);
  expect(logged[0]).toContain('"appid":10');
});

test("builds the URL of a text from the minimum size on", () => {
  const sha = Buffer.from("0123456789abcdef0123456789abcdef01234567", "hex");
  const offer = { host: "clientconfig.example", minSizeBytes: 1024 };
  const url = "http://clientconfig.example/appinfo/10/sha/0123456789abcdef0123456789abcdef01234567.txt.gz";
  expect(httpPayloadUrl(appInfo({ sha, size: 1024 }), offer)).toBe(url);
  expect(httpPayloadUrl(appInfo({ sha, size: 1023 }), offer)).toBeNull();
  expect(httpPayloadUrl(appInfo({ size: 5000 }), offer)).toBeNull();
  expect(httpPayloadUrl(appInfo({ sha, size: 5000 }), { host: null, minSizeBytes: null })).toBeNull();
});

test("unzips a gzip body, and throws on a damaged one", async () => {
  const body = Buffer.from("text ".repeat(100));
  expect(await unzip(gzipSync(body))).toEqual(body);
  expect(await unzip(body)).toEqual(body);
  await expect(unzip(gzipSync(body).subarray(0, -9))).rejects.toThrow();
});

async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("fetches over HTTP, also when the transport has unzipped the body", async () => {
  const body = Buffer.from("text ".repeat(100));
  const zipped = gzipSync(body);
  await using server = await serve((request, response) => {
    if (request.url === "/encoded") response.writeHead(200, { "content-encoding": "gzip" });
    response.end(zipped);
  });
  expect(await unzip(await fetchHttpPayload(`${server.url}plain`))).toEqual(body);
  expect(await unzip(await fetchHttpPayload(`${server.url}encoded`))).toEqual(body);
});

test("does not retry a permanent status, and aborts with the signal", async () => {
  let requests = 0;
  await using server = await serve((request, response) => {
    requests += 1;
    if (request.url === "/missing") response.writeHead(404).end();
  });
  await expect(fetchHttpPayload(`${server.url}missing`)).rejects.toThrow("404");
  expect(requests).toBe(1);
  const controller = new AbortController();
  const hanging = fetchHttpPayload(`${server.url}hang`, controller.signal);
  controller.abort(new Error("enough"));
  await expect(hanging).rejects.toThrow("enough");
});
