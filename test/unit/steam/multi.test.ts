import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { unpackMulti } from "../../../src/steam/multi.ts";
import { joinMessages } from "../../support/steam/wire.ts";

const messages = ["first message", "second one", "12345678"].map((text) => Buffer.from(text));
const payload = joinMessages(messages);
const budget = () => ({ bytes: 1_000, messages: 10 });
const unpack = (message_body: Buffer | null, size_unzipped: number | null, given = budget()) =>
  unpackMulti({ message_body, size_unzipped }, given);

test("splits a Multi into its messages, zipped or not", async () => {
  expect(await unpack(payload, null)).toEqual(messages);
  expect(await unpack(gzipSync(payload), payload.length)).toEqual(messages);
  expect(await unpack(null, null)).toEqual([]);
});

test("takes bytes and messages from the budget", async () => {
  const left = budget();
  await unpack(payload, null, left);
  expect(left).toEqual({ bytes: 1_000 - payload.length, messages: 7 });
  await expect(unpack(payload, null, { bytes: payload.length - 1, messages: 10 })).rejects.toThrow("more than");
  await expect(unpack(gzipSync(payload), payload.length, { bytes: 20, messages: 10 })).rejects.toThrow("more than");
  await expect(unpack(payload, null, { bytes: 1_000, messages: 2 })).rejects.toThrow("too many");
});

test.each([-1, 1])("rejects an announced size that differs by %i", async (by) => {
  await expect(unpack(gzipSync(payload), payload.length + by)).rejects.toThrow(RangeError);
});

test("rejects lengths that are zero, too short, or beyond the end", async () => {
  const length = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  for (const tail of [length(0), length(7), length(9), length(0xffffffff), Buffer.alloc(1), Buffer.alloc(3)]) {
    const body = Buffer.concat([payload, tail, ...(tail.readUInt8(0) === 9 ? [Buffer.alloc(8)] : [])]);
    await expect(unpack(body, null)).rejects.toThrow(RangeError);
  }
  await expect(unpack(Buffer.concat([length(7), Buffer.alloc(7)]), null)).rejects.toThrow(RangeError);
});
