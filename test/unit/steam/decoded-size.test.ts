import { expect, test } from "vitest";
import { decodedBytes } from "../../../src/steam/decoded-size.ts";
import { eMsg, messages } from "../../support/steam/wire.ts";

const megabyte = 1024 * 1024;

test("counts the text of an app once, and every app as an object", () => {
  const app = { appid: 10, change_number: 1, missing_token: false, sha: Buffer.alloc(20), only_public: false, size: 9 };
  const reply = (buffers: number[]) =>
    messages.productInfoResponse.encode({
      apps: buffers.map((bytes) => ({ ...app, buffer: Buffer.alloc(bytes) })),
      unknown_appids: [],
      unknown_packageids: [],
      meta_data_only: false,
      response_pending: false,
    });
  const size = (buffers: number[]) => decodedBytes(eMsg.productInfoResponse, reply(buffers));
  expect(size([megabyte])).toBeGreaterThan(megabyte);
  expect(size([megabyte])).toBeLessThan(1.01 * megabyte);
  expect(size(Array.from({ length: 1_000 }, () => 4))).toBeGreaterThan(200_000);
});

test("estimates empty blocks and packed lists many times their size", () => {
  const blocks = Buffer.alloc(megabyte, Buffer.from([0x0a, 0]));
  expect(decodedBytes(eMsg.productInfoResponse, blocks)).toBeGreaterThan(64 * megabyte);
  // unknown_appids, packed: one byte each
  const packed = Buffer.concat([Buffer.from([0x12, 0x80, 0x80, 0x40]), Buffer.alloc(megabyte, 1)]);
  expect(decodedBytes(eMsg.productInfoResponse, packed)).toBe(256 + 32 * megabyte);
});

test("lets the largest replies pass", () => {
  const unknown_appids = Array.from({ length: 5_000 }, (_, i) => 2_000_000 + i);
  const metadata = { apps: [], unknown_appids, unknown_packageids: [], meta_data_only: true, response_pending: false };
  const changes = Array.from({ length: 20_000 }, (_, i) => ({ appid: i + 1_000_000, change_number: 40_000_000 + i }));
  const since = { current_change_number: 1, since_change_number: 1, app_changes: changes };
  for (const [emsg, body] of [
    [eMsg.productInfoResponse, messages.productInfoResponse.encode(metadata)],
    [eMsg.changesSinceResponse, messages.changesSinceResponse.encode(since)],
  ] as const) {
    expect(decodedBytes(emsg, body)).toBeLessThan(16 * megabyte);
  }
});

test("reads every wire type, and rejects groups and fields without an end", () => {
  const fields = Buffer.from([
    0x08,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0x01,
    0x11,
    ...Array(8).fill(0),
  ]);
  expect(decodedBytes(1, fields)).toBe(512);
  expect(decodedBytes(1, Buffer.from([0x0d, 0, 0, 0, 0]))).toBe(256);
  expect(decodedBytes(1, Buffer.alloc(0))).toBe(0);
  for (const bytes of [[0x0b], [0x0c], [0x0f], [0x08], [0x08, 0x80], [0x0a, 2, 0], [0x0d, 0], [0x09, 0]]) {
    expect(() => decodedBytes(1, Buffer.from(bytes))).toThrow(RangeError);
  }
});
