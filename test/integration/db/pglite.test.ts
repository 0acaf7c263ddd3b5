import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SqlDatabase } from "../../../src/db/database.ts";
import { lockDataDir } from "../../../src/db/owner-lock.ts";
import { openPglite } from "../../../src/db/pglite.ts";
import { copyPgliteTemplate, silent } from "../../support/templates.ts";

const functions = `
  create table public.marks (id int primary key);
  create function public.mark(id int) returns jsonb language sql as
    'insert into public.marks values (mark.id) returning to_jsonb(marks.id)';
  create function public.wait_for(seconds float) returns jsonb language plpgsql as $$
    begin perform pg_sleep(seconds); return '1'; end $$;
`;

describe("the embedded database", () => {
  let folder: string;
  let dataDir: string;
  const opened: SqlDatabase[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "spsync-pglite-test-"));
    dataDir = join(folder, "data");
    await copyPgliteTemplate(dataDir, false);
  });
  afterEach(async () => {
    for (const db of opened.splice(0)) await db.close();
    await rm(folder, { recursive: true, force: true });
  });
  async function open(): Promise<SqlDatabase> {
    const db = await openPglite({ dataDir, logger: silent });
    opened.push(db);
    return db;
  }

  test("leaves this thread free while a statement runs", async () => {
    const db = await open();
    await db.transaction(functions);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    await db.rpc("wait_for", { seconds: 0.3 });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });

  test("keeps what was committed when it is closed and opened again", async () => {
    const db = await open();
    await db.transaction(functions);
    await db.rpc("mark", { id: 1 });
    await db.close();
    expect(await (await open()).query("select id from public.marks")).toEqual([{ id: 1 }]);
  });

  test("keeps what was committed when its process is killed, and can be opened at once", async () => {
    const db = await open();
    await db.transaction(functions);
    await db.close();
    const child = fork(new URL("./pglite-child.ts", import.meta.url), [dataDir], { stdio: "inherit" });
    const committed = await marksUntil(child, 20);
    child.kill("SIGKILL");
    await once(child, "exit");
    const started = performance.now();
    const rows = await (await open()).query<{ id: number }>("select id from public.marks order by id");
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining(committed));
  });

  test("does not run a call that was given up before its turn", async () => {
    const db = await open();
    await db.transaction(functions);
    const slow = db.rpc("wait_for", { seconds: 0.4 });
    await expect(db.rpc("mark", { id: 1 }, { timeoutMs: 50 })).rejects.toMatchObject({ fault: "timeout" });
    await slow;
    expect(await db.query("select id from public.marks")).toEqual([]);
  });

  test("is refused to a second one with the same folder, which is free again afterwards", async () => {
    const db = await open();
    await expect(open()).rejects.toMatchObject({ name: "DataDirInUseError", owner: { pid: process.pid } });
    await db.close();
    await open();
  });

  test("stops at once when another process has taken the folder", async () => {
    const db = await open();
    await writeFile(join(folder, "others"), JSON.stringify({ id: "another" }));
    await rename(join(folder, "others"), join(dataDir, "owner.lock"));
    await expect
      .poll(() => db.query("select 1").catch((error: unknown) => error), { timeout: 10_000 })
      .toMatchObject({ fault: "fatal", code: "lock_lost" });
  });

  test("in a folder that is none says which, and gives it back", async () => {
    await rm(join(dataDir, "pglite"), { recursive: true });
    await writeFile(join(dataDir, "pglite"), "a file");
    await expect(open()).rejects.toMatchObject({ fault: "fatal", message: expect.stringContaining(dataDir) });
    await (await lockDataDir(dataDir, { address: null, onLost() {} })).release();
  });
});

/** The ids that the child says it has committed, until there are enough of them. */
async function marksUntil(child: ChildProcess, enough: number): Promise<number[]> {
  const committed: number[] = [];
  child.on("message", (id: number) => committed.push(id));
  while (committed.length < enough) await delay(5);
  return committed;
}
