import { Agent } from "node:https";
import { gzipSync } from "node:zlib";
import SteamUser from "steam-user";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SteamError } from "../../../src/process/errors.ts";
import { contain, type ProtectedSteamUser } from "../../../src/steam/contained-client.ts";
import { nestedMulti } from "../../support/steam/bombs.ts";
import { createRandom } from "../../support/steam/random.ts";
import { eMsg, encodeMessage, encodeMulti, joinMessages, messages } from "../../support/steam/wire.ts";

const escaped: unknown[] = [];
const onEscape = (error: unknown) => escaped.push(error);
beforeEach(() => {
  escaped.length = 0;
  process.on("unhandledRejection", onEscape);
  process.on("uncaughtException", onEscape);
});
afterEach(() => {
  process.off("unhandledRejection", onEscape);
  process.off("uncaughtException", onEscape);
});

/** A contained instance in connected state. `hear` delivers bytes as its socket would. */
function connected() {
  const options = { autoRelogin: false, dataDirectory: null };
  const client = new SteamUser(options) as unknown as ProtectedSteamUser;
  const ends: SteamError[] = [];
  const { end } = contain(client, new Agent(), {
    onMessage() {},
    onLoggedOn() {},
    onEnd: (reason) => ends.push(reason),
  });
  const connection = { connectionType: "WS", connectionId: 1, end() {}, send() {} };
  Object.assign(client, { _connection: connection, steamID: { toString: () => "0" } });
  return { client, end, ends, connection, hear: (bytes: Buffer) => client._handleNetMessage(bytes, connection) };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A Multi without zip: protobuf bit, no header, field 2 (message_body). */
function multi(body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE((1 | 0x80000000) >>> 0, 0);
  return Buffer.concat([head, Buffer.from([0x12, body.length]), body]);
}

test("ends the connection on a truncated Multi", async () => {
  const { ends, hear } = connected();
  hear(multi(Buffer.from([1, 2])));
  await settled();
  expect(ends).toMatchObject([{ fault: "protocol", cause: expect.any(RangeError) }]);
  expect(escaped).toEqual([]);
});

test("ends the connection at most once on random bytes, and no error escapes", async () => {
  const random = createRandom(11);
  let ended = 0;
  for (let i = 0; i < 300; i += 1) {
    const { client, ends, end, hear } = connected();
    const bytes = Buffer.from(random.hex(2 * random.int(0, 80)), "hex");
    hear(random.chance(0.5) ? bytes : multi(bytes));
    hear(bytes);
    await new Promise(setImmediate);
    expect(ends.length).toBeLessThanOrEqual(1);
    ended += ends.length;
    end({} as SteamError);
    expect(ends.length).toBe(1);
    expect(client.eventNames()).toEqual(["error"]);
  }
  await settled();
  expect(ended).toBeGreaterThan(50);
  expect(escaped).toEqual([]);
});

test("reports the reason of a logoff that came before the close", async () => {
  const { client, connection, ends, hear } = connected();
  // ClientLoggedOff (757), eresult 34, inside a Multi that is still being read when the socket closes.
  const loggedOff = Buffer.from([0xf5, 0x02, 0x00, 0x80, 0, 0, 0, 0, 0x08, 34]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(loggedOff.length);
  hear(multi(Buffer.concat([length, loggedOff])));
  client._handleConnectionClose(connection);
  await settled();
  expect(ends).toMatchObject([{ fault: "disconnected", eresult: 34 }]);
});

/** Answers job `id`, for which `client` has a callback that records the id. */
function answer(id: number): Buffer {
  const body = messages.changesSinceResponse.encode({ current_change_number: id, since_change_number: 0 });
  return encodeMessage(eMsg.changesSinceResponse, { jobid_target: String(id) }, body);
}

function recordAnswers(client: ProtectedSteamUser, ids: number[]): number[] {
  const answered: number[] = [];
  const jobs = client._jobs as unknown as { add(id: string, callback: () => void): void };
  for (const id of ids) jobs.add(String(id), () => answered.push(id));
  return answered;
}

test("handles the messages of a nested Multi in their place, and those that come meanwhile afterwards", async () => {
  const { client, ends, hear } = connected();
  const answered = recordAnswers(client, [1, 2, 3, 4, 5, 6, 7, 8]);
  const zipped = joinMessages([answer(2), answer(3)]);
  const inner = encodeMulti(gzipSync(zipped), zipped.length);
  hear(encodeMulti(joinMessages([answer(1), inner, answer(4)]), 0));
  hear(answer(5));
  hear(encodeMulti(joinMessages([answer(6)]), 0));
  hear(answer(7));
  await expect.poll(() => answered).toEqual([1, 2, 3, 4, 5, 6, 7]);
  hear(answer(8));
  expect(answered.at(-1)).toBe(8);
  expect(ends).toEqual([]);
});

test("ends the connection on a Multi inside of a Multi inside of a Multi", async () => {
  for (const [depth, isTooDeep] of [
    [1, false],
    [2, false],
    [3, true],
    [500, true],
  ] as const) {
    const { client, ends, hear } = connected();
    const answered = recordAnswers(client, [1]);
    hear(nestedMulti(answer(1), depth));
    await expect.poll(() => answered.length + ends.length).toBe(1);
    expect(ends.map(({ fault }) => fault)).toEqual(isTooDeep ? ["protocol"] : []);
  }
});

test("does not run handlers of messages that were not requested", () => {
  const { client, ends, hear } = connected();
  const seen: unknown[] = [];
  client.on("accountInfo", (...args) => seen.push(args));
  // ClientAccountInfo (768)
  hear(Buffer.from([0x00, 0x03, 0x00, 0x80, 0, 0, 0, 0, 0x0a, 1, 0x61]));
  expect(seen).toEqual([]);
  expect(ends).toEqual([]);
});
