import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { appView } from "../../../src/catalog/views.ts";
import { openOwnerSource } from "../../../src/catalog-source/owner-http.ts";
import type { DataDirOwner } from "../../../src/db/owner-lock.ts";
import { ConfigError, DatabaseError, NotFoundError } from "../../../src/process/errors.ts";
import { openTestDatabase } from "../../support/databases.ts";
import { freePort } from "../../support/free-port.ts";
import { fill, hostileName, serve } from "./harness.ts";

/** Reads the embedded database through the HTTP server of the process that owns it. */

function openSource(base: string, apiKey: string | null = null, allowedHosts: string[] = []) {
  const owner = { id: "3f1c", host: "box", pid: 7, space: null, started: null, address: base, since: "" };
  return openOwnerSource("./data", owner satisfies DataDirOwner, { apiKey, allowedHosts });
}

/** A server with one reply for every request. */
async function serveReply(status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status, headers).end(body));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("openOwnerSource", () => {
  it("reads apps and status, returns null for an app that is not stored, and sends the API key", async () => {
    const database = await openTestDatabase("postgres");
    onTestFinished(() => database.close());
    await fill(database, 5);
    const { base } = await serve(database, { apiKey: "owner-key-1234" });
    const source = openSource(base, "owner-key-1234");
    expect(source.name).toBe(`the folder ./data, read through process 7 on box (${base})`);
    const stored = await source.app(1);
    expect(appView.parse(stored?.app)).toMatchObject({ appid: 1, name: hostileName });
    expect(stored).toMatchObject({ branches: [], depots: [] });
    expect(await source.app(2_000_000_000)).toBeNull();
    expect(await source.status()).toMatchObject({
      catalog: null,
      failing_apps: [],
      workers: [{ id: "3f1c", mode: "sync", seen_seconds_ago: 0, snapshot: { health: { status: "starting" } } }],
    });
    for (const key of [null, "another-key"]) {
      const refused = openSource(base, key).app(1);
      await expect(refused).rejects.toThrow(ConfigError);
      await expect(refused).rejects.toThrow("process 7 on box owns ./data and requires an API key; set API_KEY");
    }
  });

  it("sends one of the allowed hosts, and says where to set them", async () => {
    const { base } = await serve(null, { allowedHosts: [".catalog.example"] });
    expect((await openSource(base, null, [".catalog.example"]).status()).workers).toHaveLength(1);
    await expect(openSource(base).status()).rejects.toThrow("set ALLOWED_HOSTS to the same value");
  });

  it("sends the API key to no address that a redirect names", async () => {
    const other: unknown[] = [];
    const target = createServer(({ headers }, response) => {
      other.push(headers);
      response.end("{}");
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void target.close());
    await new Promise((resolve) => target.once("listening", resolve));
    const location = `http://127.0.0.1:${(target.address() as AddressInfo).port}/status`;
    const source = openSource(await serveReply(302, "{}", { location }), "owner-key-1234");
    await expect(source.status()).rejects.toThrow("answered with status 302");
    expect(other).toEqual([]);
  });

  it("reads the status and rejects app() when the owner serves no API", async () => {
    const { base } = await serve(null, { api: false });
    await expect(openSource(base).app(1)).rejects.toThrow(NotFoundError);
    await expect(openSource(base).app(1)).rejects.toThrow("serves no API (API=off)");
    expect((await openSource(base).status()).workers).toHaveLength(1);
  });

  it("rejects when the owner is unreachable, answers 503 or sends an invalid reply", async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const away = openSource(nowhere).status();
    await expect(away).rejects.toThrow(DatabaseError);
    await expect(away).rejects.toMatchObject({ fault: "unreachable", code: "ECONNREFUSED" });
    await expect(away).rejects.toThrow(`serves ${nowhere}, which is unreachable from here (ECONNREFUSED)`);
    const busy = await serve(null);
    await expect(openSource(busy.base).app(1)).rejects.toMatchObject({ fault: "unreachable", code: "503" });
    await expect(openSource(await serveReply(200, "{}")).app(1)).rejects.toThrow(
      "sent a reply that this version cannot read",
    );
    await expect(openSource(await serveReply(200, "<html>")).app(1)).rejects.toMatchObject({ fault: "unreachable" });
  });
});
