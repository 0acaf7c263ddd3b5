import { expect, test } from "vitest";
import { type Bomb, bombs } from "../../support/steam/bombs.ts";
import { appText, startHarness } from "./harness.ts";

const megabyte = 1024 * 1024;

/** Part of the reason for which the connection ends. */
const reasons: Record<Bomb, string> = {
  unzips_to_more: "Cannot create a Buffer larger than 4096 bytes",
  unzips_to_less: "instead of",
  unzips_to_1_gb: "unzips to more than",
  nested: "nested too deeply",
  many_messages: "too many messages",
  empty_message: "message of 0 bytes",
  message_beyond_end: "message of 4294967295 bytes",
  many_fields: "a message is too large",
  endless_reply: "too large or does not end",
  endless_frame: "websocket frame is larger than",
  endless_fragments: "websocket message is larger than",
  compressed_frame: "compressed, which was not offered",
  unread_pongs: "does not read",
};

test.each(bombs)(
  "ends the connection on a reply that is a bomb, and reconnects (%s)",
  async (how) => {
    await using harness = await startHarness({ pics: { timeoutMs: 20_000 }, session: { requestTimeoutMs: 20_000 } });
    const { pics, steam, session, lines, escaped } = harness;
    await session.ready();
    steam.faults.add({ kind: "bomb", how });
    const before = process.memoryUsage().rss;
    expect((await pics.productInfo([{ appid: 10 }])).apps).toMatchObject([{ text: appText(10) }]);
    expect(process.memoryUsage().rss - before).toBeLessThan(500 * megabyte);
    expect(steam.log.bytesSent).toBeLessThan(60 * megabyte);
    expect(steam.log.counts).toMatchObject({ logon: 2, product_info: 2 });
    expect(lines).toContainEqual(expect.objectContaining({ msg: expect.stringContaining(reasons[how]) }));
    expect(escaped).toEqual([]);
  },
  30_000,
);

test.each(["unzips_to_1_gb", "endless_reply"] satisfies Bomb[])(
  "fails a request that is answered by a bomb three times (%s)",
  async (how) => {
    await using harness = await startHarness();
    const { pics, steam } = harness;
    steam.faults.add({ kind: "bomb", how, times: 9, appids: [10] });
    await expect(pics.productInfo([{ appid: 10 }])).rejects.toMatchObject({ fault: "protocol" });
    expect(steam.log.counts.product_info).toBe(3);
    expect((await pics.productInfo([{ appid: 20 }])).apps).toMatchObject([{ text: appText(20) }]);
  },
  30_000,
);

test("does not read a server list without an end, and none that is damaged or names no servers", async () => {
  const faults = (["endless", "bad_gzip", "no_endpoints"] as const).map((how) => ({ kind: "cm_list", how }) as const);
  await using harness = await startHarness({ faults });
  await harness.session.ready();
  expect(harness.session.status().reconnect_attempts).toBe(3);
  expect(harness.steam.log.httpBytesSent).toBeLessThan(20 * megabyte);
  const warnings = harness.lines.filter(({ msg }) => msg.includes("list of Steam servers")).map(({ msg }) => msg);
  expect(warnings).toEqual([
    expect.stringContaining("larger than 4194304 bytes"),
    expect.stringContaining("api.steampowered.com"),
    expect.stringContaining("no usable server"),
  ]);
  expect(harness.escaped).toEqual([]);
});
