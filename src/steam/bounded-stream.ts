/** The members of a websocket13 stream that are used; its types leave most of them out. */
export interface WebSocketStream {
  setTimeout(timeoutMs: number): unknown;
  _handleData(data?: Buffer): void;
  _handleFrame(frame: WebSocketFrame): void;
  _socket?: { destroy(): void; pause(): unknown; resume(): unknown; writableLength: number };
}

interface WebSocketFrame {
  FIN: boolean;
  RSV1: boolean;
  opcode: number;
  payload: Buffer;
}

/** Of one frame, and of one message in fragments. Replies seen have under 1 MB zipped. */
const maxBytes = 16 * 1024 * 1024;
/** What may wait for Steam to read it. The largest request, 5,000 ids, has under 100 KB. */
const maxUnsentBytes = 4 * 1024 * 1024;
/** Of a fragment, beside its payload. */
const bytesPerFragment = 256;
const firstControlOpcode = 8;

/**
 * Limits what a websocket13 stream collects: it waits for the end of a frame or of a message in fragments, however
 * large, inflates permessage-deflate without a limit, and answers every ping, read or not. Each becomes a RangeError,
 * thrown from `_handleData`.
 *
 * Frames are collected here and passed on one by one. websocket13 would copy all that it has with every chunk, which
 * takes nine seconds for 16 MB, and would call itself for every frame of a chunk.
 */
export function limitStream(stream: WebSocketStream): void {
  const { _handleData: handleData, _handleFrame: handleFrame } = stream;
  /** The start of a header. */
  let head: Buffer = Buffer.alloc(0);
  /** The frame that is being read, of which `filled` bytes have come. */
  let frame: Buffer | undefined;
  let filled = 0;
  let messageBytes = 0;

  stream._handleData = (data) => {
    // The stream itself, which looks for another frame after each.
    if (!data) return;
    if ((stream._socket?.writableLength ?? 0) > maxUnsentBytes) {
      throw new RangeError("Steam does not read what it is sent");
    }
    let rest = head.length > 0 ? Buffer.concat([head, data]) : data;
    head = Buffer.alloc(0);
    while (rest.length > 0) {
      if (!frame) {
        const bytes = frameBytes(rest);
        if (bytes === null) {
          head = rest;
          return;
        }
        if (bytes > maxBytes) throw new RangeError(`a websocket frame is larger than ${maxBytes} bytes`);
        frame = Buffer.allocUnsafe(bytes);
        filled = 0;
      }
      const copied = rest.copy(frame, filled);
      filled += copied;
      rest = rest.subarray(copied);
      if (filled < frame.length) return;
      const complete = frame;
      frame = undefined;
      handleData.call(stream, complete);
    }
  };

  stream._handleFrame = (frame) => {
    // Compression is not offered (tunnel-agent.ts), so no honest server uses it.
    if (frame.RSV1) throw new RangeError("a websocket frame is compressed, which was not offered");
    if (frame.opcode < firstControlOpcode) {
      messageBytes += frame.payload.length + bytesPerFragment;
      if (messageBytes > maxBytes) throw new RangeError(`a websocket message is larger than ${maxBytes} bytes`);
      if (frame.FIN) messageBytes = 0;
    }
    handleFrame.call(stream, frame);
  };
}

/** The size of a frame with its header (RFC 6455, 5.2); null when too little of the header has come to tell. */
function frameBytes(start: Buffer): number | null {
  if (start.length < 2) return null;
  const second = start.readUInt8(1);
  const maskBytes = second & 0x80 ? 4 : 0;
  const length = second & 0x7f;
  if (length < 126) return 2 + maskBytes + length;
  if (length === 126) return start.length < 4 ? null : 4 + maskBytes + start.readUInt16BE(2);
  return start.length < 10 ? null : 10 + maskBytes + Number(start.readBigUInt64BE(2));
}
