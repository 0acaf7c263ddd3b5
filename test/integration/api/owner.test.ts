import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { appView } from "../../../src/catalog/views.ts";
import { askOwner } from "../../../src/catalog-source/owner-http.ts";
import type { DataDirOwner } from "../../../src/db/owner-lock.ts";
import { ConfigError, DatabaseError, NotFoundError } from "../../../src/process/errors.ts";
import { openTestDatabase } from "../../support/databases.ts";
import { freePort } from "../../support/free-port.ts";
import { fill, hostileName, serve } from "./harness.ts";

/** The embedded database as the command line reads it beside its owner: over the owner's HTTP. */

function ask(base: string, apiKey: string | null = null) {
  const owner = { id: "3f1c", host: "box", pid: 7, space: null, started: null, address: base, since: "" };
  return askOwner("./data", owner satisfies DataDirOwner, apiKey);
}

/** A server that answers everything so. */
async function answering(status: number, body: string): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("the owner of the data folder", () => {
  it("tells apps, which of them it does not store, and how it is", async () => {
    const database = await openTestDatabase("postgres");
    onTestFinished(() => database.close());
    await fill(database, 5);
    const { base } = await serve(database, { apiKey: "owner-key-1234" });
    const source = ask(base, "owner-key-1234");
    expect(source.name).toBe(`the folder ./data, read through process 7 on box (${base})`);
    expect(appView.parse(await source.app(1))).toMatchObject({ appid: 1, name: hostileName });
    expect(await source.app(2_000_000_000)).toBeNull();
    expect(await source.status()).toMatchObject({
      catalog: null,
      failing_apps: [],
      workers: [{ id: "3f1c", mode: "sync", seen_seconds_ago: 0, snapshot: { health: { status: "starting" } } }],
    });
    for (const key of [null, "another-key"]) {
      const refused = ask(base, key).app(1);
      await expect(refused).rejects.toThrow(ConfigError);
      await expect(refused).rejects.toThrow("process 7 on box owns ./data and asks for its API key; set API_KEY");
    }
  });

  it("may serve no API, and then says how it is all the same", async () => {
    const { base } = await serve(null, { api: false });
    await expect(ask(base).app(1)).rejects.toThrow(NotFoundError);
    await expect(ask(base).app(1)).rejects.toThrow("serves no API (API=off)");
    expect((await ask(base).status()).workers).toHaveLength(1);
  });

  it("may not be there, answer too late, or answer what cannot be read", async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const away = ask(nowhere).status();
    await expect(away).rejects.toThrow(DatabaseError);
    await expect(away).rejects.toMatchObject({ fault: "unreachable", code: "ECONNREFUSED" });
    await expect(away).rejects.toThrow(`answers on ${nowhere}, which cannot be reached from here (ECONNREFUSED)`);
    const busy = await serve(null);
    await expect(ask(busy.base).app(1)).rejects.toMatchObject({ fault: "unreachable", code: "503" });
    await expect(ask(await answering(200, "{}")).app(1)).rejects.toThrow(
      "answers in a form that this version does not read",
    );
    await expect(ask(await answering(200, "<html>")).app(1)).rejects.toMatchObject({ fault: "unreachable" });
  });
});
