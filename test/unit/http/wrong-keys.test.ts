import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { createWrongKeyLimit } from "../../../src/http/wrong-keys.ts";
import { createLogger, createOutput } from "../../../src/process/logger.ts";

function start() {
  const stream = new PassThrough() as unknown as NodeJS.WriteStream;
  const clock = { now: 1_000_000 };
  const logger = createLogger({ level: "info", output: createOutput(stream) });
  return {
    clock,
    limit: createWrongKeyLimit({ logger, now: () => clock.now }),
    lines: () =>
      String(stream.read() ?? "")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
}

it("allows ten wrong keys a minute per client, and says when the next one is answered", () => {
  const { clock, limit } = start();
  for (let n = 0; n < 10; n++) expect(limit.count("192.0.2.1")).toBeNull();
  clock.now += 20_500;
  expect(limit.count("192.0.2.1")).toBe(40);
  expect(limit.count("192.0.2.2")).toBeNull();
  clock.now += 39_500;
  expect(limit.count("192.0.2.1")).toBeNull();
});

it("logs one line a minute with the number and the last address", () => {
  const { clock, limit, lines } = start();
  for (let n = 0; n < 5_000; n++) limit.count(`192.0.2.${n % 200}`);
  expect(lines()).toMatchObject([{ level: "warn", count: 1, address: "192.0.2.0" }]);
  clock.now += 60_000;
  limit.count("192.0.2.9");
  expect(lines()).toMatchObject([{ count: 5_000, address: "192.0.2.9", message: expect.stringContaining("5000") }]);
});

it("remembers a bounded number of clients", () => {
  const { limit } = start();
  for (let n = 0; n < 11; n++) limit.count("192.0.2.1");
  for (let n = 0; n < 9_999; n++) limit.count(`client ${n}`);
  expect(limit.count("192.0.2.1")).toBe(60);
  limit.count("one more");
  expect(limit.count("192.0.2.1")).toBeNull();
});
