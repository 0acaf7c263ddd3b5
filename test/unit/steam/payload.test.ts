import { createHash } from "node:crypto";
import { pino } from "pino";
import { expect, test } from "vitest";
import { type AppInfoMessage, payloadOfReply } from "../../../src/steam/payload.ts";

const sha1 = (bytes: Buffer) => createHash("sha1").update(bytes).digest();

function appInfo(fields: Partial<AppInfoMessage>): AppInfoMessage {
  const absent = { missing_token: null, only_public: null, sha: null, buffer: null, size: null };
  return { appid: 10, change_number: 1, ...absent, ...fields };
}

function decode(app: AppInfoMessage, bytes: Buffer) {
  const logged: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => logged.push(line) });
  return { text: payloadOfReply(app, bytes, logger).text, logged };
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
