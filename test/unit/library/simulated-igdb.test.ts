/**
 * Guards the fidelity of the simulated Twitch and IGDB: a client must not pass here that the real ones would refuse.
 */
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type FakeClock, startFakeClock } from "../../support/fake-clock.ts";
import { createSimulatedIgdb, type SimulatedIgdb } from "../../support/web/igdb.ts";
import { asFetch } from "../../support/web/web-api.ts";

let clock: FakeClock;
let igdb: SimulatedIgdb;
beforeEach(() => {
  clock = startFakeClock();
  onTestFinished(clock.restore);
  igdb = createSimulatedIgdb();
});

describe("the simulated IGDB", () => {
  const get = (path: string, body: string, token = igdb.tokens.at(-1)) =>
    asFetch(...igdb.apis)(`https://api.igdb.com/v4/${path}`, {
      method: "POST",
      headers: { "client-id": igdb.clientId, authorization: `Bearer ${token}` },
      body,
    });
  const getToken = async (given: Record<string, string> = {}) => {
    const { clientId: client_id, clientSecret: client_secret } = igdb;
    const body = new URLSearchParams({ client_id, client_secret, grant_type: "client_credentials", ...given });
    return await asFetch(...igdb.apis)("https://id.twitch.tv/oauth2/token", { method: "POST", body });
  };

  it("answers wrong credentials and tokens like the real services", async () => {
    expect(await (await getToken({ client_secret: "x" })).json()).toEqual({
      status: 403,
      message: "invalid client secret",
    });
    expect(await (await getToken({ client_id: "x" })).json()).toEqual({ status: 400, message: "invalid client" });
    expect((await get("games", "fields id;", "none")).status).toBe(401);
    expect(await (await getToken()).json()).toMatchObject({ access_token: igdb.tokens[0], token_type: "bearer" });
    expect((await get("games", "fields id;")).status).toBe(200);
  });

  it("answers 400 to unsupported syntax", async () => {
    igdb = createSimulatedIgdb({ perSecond: 100 });
    await getToken();
    const bad = [
      ["external_games", "fields uid; where uid = (620);"],
      ["external_games", "fields uid; limit 501;"],
      ["external_games", "fields uid"],
      ["external_games", 'fields uid; where uid = ("620"'],
      ["external_games", "fields uid; where external_game_source = 1 | uid = 2;"],
      ["external_games", "fields uid; sort uid desc;"],
      ["games", 'search "portal"; fields name;'],
      ["games", 'fields name; where name = ("a"b");'],
      ["games", "fields name; where category = 1;"],
      ["platforms", "fields name;"],
    ];
    for (const [path = "", body = ""] of bad) {
      const reply = await get(path, body);
      expect([body, reply.status, await reply.json()]).toEqual([
        body,
        400,
        [expect.objectContaining({ title: "Syntax Error" })],
      ]);
    }
    expect(igdb.queries).toEqual([]);
  });

  it("defaults to ten rows of bare ids, and finds nothing by the deprecated category", async () => {
    const numbers = Array.from({ length: 30 }, (_, i) => i + 1);
    Object.assign(igdb.dump, {
      games: numbers.map((id) => ({ id, name: `Game ${id}`, slug: `game-${id}` })),
      externalGames: numbers.map((id) => ({ id, uid: String(id * 10), external_game_source: 1, game: id })),
    });
    await getToken();
    const rows = (await (await get("external_games", "fields uid,game;")).json()) as object[];
    expect([rows.length, rows[0]]).toEqual([10, { id: 1, uid: "10", game: 1 }]);
    expect(await (await get("external_games", "fields uid; where category = 1;")).json()).toEqual([]);
  });
});
