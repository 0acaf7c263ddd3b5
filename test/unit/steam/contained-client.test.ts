import { Agent } from "node:https";
import SteamUser from "steam-user";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SteamError } from "../../../src/process/errors.ts";
import { contain, type ProtectedSteamUser } from "../../../src/steam/contained-client.ts";
import { createRandom } from "../../support/steam/random.ts";

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

/** A contained instance that believes itself connected. `hear` is what its socket would call. */
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

test("a Multi that ends in the middle of a length ends the connection", async () => {
  const { ends, hear } = connected();
  hear(multi(Buffer.from([1, 2])));
  await settled();
  expect(ends).toMatchObject([{ fault: "protocol", cause: expect.any(RangeError) }]);
  expect(escaped).toEqual([]);
});

test("random bytes end the connection at most once, and nothing escapes", async () => {
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

test("a logoff that came before the close tells why", async () => {
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

test("messages that nobody asked for do not run their handlers", () => {
  const { client, ends, hear } = connected();
  const seen: unknown[] = [];
  client.on("accountInfo", (...args) => seen.push(args));
  // ClientAccountInfo (768)
  hear(Buffer.from([0x00, 0x03, 0x00, 0x80, 0, 0, 0, 0, 0x0a, 1, 0x61]));
  expect(seen).toEqual([]);
  expect(ends).toEqual([]);
});
