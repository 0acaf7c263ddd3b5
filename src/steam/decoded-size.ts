/** CMsgClientPICSProductInfoResponse: the blocks of apps (1) and packages (3) hold texts. */
const productInfoResponse = 8904;
const blockFields: ReadonlySet<number> = new Set([1, 3]);
/** Of an object, several times over: steam-user converts every message twice. */
const bytesPerField = 256;
/** A packed list may hold a number in each byte, a block of another kind a field in every two. */
const bytesPerByte = 32;

/**
 * Estimates, from above, the memory that a message takes once it is decoded. Its size alone does not tell: 16 MB of empty
 * app blocks (two bytes each) become eight million objects.
 *
 * Reads the top-level fields of the protobuf `body` without decoding them. Throws RangeError when it is malformed.
 */
export function decodedBytes(message: number, body: Uint8Array): number {
  let at = 0;
  let total = 0;
  const varint = () => {
    // Every varint that matters here, tag or length, fits 32 bits; of longer ones only the end is looked for.
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = body[at];
      if (byte === undefined) throw new RangeError("a message ends inside a field");
      at += 1;
      if (shift < 32) value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < body.length) {
    const tag = varint();
    const wireType = tag % 8;
    total += bytesPerField;
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = varint();
      const isBlock = message === productInfoResponse && blockFields.has(Math.floor(tag / 8));
      total += isBlock ? length : length * bytesPerByte;
      at += length;
    } else throw new RangeError(`a message holds a field of wire type ${wireType}`);
  }
  if (at > body.length) throw new RangeError("a message ends inside a field");
  return total;
}
