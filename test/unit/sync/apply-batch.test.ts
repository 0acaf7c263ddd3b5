import { hash } from "node:crypto";
import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { CatalogStore } from "../../../src/db/catalog-store.ts";
import type { ApplyReply, ApplyRequest, ClaimedApp } from "../../../src/db/sync-calls.ts";
import { DatabaseError, SteamError } from "../../../src/process/errors.ts";
import type { AccessTokens, AppPayload, AppRequest, Pics } from "../../../src/steam/port.ts";
import { applyBatch } from "../../../src/sync/apply-batch.ts";
import { silent } from "../../support/templates.ts";

const claimed = (appid: number, more: Partial<ClaimedApp> = {}): ClaimedApp => ({
  appid,
  change_number: 100,
  attempts: 0,
  access_token: null,
  needs_token: false,
  token_denied: false,
  ...more,
});
const payload = (appid: number, more: Partial<AppPayload> = {}): AppPayload => ({
  appid,
  changeNumber: 100,
  missingToken: false,
  onlyPublic: false,
  text: `"appinfo"\n{\n"appid" "${appid}"\n"common"\n{\n"name" "App ${appid}"\n}\n}`,
  bytes: null,
  error: null,
  ...more,
});

function evenAreGranted(appids: readonly number[]): AccessTokens {
  const granted = appids.filter((appid) => appid % 2 === 0);
  return {
    granted: new Map(granted.map((appid) => [appid, `token ${appid}`])),
    denied: appids.filter((appid) => appid % 2 === 1),
  };
}

/** A store that accepts every batch for which `refuse` does not throw, and records it. */
function setUp(
  refuse: (request: ApplyRequest) => void = () => {},
  answer: (apps: readonly AppRequest[]) => AppPayload[] = (apps) => apps.map(({ appid }) => payload(appid)),
  answerTokens: (appids: readonly number[]) => AccessTokens = evenAreGranted,
) {
  const written: ApplyRequest[] = [];
  const asked: (readonly AppRequest[])[] = [];
  const store: Pick<CatalogStore, "apply"> = {
    async apply(request): Promise<ApplyReply> {
      refuse(request);
      written.push(request);
      return {
        stored: request.apps.length,
        stale: 0,
        unknown: request.unknown.length,
        unconfirmed: 0,
        skipped: 0,
        withheld: 0,
        failed: request.failed.length,
        lease_lost: 0,
        doubted: [],
        mass_unknown: false,
      };
    },
  };
  const pics: Pick<Pics, "productInfo" | "accessTokens"> = {
    async productInfo(apps) {
      asked.push(apps);
      return { apps: answer(apps), unknown: [] };
    },
    accessTokens: async (appids) => answerTokens(appids),
  };
  const renewals: number[] = [];
  const lease = {
    id: "lease",
    signal: new AbortController().signal,
    renew: async () => void renewals.push(1),
    end() {},
  };
  const deps = {
    pics: pics as Pics,
    store: store as CatalogStore,
    logger: silent,
    upsertBatchSize: 500,
    appBackoff: { firstMs: 1, maxMs: 10 },
    unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
    keep: { appInfo: true, depots: true },
    history: true,
  };
  const run = (apps: ClaimedApp[], more = {}) => applyBatch({ ...deps, ...more }, lease, apps);
  return { run, written, asked, renewals };
}

const sizes = (written: ApplyRequest[]) => written.map((request) => request.apps.length);
const many = (count: number) => Array.from({ length: count }, (_, index) => claimed(index + 1));

describe("applyBatch: write", () => {
  it("bisects a batch that the database does not finish in time", async () => {
    const { run, written } = setUp((request) => {
      if (request.apps.length > 60) throw new DatabaseError("timeout", "57014", "canceling statement");
    });
    expect(await run(many(200))).toMatchObject({ stored: 200, failed: 0 });
    expect(sizes(written)).toEqual([50, 50, 50, 50]);
  });

  it("bisects until the poison app is alone, records it and writes all others", async () => {
    const { run, written } = setUp((request) => {
      if (request.apps.some((app) => app.appid === 77)) throw new DatabaseError("data", "22003", "out of range");
    });
    const outcome = await run(many(200));
    expect(outcome).toMatchObject({ stored: 199, failed: 1 });
    const refused = { appid: 77, error: expect.stringContaining("22003") };
    expect(outcome.failures).toEqual([{ ...refused, step: "apply" }]);
    expect(written.flatMap((request) => request.failed)).toEqual([refused]);
  });

  it("writes at most upsertBatchSize apps at once", async () => {
    const { run, written } = setUp();
    await run(many(25), { upsertBatchSize: 10 });
    expect(sizes(written)).toEqual([10, 10, 5]);
  });

  it("does not bisect for a fault that does not depend on the apps", async () => {
    const { run } = setUp(() => {
      throw new DatabaseError("denied", "42501", "no");
    });
    await expect(run(many(4))).rejects.toMatchObject({ fault: "denied" });
  });
});

describe("applyBatch: fetch", () => {
  // Each flag alone says that a part is withheld.
  it.each([
    { missingToken: true, onlyPublic: true },
    { missingToken: true, onlyPublic: false },
    { missingToken: false, onlyPublic: true },
  ])("requests tokens once, requests the granted apps again, and records denied tokens (%o)", async (flags) => {
    const { run, written, asked, renewals } = setUp(undefined, (apps) =>
      apps.map(({ appid, accessToken }) =>
        accessToken
          ? payload(appid, { text: payload(appid).text?.replace("App", "Whole") ?? null })
          : payload(appid, flags),
      ),
    );
    await run([claimed(1), claimed(2), claimed(3, { token_denied: true }), claimed(4, { access_token: "kept" })]);

    expect(asked).toHaveLength(2);
    expect(asked[1]).toEqual([{ appid: 2, accessToken: "token 2" }]);
    // Before each request, since it may wait for its turn.
    expect(renewals).toHaveLength(3);
    const [request] = written;
    expect(request?.tokens).toEqual([
      { appid: 1, access_token: null },
      { appid: 2, access_token: "token 2" },
    ]);
    expect(request?.apps.map(({ appid, name, missing_token }) => [appid, name, missing_token])).toEqual([
      [1, "App 1", true],
      [2, "Whole 2", false],
      [3, "App 3", true],
      [4, "Whole 4", false],
    ]);
  });

  it("marks an app as missing a token when only its text says that a part is withheld", async () => {
    const { run, written } = setUp(undefined, (apps) =>
      apps.map(({ appid }) =>
        payload(appid, { text: payload(appid).text?.replace('"common"', '"public_only" "1"\n"common"') ?? null }),
      ),
    );
    await run([claimed(1)]);
    expect(written[0]?.apps).toMatchObject([{ partial: true, missing_token: true }]);
  });

  it("requests tokens first for apps that are known to need one", async () => {
    const { run, asked, written } = setUp();
    await run([
      claimed(1, { needs_token: true }),
      claimed(2, { needs_token: true }),
      claimed(4, { needs_token: true, access_token: "kept" }),
    ]);
    expect(asked).toEqual([
      [
        { appid: 1, accessToken: null },
        { appid: 2, accessToken: "token 2" },
        { appid: 4, accessToken: "kept" },
      ],
    ]);
    expect(written[0]?.tokens).toHaveLength(2);
  });

  it("fails the apps of an unanswered request, without failing the batch", async () => {
    const { run, written } = setUp(undefined, () => {
      throw new SteamError("timeout", "no reply within 60 s");
    });
    expect(await run(many(3))).toMatchObject({ stored: 0, failed: 3 });
    expect(written[0]?.failed.map(({ error }) => error)).toEqual(Array(3).fill("no reply within 60 s"));
  });

  describe("what Steam leaves unanswered", () => {
    const askAgain = { rounds: 4, backoff: { firstMs: 1, maxMs: 2 } };

    it("is requested again in smaller parts, and fails its app in the end", async () => {
      const { run, asked } = setUp(undefined, (apps) =>
        // App 3 is never answered, and every request of more than two apps lacks its second half.
        apps
          .filter((_, index) => apps.length <= 2 || index < apps.length / 2)
          .filter(({ appid }) => appid !== 3)
          .map(({ appid }) => payload(appid)),
      );
      const outcome = await run(many(8), { askAgain });
      expect(outcome).toMatchObject({ stored: 7, failed: 1 });
      expect(outcome.failures).toEqual([
        { appid: 3, error: expect.stringContaining("did not mention"), step: "fetch", silent: true },
      ]);
      expect(Math.max(...asked.slice(1).map((apps) => apps.length))).toBeLessThanOrEqual(4);
    });

    it("ends a round: no further requests to a Steam that answers nothing", async () => {
      const { run, asked } = setUp(undefined, () => []);
      const outcome = await run(many(8), { askAgain });
      expect(outcome).toMatchObject({ stored: 0, failed: 8 });
      expect(asked.map((apps) => apps.length)).toEqual([8, 4, 2, 1]);
    });

    it("is stored when Steam answers in a later round", async () => {
      let requests = 0;
      const { run } = setUp(undefined, (apps) => (++requests < 4 ? [] : apps.map(({ appid }) => payload(appid))));
      expect(await run(many(8), { askAgain })).toMatchObject({ stored: 8, failed: 0, failures: [] });
    });

    it("about the token of an app that needs one fails the app, and leaves what is stored", async () => {
      const { run, written } = setUp(
        undefined,
        (apps) => apps.map(({ appid }) => payload(appid, { missingToken: appid < 3, onlyPublic: appid < 3 })),
        (appids) => ({ granted: new Map(), denied: appids.filter((appid) => appid === 2) }),
      );
      const outcome = await run(many(4), { askAgain });
      expect(outcome.failures).toEqual([
        { appid: 1, error: expect.stringContaining("access token"), step: "fetch", silent: true },
      ]);
      expect(written[0]?.apps.map(({ appid }) => appid)).toEqual([2, 3, 4]);
      expect(written[0]?.tokens).toEqual([{ appid: 2, access_token: null }]);
    });
  });

  it("fails an app without a text and one with a truncated text, and stores the others", async () => {
    const { run, written } = setUp(undefined, (apps) =>
      apps.map(({ appid }) =>
        appid === 1
          ? payload(1, { text: null, error: "no buffer" })
          : appid === 2
            ? payload(2, { text: '"appinfo"\n{\n"appid" "2' })
            : payload(appid),
      ),
    );
    expect(await run(many(3))).toMatchObject({ stored: 1, failed: 2 });
    expect(written[0]?.failed).toEqual([
      { appid: 1, error: "no buffer" },
      { appid: 2, error: expect.stringContaining("line 3") },
    ]);
  });

  it("keeps the bytes of a text, short or longer than is deflated at once, with size and SHA-1", async () => {
    const sizes = [1, 64 * 1024, 64 * 1024 + 1, 1_200_000];
    const bytesOf = (appid: number) => Buffer.alloc(sizes[appid - 1] ?? 0, `text of app ${appid} \u00fc`);
    const { run, written } = setUp(undefined, (apps) =>
      apps.map(({ appid }) => payload(appid, { bytes: bytesOf(appid) })),
    );
    await run(many(sizes.length));
    const kept = written[0]?.apps.map(({ appid, info }) => {
      const text = inflateSync(Buffer.from(info?.data ?? "", "base64"));
      return [appid, info?.size, info?.sha1, text.equals(bytesOf(appid))];
    });
    expect(kept).toEqual(sizes.map((size, index) => [index + 1, size, hash("sha1", bytesOf(index + 1)), true]));
  });
});
