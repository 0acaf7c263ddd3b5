import { hash, randomUUID } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { forEachDatabase } from "../../support/databases.ts";
import { applied, record, useCatalog } from "./catalog.ts";

const info = (text: string) => ({
  sha1: hash("sha1", text),
  size: Buffer.byteLength(text),
  data: deflateSync(text).toString("base64"),
});

forEachDatabase("kept app info", (open) => {
  const { mark, claim, apply, store, status, sql, call } = useCatalog(open);

  /** The text and the change number that are kept of an app; null when none is. */
  const kept = async (appid: number) => {
    const [row] = await sql<{ change_number: string; sha1: string; size: number; partial: boolean; data: string }>(
      "select change_number::text, sha1, size, partial, encode(data, 'base64') as data from app_info where appid = $1",
      [appid],
    );
    if (!row) return null;
    const text = inflateSync(Buffer.from(row.data, "base64")).toString();
    expect([row.sha1, row.size]).toEqual([hash("sha1", text), Buffer.byteLength(text)]);
    return [text, Number(row.change_number), row.partial ? "partial" : "whole"];
  };

  test("is the text of the stored version, also when it is stored again with equal numbers", async () => {
    await store(record(10, 500, { info: info("one") }));
    expect(await kept(10)).toEqual(["one", 500, "whole"]);
    await store(record(10, 501, { info: info("two \\ \u{1F600}") }));
    expect(await kept(10)).toEqual(["two \\ \u{1F600}", 501, "whole"]);
    await store(record(10, 501, { info: info("three") }));
    expect(await kept(10)).toEqual(["three", 501, "whole"]);
  });

  test("is not replaced by an older or a partial one, and a partial one is by any", async () => {
    await store(record(10, 500, { info: info("part"), partial: true }));
    expect(await kept(10)).toEqual(["part", 500, "partial"]);
    await store(record(10, 501, { info: info("whole") }));
    await store(record(10, 502, { info: info("part"), partial: true }));
    expect(await kept(10)).toEqual(["whole", 501, "whole"]);

    await mark([[10, 503]]);
    const { lease } = await claim();
    expect(await apply(lease, { apps: [record(10, 400, { info: info("stale") })] })).toEqual(applied({ stale: 1 }));
    expect(await kept(10)).toEqual(["whole", 501, "whole"]);
  });

  test("is deleted by a worker that keeps none, unless it is that of the same version", async () => {
    await store(record(10, 500, { info: info("one") }), record(20, 500, { info: info("two") }));
    await store(record(10, 500), record(20, 501));
    expect([await kept(10), await kept(20)]).toEqual([["one", 500, "whole"], null]);
  });

  describe("read again", () => {
    const claimKept = (
      given: { lease?: string; max?: number; after?: number; version?: number; seconds?: number } = {},
    ) => {
      const { lease = randomUUID(), max = 100, after = 0, version = 4, seconds = 60 } = given;
      const request = { lease_id: lease, max, lease_seconds: seconds, extractor_version: version, after, except: [] };
      return call<{ apps: { appid: number }[]; due_in_seconds: number | null }>("pics_claim_kept", request).then(
        (reply) => ({ ...reply, lease, appids: reply.apps.map(({ appid }) => appid) }),
      );
    };
    const outdated = () => call("pics_outdated", { extractor_version: 4 });
    const reextract = (lease: string, apps: object[]) =>
      call("pics_apply", { request_id: randomUUID(), lease_id: lease, apps, extractor_version: 4, is_reextract: true });

    test("claims apps with a text of the stored version that an older extractor read, in order", async () => {
      const partial = { partial: true, info: info("x") };
      await store(...[10, 20, 30].map((appid) => record(appid, 500, { info: info("x") })), record(40, 500));
      await store(record(50, 500, { info: info("x") }));
      await store(record(50, 501, partial));
      await sql("update sync_status set extractor_version = 4 where appid = 20");
      expect(await outdated()).toEqual({ kept: 2, not_kept: 2, skipped: 0 });

      const first = await claimKept({ max: 1 });
      expect(first.apps).toEqual([{ appid: 10, change_number: 500, partial: false, data: expect.any(String) }]);
      expect((await claimKept({ lease: first.lease })).appids).toEqual([10]);
      expect((await claimKept()).appids).toEqual([30]);
      const last = await claimKept();
      expect(last.appids).toEqual([]);
      expect(last.due_in_seconds).toBeGreaterThan(50);
      expect((await claimKept({ version: 3 })).due_in_seconds).toBeNull();
    });

    test("writes the record and the version, and neither marks, attempts, times nor history", async () => {
      await store(record(10, 500, { info: info("x") }), record(20, 500, { info: info("x") }));
      await sql("update sync_status set extractor_version = 2");
      await mark([[10, 510]]);
      await sql(
        "update sync_status set attempts = 3, last_error = 'odd', next_attempt_at = now() + interval '1 hour' where appid = 10",
      );
      const before = await status(10);
      const { lease } = await claimKept();
      expect(
        await reextract(lease, [record(10, 500, { vr_support: "only" }), record(20, 500, { vr_support: "only" })]),
      ).toEqual(applied({ stored: 2 }));
      expect(await status(10)).toEqual({ ...before, extractor_version: 4 });
      expect(await sql("select vr_support from apps")).toEqual([{ vr_support: "only" }, { vr_support: "only" }]);
      expect(await sql("select 1 from app_changes")).toEqual([]);
      expect(await kept(10)).toEqual(["x", 500, "whole"]);
      expect(await outdated()).toEqual({ kept: 0, not_kept: 0, skipped: 0 });
    });

    test("gives back what failed or was not read, and what a dead worker held", async () => {
      await store(...[10, 20].map((appid) => record(appid, 500, { info: info("x") })));
      await mark([[20, 510]]);
      await sql("update sync_status set attempts = 2, next_attempt_at = now() + interval '1 hour' where appid = 20");
      const before = await status(20);
      const { lease } = await claimKept();
      await call("pics_apply", {
        request_id: randomUUID(),
        lease_id: lease,
        failed: [{ appid: 10, error: "damaged" }],
        extractor_version: 4,
        is_reextract: true,
      });
      expect(await status(10)).toMatchObject({
        last_error: null,
        next_attempt_at: null,
        lease_id: null,
        extractor_version: 3,
      });
      await call("pics_release", { lease_id: lease, is_counted: false });
      expect(await status(20)).toEqual(before);

      await claimKept({ seconds: 0 });
      expect((await claimKept()).appids).toEqual([10, 20]);
    });
  });
});
