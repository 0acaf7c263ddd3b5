import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import type { WebSocket } from "ws";
import { eMsg, encodeMessage, encodeMulti, joinMessages, messages } from "./wire.ts";

/**
 * Answers that cost their reader far more than the sender. Those without an end go on until the reader closes the
 * connection; the simulation never holds more than a few megabytes of one.
 */

/** HTTP bodies of app info; all but `plain` and `encoded` are faults. */
export const httpBodies = [
  "plain",
  "encoded",
  "wrong",
  "cut",
  "reset",
  "drip",
  "endless",
  "endless_gzip",
  "gzip_bomb",
  "gzip_members",
] as const;
export type HttpBody = (typeof httpBodies)[number];

/** Replies over the websocket. */
export const bombs = [
  "unzips_to_more",
  "unzips_to_less",
  "unzips_to_1_gb",
  "nested",
  "many_messages",
  "empty_message",
  "message_beyond_end",
  "many_fields",
  "endless_reply",
  "endless_frame",
  "endless_fragments",
  "compressed_frame",
  "unread_pongs",
] as const;
export type Bomb = (typeof bombs)[number];

const megabyte = 1024 * 1024;
const blockBytes = 16 * megabyte;
const gzipHead = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
let block: Buffer | undefined;

/** 16 MB of zeros as a part of a deflate stream, which may be repeated: 16 KB. */
function zeros(): Buffer {
  block ??= deflateRawSync(Buffer.alloc(blockBytes), { finishFlush: constants.Z_FULL_FLUSH });
  return block;
}

/** One member that unzips to `bytes` zeros, a multiple of 16 MB. The check sum is wrong, which only its end would tell. */
export function zippedZeros(bytes: number): Buffer {
  const end = Buffer.concat([Buffer.from([3, 0]), Buffer.alloc(8)]);
  return Buffer.concat([gzipHead, ...Array.from({ length: bytes / blockBytes }, zeros), end]);
}

/** Sends `text` in the way of `how`, and reports the bytes written. */
export async function sendHttpBody(
  response: ServerResponse,
  how: HttpBody,
  text: Buffer,
  onBytes: (count: number) => void,
): Promise<void> {
  const send = (bytes: Buffer) => {
    onBytes(bytes.length);
    response.end(bytes);
  };
  const zipped = gzipSync(text);
  if (how === "encoded") response.setHeader("content-encoding", "gzip");
  if (how === "plain") send(text);
  else if (how === "encoded") send(zipped);
  else if (how === "wrong") send(gzipSync(Buffer.from(text.toString("latin1").toUpperCase(), "latin1")));
  else if (how === "cut") send(zipped.subarray(0, -9));
  else if (how === "gzip_bomb") send(zippedZeros(1024 * megabyte));
  else if (how === "reset") response.write(zipped.subarray(0, 10), () => response.destroy());
  else {
    const member = gzipSync(Buffer.alloc(0));
    const parts: Record<string, Buffer> = {
      drip: Buffer.from(" "),
      endless: Buffer.alloc(64 * 1024, "x"),
      endless_gzip: zeros(),
      gzip_members: Buffer.concat(Array.from({ length: 1_000 }, () => member)),
    };
    if (how === "endless_gzip") response.write(gzipHead);
    const part = parts[how] ?? member;
    while (!response.destroyed) {
      onBytes(part.length);
      if (how === "drip") await sleep(10);
      if (!response.write(part)) await drained(response);
    }
  }
}

/** Resolves when the stream takes more, or is closed. */
async function drained(stream: ServerResponse | Duplex): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
  });
}

/** Sends a bomb instead of a reply. `wrap` makes a message of a product info body for the request. */
export async function sendBomb(
  socket: WebSocket,
  how: Bomb,
  wrap: (body: Uint8Array) => Buffer,
  onBytes: (count: number) => void,
): Promise<void> {
  const raw = (socket as unknown as { _socket: Duplex })._socket;
  const send = (bytes: Buffer) => {
    onBytes(bytes.length);
    socket.send(bytes);
  };
  const pending = () => wrap(messages.productInfoResponse.encode({ ...emptyReply, response_pending: true }));
  const finite = finiteBomb(how, pending);
  if (finite) return send(finite);
  if (how === "many_fields") return send(wrap(Buffer.alloc(8 * megabyte, Buffer.from([0x0a, 0]))));
  if (how === "compressed_frame") {
    raw.write(Buffer.from([0b1100_0010, 4, 1, 2, 3, 4]));
    return;
  }
  // A frame that announces 2^40 bytes.
  if (how === "endless_frame") raw.write(Buffer.from([0b1000_0010, 127, 0, 0, 1, 0, 0, 0, 0, 0]));
  if (how === "unread_pongs") raw.pause();
  const ping = Buffer.concat([Buffer.from([0b1000_1001, 125]), Buffer.alloc(125)]);
  const pings = Buffer.concat(Array.from({ length: 500 }, () => ping));
  const filler = Buffer.alloc(64 * 1024);
  while (socket.readyState === socket.OPEN && !raw.destroyed) {
    if (how === "endless_reply") send(pending());
    else if (how === "endless_fragments") socket.send(filler, { fin: false });
    else raw.write(how === "unread_pongs" ? pings : filler);
    if (how !== "endless_reply") onBytes(filler.length);
    if (raw.writableNeedDrain) await drained(raw);
    else await new Promise(setImmediate);
  }
}

const emptyReply = { apps: [], unknown_appids: [], unknown_packageids: [], meta_data_only: false };

function finiteBomb(how: Bomb, message: () => Buffer): Buffer | null {
  const one = joinMessages([message()]);
  const multi = (payload: Buffer, size = payload.length) => encodeMulti(gzipSync(payload), size);
  if (how === "unzips_to_more") return encodeMulti(zippedZeros(1024 * megabyte), 4_096);
  if (how === "unzips_to_less") return multi(one, one.length + 1);
  if (how === "unzips_to_1_gb") return encodeMulti(zippedZeros(1024 * megabyte), 1024 * megabyte);
  if (how === "empty_message") return multi(Buffer.concat([one, Buffer.alloc(4)]));
  if (how === "message_beyond_end") return multi(Buffer.concat([one, Buffer.from([0xff, 0xff, 0xff, 0xff])]));
  if (how === "many_messages") {
    const small = joinMessages([encodeMessage(eMsg.clientHeartBeat, {}, Buffer.alloc(0))]);
    return multi(Buffer.concat(Array.from({ length: 200_000 }, () => small)));
  }
  return how === "nested" ? nestedMulti(message(), 3_000) : null;
}

/** A message inside of `depth` Multis, not zipped. */
export function nestedMulti(message: Buffer, depth: number): Buffer {
  let outer = message;
  for (let i = 0; i < depth; i += 1) outer = encodeMulti(joinMessages([outer]), 0);
  return outer;
}
