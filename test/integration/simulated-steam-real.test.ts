import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createCatalog, fromPayloads } from "../support/steam/catalog.ts";
import { readPayloads } from "../support/steam/child.ts";
import { createFaults } from "../support/steam/faults.ts";
import { startAndLogOn } from "../support/steam/in-test.ts";
import { type PicsRequest, picsReply } from "../support/steam/pics-replies.ts";
import { createRequestLog } from "../support/steam/request-log.ts";
import { decodeMessage, eMsg, messages } from "../support/steam/wire.ts";

const shared = new URL("../../../shared/pics/", import.meta.url);

describe.skipIf(!existsSync(shared))(
  "simulated Steam compared with captured replies (skipped where ../shared is absent)",
  () => {
    const captured = (name: string) => decodeMessage(readFileSync(new URL(`wire/${name}.bin`, shared))).body;
    const productInfo = (name: string) =>
      messages.productInfoResponse.decode(captured(`product-info-response-${name}`));
    const nothing = { since: 0, packages: [], tokens: new Map<number, string>() };

    function reply(catalog: ReturnType<typeof createCatalog>, request: PicsRequest): Uint8Array {
      const settings = { latencyMs: 0, changeWindow: 5_000, appsPerMessage: 100, apiKey: "", heartbeatSeconds: 9 };
      const parts = { catalog, log: createRequestLog(true), faults: createFaults() };
      const { bodies } = picsReply({ ...parts, ...settings, httpMinSize: Number.POSITIVE_INFINITY }, request, {
        apps: new Map(),
        reply: null,
      });
      return bodies[0] as Uint8Array;
    }

    it("replies to changes and token requests as Steam did", () => {
      const changes = messages.changesSinceResponse.decode(captured("changes-since-response"));
      const tokens = messages.accessTokenResponse.decode(captured("access-token-response"));
      const catalog = createCatalog(changes.since_change_number);
      for (const { appid, change_number, needs_token } of changes.app_changes ?? [])
        catalog.add({ appid, text: "", changeNumber: change_number, access: needs_token ? "denied" : "public" });
      const since = changes.since_change_number;
      const answer = reply(catalog, {
        ...nothing,
        kind: "changes",
        ids: [],
        replyMsg: eMsg.changesSinceResponse,
        since,
      });
      expect({ ...messages.changesSinceResponse.decode(answer), package_changes: [] }).toEqual({
        ...changes,
        package_changes: [],
      });
      const ids = tokens.app_denied_tokens;
      const denied = reply(createCatalog(), {
        ...nothing,
        kind: "access_tokens",
        ids,
        replyMsg: eMsg.accessTokenResponse,
      });
      expect(messages.accessTokenResponse.decode(denied)).toEqual(tokens);
    });

    it("replies to product info and metadata requests as Steam did", () => {
      const [whole, metadata, partial] = ["480", "480-metadata-only", "440-public-only"].map(productInfo);
      const payloads = [whole, partial].flatMap((answer) =>
        (answer?.apps ?? []).map(({ appid, change_number, buffer = Buffer.of() }) => ({
          appid,
          changeNumber: change_number,
          text: Buffer.from(buffer).toString().slice(0, -1),
        })),
      );
      const catalog = fromPayloads(payloads);
      const ask = (kind: "product_info" | "metadata", appid: number) =>
        messages.productInfoResponse.decode(
          reply(catalog, { ...nothing, kind, ids: [appid], replyMsg: eMsg.productInfoResponse }),
        );
      expect(ask("product_info", 480)).toEqual(whole);
      expect(ask("metadata", 480)).toEqual({ ...metadata, http_host: expect.stringContaining(".steamstatic.com") });
      // The captured request asked for public sections only, so that nothing was missing; this one asks for all.
      const [publicPart] = partial?.apps ?? [];
      expect(ask("product_info", 440).apps).toEqual([{ ...publicPart, missing_token: true }]);
    });

    it("transfers every real payload unchanged", async () => {
      const payloads = readPayloads(fileURLToPath(new URL("appinfo.jsonl.gz", shared)));
      const { client } = await startAndLogOn({ catalog: fromPayloads(payloads) });
      const apps = (await client.productInfo(payloads.map(({ appid }) => appid))).flatMap((part) => part.apps);
      expect(apps).toHaveLength(payloads.length);
      const texts = new Map(payloads.map(({ appid, text }) => [appid, text]));
      for (const { appid, buffer, sha } of apps) {
        const text = Buffer.from(buffer ?? []).subarray(0, -1);
        expect(text.toString()).toBe(texts.get(appid));
        expect(createHash("sha1").update(text).digest()).toEqual(Buffer.from(sha));
      }
    });
  },
);
