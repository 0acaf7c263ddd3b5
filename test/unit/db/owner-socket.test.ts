import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pino } from "pino";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { Database, RpcOptions, SqlDatabase } from "../../../src/db/database.ts";
import { copyThroughOwner, openThroughOwner, serveOwnerSocket } from "../../../src/db/owner-socket.ts";
import { DatabaseError } from "../../../src/process/errors.ts";

const logger = pino({ level: "silent" });

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "spsync-socket-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
});

type Rpc = Database["rpc"];
const database = (rpc: Rpc): Database => ({ driver: "pglite", rpc, close: async () => {} });

/** Serves a database of which `rpc` answers every call but the first one of the client. */
async function serve(rpc: Rpc) {
  const calls: [string, unknown, RpcOptions][] = [];
  const stop = await serveOwnerSocket(
    database(async (name, args = {}, options = {}) => {
      if (name === "schema_version") return "1";
      calls.push([name, args, options]);
      return await rpc(name, args, options);
    }),
    dataDir,
    logger,
  );
  onTestFinished(stop);
  const client = (await openThroughOwner(dataDir)) ?? expect.fail("the owner does not answer");
  return { calls, stop, client };
}

describe("the socket of the owner", () => {
  it("carries calls and results of any JSON, several at once and of several megabytes", async () => {
    const { client, calls } = await serve(async (_, args) => args?.request ?? null);
    const values = [null, 7, "é🎮\n\u0000", [], { a: [1, { b: null }] }, "x".repeat(5_000_000)];
    expect(await Promise.all(values.map((request) => client.rpc("echo", { request })))).toEqual(values);
    await client.rpc("echo", {}, { isRead: true, timeoutMs: 7_000 });
    expect(calls.at(-1)).toEqual(["echo", {}, { isRead: true, timeoutMs: 7_000, signal: expect.any(AbortSignal) }]);
    expect(client.driver).toBe("pglite");
    await client.close();
  });

  it("carries the class, code and message of an error", async () => {
    const { client } = await serve(() => Promise.reject(new DatabaseError("data", "22003", "library_apply: too big")));
    const error = await client.rpc("library_apply").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DatabaseError);
    expect(error).toMatchObject({ fault: "data", code: "22003", message: "library_apply: too big" });
  });

  it("ends a call when its caller aborts or is gone, also at the owner", async () => {
    const ended = Promise.withResolvers<void>();
    const { client } = await serve((_, __, options) => {
      options?.signal?.addEventListener("abort", () => ended.resolve());
      return new Promise(() => {});
    });
    const controller = new AbortController();
    const call = client.rpc("slow", {}, { signal: controller.signal });
    controller.abort(new Error("stopping"));
    await expect(call).rejects.toThrow("stopping");
    await expect(client.rpc("slow", {}, { timeoutMs: 50 })).rejects.toMatchObject({ fault: "timeout" });
    await ended.promise;
  });

  it("calls nothing but functions", async () => {
    const { client, calls } = await serve(async () => null);
    for (const name of ["a; drop table apps", "", "a.b", 'a"']) {
      await expect(client.rpc(name)).rejects.toMatchObject({ fault: "fatal" });
    }
    expect(calls).toEqual([]);
  });

  it("lies in a private folder, whatever its mode was before", async () => {
    await mkdir(join(dataDir, "run"));
    await chmod(join(dataDir, "run"), 0o777);
    await serve(async () => null);
    expect((await stat(join(dataDir, "run"))).mode & 0o777).toBe(0o700);
  });

  it("replaces the socket of an owner that was killed, and is unreachable between two owners", async () => {
    await mkdir(join(dataDir, "run"));
    await writeFile(join(dataDir, "run", "owner.sock"), "");
    const first = await serve(async () => 1);
    expect(await first.client.rpc("which")).toBe(1);
    await first.stop();
    await expect(first.client.rpc("which")).rejects.toMatchObject({ name: "DatabaseError", fault: "unreachable" });
    await serve(async () => 2);
    expect(await first.client.rpc("which")).toBe(2);
  });

  it("survives a client that sends no request", async () => {
    const { client } = await serve(async () => 1);
    const socket = connect(join(dataDir, "run", "owner.sock"));
    await new Promise((resolve) => socket.end("nonsense\r\n\r\n").on("close", resolve).resume());
    expect(await client.rpc("which")).toBe(1);
  });
});

describe("openThroughOwner", () => {
  it("makes a copy in a folder of its own, deletes what failed and what was left behind", async () => {
    let isFull = false;
    const copyTo = async (to: string) => {
      await mkdir(to);
      if (isFull) throw new DatabaseError("fatal", "ENOSPC", "copy: no space left");
    };
    expect(await copyThroughOwner(dataDir)).toBeNull();
    const db = { ...database(async () => "1"), copyTo } as unknown as SqlDatabase;
    onTestFinished(await serveOwnerSocket(db, dataDir, logger));
    const [first = "", second = ""] = [await copyThroughOwner(dataDir), await copyThroughOwner(dataDir)].map(String);
    expect(first).not.toBe(second);
    expect((await stat(first)).isDirectory()).toBe(true);
    const twoDaysAgo = new Date(Date.now() - 2 * 86_400_000);
    await utimes(first, twoDaysAgo, twoDaysAgo);
    isFull = true;
    await expect(copyThroughOwner(dataDir)).rejects.toMatchObject({ name: "DatabaseError", code: "ENOSPC" });
    const left = (await readdir(join(dataDir, "run"))).filter((name) => name.startsWith("copy-"));
    expect(left).toEqual([basename(second)]);
  });

  it("returns null while the owner serves no socket or has no schema, and throws when aborted", async () => {
    expect(await openThroughOwner(dataDir)).toBeNull();
    const missing = new DatabaseError("schema", "42883", "function schema_version() does not exist");
    const stop = await serveOwnerSocket(
      database(() => Promise.reject(missing)),
      dataDir,
      logger,
    );
    onTestFinished(stop);
    expect(await openThroughOwner(dataDir)).toBeNull();
    const controller = new AbortController();
    const opening = openThroughOwner(dataDir, controller.signal);
    controller.abort(new Error("stopping"));
    await expect(opening).rejects.toThrow("stopping");
  });

  it("returns null where the path is too long for a socket", async () => {
    const long = join(dataDir, "x".repeat(120));
    await mkdir(long);
    onTestFinished(
      await serveOwnerSocket(
        database(async () => "1"),
        long,
        logger,
      ),
    );
    expect(await openThroughOwner(long)).toBeNull();
  });
});
