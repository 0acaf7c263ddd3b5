/**
 * Multi messages: Steam packs several messages into one, usually gzipped. steam-user unzips them without a limit and
 * lets a Multi hold another without end, so this reader replaces its own.
 */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { nextTurn } from "../process/time.ts";

/** CMsgMulti as steam-user decodes it. */
export interface MultiMessage {
  /** Null when the body is not zipped. */
  size_unzipped: number | null;
  /** Messages, each after its length as uint32le. */
  message_body: Buffer | null;
}

/** What one websocket message may still unpack to, nested Multis included. */
export interface MultiBudget {
  bytes: number;
  messages: number;
}

/** The members of steam-user that reading a Multi needs; see contained-client.ts. */
export interface MultiClient {
  /** While set, steam-user queues what arrives on the connection, so that the order stays. */
  _useMessageQueue: boolean;
  _incomingMessageQueue: unknown[][];
  _handleNetMessage(...args: unknown[]): void;
  _connection: { stream?: { _socket?: { pause(): unknown; resume(): unknown } } } | undefined;
}

/** Replies seen hold a few hundred kilobytes; the largest text seen has 1.15 MB. */
const maxUnzippedBytes = 64 * 1024 * 1024;
const maxMessages = 10_000;
/** What a size that is announced, and may be false, reserves at most. */
const maxChunkBytes = 1024 * 1024;
/** Of zlib. */
const minChunkBytes = 64;
/** Real Steam nests none. */
const maxDepth = 2;
/** Two uint32: the EMsg and the length of the header. */
const minMessageBytes = 8;
const gunzipAsync = promisify(gunzip);

/**
 * Splits a Multi into its messages. Throws for a body that is damaged, unzips to another size than announced, exceeds
 * the budget, or holds a message of an impossible length.
 */
export async function unpackMulti(
  { size_unzipped, message_body }: MultiMessage,
  budget: MultiBudget,
): Promise<Buffer[]> {
  const payload = await payloadOf(message_body ?? Buffer.alloc(0), size_unzipped ?? 0, budget.bytes);
  budget.bytes -= payload.length;
  const messages: Buffer[] = [];
  for (let at = 0; at < payload.length; ) {
    const length = payload.readUInt32LE(at);
    const end = at + 4 + length;
    if (length < minMessageBytes || end > payload.length)
      throw new RangeError(`a Multi holds a message of ${length} bytes`);
    messages.push(payload.subarray(at + 4, end));
    if (messages.length > budget.messages) throw new RangeError("a Multi holds too many messages");
    at = end;
  }
  budget.messages -= messages.length;
  return messages;
}

async function payloadOf(body: Buffer, sizeUnzipped: number, maxBytes: number): Promise<Buffer> {
  if (Math.max(body.length, sizeUnzipped) > maxBytes)
    throw new RangeError(`a Multi unzips to more than ${maxBytes} bytes`);
  if (!sizeUnzipped) return body;
  // Room for all of it at once: each chunk is a hand-over to the thread pool, and zlib's own have 16 KB. A chunk that is filled
  // to its end is followed by another.
  const chunkSize = Math.max(minChunkBytes, Math.min(sizeUnzipped + 1, maxChunkBytes));
  const payload = await gunzipAsync(body, { maxOutputLength: sizeUnzipped, chunkSize });
  if (payload.length !== sizeUnzipped) {
    throw new RangeError(`a Multi unzips to ${payload.length} bytes instead of ${sizeUnzipped}`);
  }
  return payload;
}

/**
 * The replacement for `_processMulti`. Messages are handled in their order, those of a nested Multi in its place. What
 * arrives meanwhile waits: first in the socket, which is paused, so that the queue does not grow.
 */
export function createMultiReader(client: MultiClient, hasEnded: () => boolean) {
  let isHandling = false;
  let nested: MultiMessage | undefined;

  async function read(multi: MultiMessage, connection: unknown, budget: MultiBudget, depth: number): Promise<void> {
    if (depth > maxDepth) throw new RangeError("Multi messages are nested too deeply");
    for (const message of await unpackMulti(multi, budget)) {
      if (hasEnded()) return;
      isHandling = true;
      client._handleNetMessage(message, connection, "multi");
      isHandling = false;
      const inner = nested;
      nested = undefined;
      if (inner) await read(inner, connection, budget, depth + 1);
    }
  }

  return async (_header: unknown, multi: MultiMessage, connection: unknown): Promise<void> => {
    if (isHandling) {
      nested = multi;
      return;
    }
    const socket = client._connection?.stream?._socket;
    client._useMessageQueue = true;
    socket?.pause();
    await nextTurn();
    await read(multi, connection, { bytes: maxUnzippedBytes, messages: maxMessages }, 1);
    if (hasEnded()) return;
    socket?.resume();
    client._useMessageQueue = false;
    const queue = client._incomingMessageQueue;
    // Another Multi in the queue sets the flag again, and handles the rest after itself.
    while (queue.length > 0 && !client._useMessageQueue) client._handleNetMessage(...(queue.shift() ?? []));
  };
}
