import { PassThrough } from "node:stream";
import { createOutput, type Output } from "../../src/process/logger.ts";

/** A fake terminal of 80 columns; `text` returns what was written to it since the last call. */
export function createTerminal(): { output: Output; text: () => string } {
  const stream = new PassThrough();
  Object.assign(stream, { isTTY: true, columns: 80 });
  return { output: createOutput(stream as unknown as NodeJS.WriteStream), text: () => String(stream.read() ?? "") };
}
