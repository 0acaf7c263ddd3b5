import { expect, test } from "vitest";
import { limitStream, type WebSocketStream } from "../../../src/steam/bounded-stream.ts";
import { createRandom } from "../../support/steam/random.ts";

const megabyte = 1024 * 1024;

/** A stream that records what reaches websocket13, with or without a socket that holds unsent bytes. */
function limited(unsentBytes = 0) {
  const frames: Buffer[] = [];
  const stream = {
    setTimeout() {},
    _handleData: (data: Buffer) => frames.push(data),
    _handleFrame() {},
    _socket: { writableLength: unsentBytes },
  } as unknown as WebSocketStream;
  limitStream(stream);
  return { stream, frames };
}

/** A frame as RFC 6455 lays it out, FIN and binary. */
function frame(payload: Buffer, masked = false): Buffer {
  const mask = masked ? 0x80 : 0;
  const length = payload.length;
  let head = Buffer.from([0x82, mask | length]);
  if (length >= 65_536) head = Buffer.concat([Buffer.from([0x82, mask | 127, 0, 0, 0, 0]), uint32(length)]);
  else if (length >= 126) head = Buffer.from([0x82, mask | 126, length >> 8, length & 0xff]);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

test.each([1, 2, 3])("passes on frames one by one, however they are cut (seed %i)", (seed) => {
  const random = createRandom(seed);
  const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000, ...Array.from({ length: 40 }, () => random.int(0, 300))];
  const sent = sizes.map((size) => frame(Buffer.alloc(size, size), random.chance(0.3)));
  const bytes = Buffer.concat(sent);
  const { stream, frames } = limited();
  for (let at = 0; at < bytes.length; ) {
    const size = random.chance(0.5) ? random.int(1, 20) : random.int(1, 20_000);
    stream._handleData(bytes.subarray(at, at + size));
    at += size;
  }
  expect(frames.map(({ length }) => length)).toEqual(sent.map(({ length }) => length));
  expect(Buffer.concat(frames)).toEqual(bytes);
});

test("rejects a frame by its announced length, before it has come", () => {
  for (const length of [16 * megabyte, 0xffffffff]) {
    const { stream, frames } = limited();
    const head = Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0]), uint32(length)]);
    stream._handleData(head.subarray(0, 9));
    expect(() => stream._handleData(head.subarray(9))).toThrow("larger than");
    expect(frames).toEqual([]);
  }
  const { stream } = limited();
  expect(() => stream._handleData(Buffer.alloc(10, 0xff))).toThrow("larger than");
});

test("limits a message in fragments, and starts anew with the next one", () => {
  const { stream } = limited();
  const fragment = (opcode: number, bytes: number, FIN = false) =>
    stream._handleFrame({ FIN, RSV1: false, opcode, payload: Buffer.alloc(bytes) });
  for (let i = 0; i < 3; i += 1) {
    fragment(2, 9 * megabyte);
    fragment(0, 6 * megabyte, true);
  }
  fragment(2, 9 * megabyte);
  fragment(9, 100, true);
  expect(() => fragment(0, 7 * megabyte)).toThrow("larger than");
  const other = limited().stream;
  const empty = () => other._handleFrame({ FIN: false, RSV1: false, opcode: 0, payload: Buffer.alloc(0) });
  expect(() => {
    for (let i = 0; i < 100_000; i += 1) empty();
  }).toThrow("larger than");
});

test("rejects compressed frames, and a reader that does not read", () => {
  const { stream } = limited();
  const compressed = { FIN: true, RSV1: true, opcode: 2, payload: Buffer.alloc(1) };
  expect(() => stream._handleFrame(compressed)).toThrow("compressed");
  expect(() => limited(5 * megabyte).stream._handleData(frame(Buffer.alloc(1)))).toThrow("does not read");
});
