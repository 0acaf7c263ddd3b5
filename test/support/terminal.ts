import { PassThrough } from "node:stream";
import { createOutput, type Output } from "../../src/process/logger.ts";

/** An output that believes to be a terminal of 80 columns, and what was written to it since the last look. */
export function createTerminal(): { output: Output; text: () => string } {
  const stream = new PassThrough();
  Object.assign(stream, { isTTY: true, columns: 80 });
  return { output: createOutput(stream as unknown as NodeJS.WriteStream), text: () => String(stream.read() ?? "") };
}
