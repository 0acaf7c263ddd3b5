import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import type { SqlDatabase } from "../../../src/db/database.ts";
import { openPglite, type PgliteOptions } from "../../../src/db/pglite.ts";
import { isFull, onlyFull } from "../../support/full.ts";
import { copyPgliteTemplate, silent } from "../../support/templates.ts";

const objects = `
  create table public.marks (id int primary key);
  create function public.mark(id int) returns jsonb language sql as
    'insert into public.marks values (mark.id) returning to_jsonb(marks.id)';
  create function public.wait_for(seconds float) returns jsonb language plpgsql as $$
    begin perform pg_sleep(seconds); return '1'; end $$;
`;
const marks = "select id from public.marks order by id";

/** A data folder with an empty database. */
async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-pglite-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, "data");
  await copyPgliteTemplate(dataDir, false);
  return dataDir;
}

async function open(dataDir: string, supervision: Partial<PgliteOptions> = {}): Promise<SqlDatabase> {
  const db = await openPglite({ dataDir, logger: silent, ...supervision });
  onTestFinished(() => db.close());
  return db;
}

describe("openPglite", () => {
  test("runs statements off the main thread, and never runs a call that timed out in the queue", async () => {
    const db = await open(await dataFolder());
    await db.transaction(objects);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const slow = db.rpc("wait_for", { seconds: 0.4 });
    await expect(db.rpc("mark", { id: 1 }, { timeoutMs: 50 })).rejects.toMatchObject({ fault: "timeout" });
    await slow;
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
    expect(await db.query(marks)).toEqual([]);
  });

  test("rejects a second owner while it is open, and reopens with all rows after close; a copy has those of its moment", async () => {
    const dataDir = await dataFolder();
    const db = await open(dataDir);
    await db.transaction(objects);
    await db.rpc("mark", { id: 1 });
    // No other call comes between the statements of a transaction.
    const rolledBack = db.inTransaction("write", async (tx) => {
      await tx.query("insert into public.marks values (7)");
      await expect(tx.rows("select id, id + 1 from public.marks where id = $1", [7])).resolves.toEqual([[7, 8]]);
      throw new Error("not wanted");
    });
    const [failed, mark] = await Promise.allSettled([rolledBack, db.rpc("mark", { id: 2 })]);
    expect([failed.status, mark.status]).toEqual(["rejected", "fulfilled"]);
    const copyDir = join(dataDir, "..", "copy");
    await db.copyTo?.(copyDir);
    await db.rpc("mark", { id: 3 });
    expect(await (await open(copyDir)).query(marks)).toEqual([{ id: 1 }, { id: 2 }]);
    await expect(db.copyTo?.(copyDir)).rejects.toMatchObject({ name: "DatabaseError" });
    await expect(open(dataDir)).rejects.toMatchObject({ name: "DataDirInUseError", owner: { pid: process.pid } });
    await db.close();
    expect(await (await open(dataDir)).query(marks)).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });

  test("reopens at once with every committed row after its process was killed", async () => {
    const dataDir = await dataFolder();
    const db = await open(dataDir);
    await db.transaction(objects);
    await db.close();
    const child = fork(new URL("./pglite-child.ts", import.meta.url), [dataDir], { stdio: "inherit" });
    const committed = await committedIds(child, 20);
    child.kill("SIGKILL");
    await once(child, "exit");
    const started = performance.now();
    const rows = await (await open(dataDir)).query<{ id: number }>(marks);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining(committed));
  });

  test("fails every call once another process has taken over the folder", async () => {
    const dataDir = await dataFolder();
    const db = await open(dataDir);
    await writeFile(join(dataDir, "taken"), JSON.stringify({ id: "another" }));
    await rename(join(dataDir, "taken"), join(dataDir, "owner.1000.lock"));
    await expect
      .poll(() => db.query("select 1").catch((error: unknown) => error), { timeout: 10_000 })
      .toMatchObject({ fault: "fatal", code: "lock_lost" });
  });

  test("restarts a thread that hangs, once: calls go on, committed rows stay, and a second hang is reported as hopeless", async () => {
    const hopeless: string[] = [];
    const onHopeless = (reason: string) => hopeless.push(reason);
    const db = await open(await dataFolder(), { hangLimitMs: 1_000, onHopeless });
    await db.transaction(objects);
    await db.rpc("mark", { id: 1 });
    const hanging = db.rpc("wait_for", { seconds: 3_600 }, { timeoutMs: 60_000 });
    const next = db.rpc("mark", { id: 2 }, { timeoutMs: 60_000 });
    await expect(hanging).rejects.toMatchObject({ fault: "unreachable", message: expect.stringContaining("wait_for") });
    expect(await next).toBe(2);
    expect(await db.query(marks)).toEqual([{ id: 1 }, { id: 2 }]);
    expect(hopeless).toEqual([]);

    await expect(db.rpc("wait_for", { seconds: 3_600 }, { timeoutMs: 60_000 })).rejects.toMatchObject({
      fault: "unreachable",
    });
    await expect.poll(() => hopeless, { timeout: 10_000 }).toEqual([expect.stringContaining("had been restarted")]);
    expect(db.fault?.()).toBe(hopeless[0]);
  });

  test.skipIf(!isFull)(
    `creates a database under another name first, and leaves no half database behind${onlyFull}`,
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "spsync-pglite-test-"));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      // What an interrupted creation leaves.
      await mkdir(join(folder, "pglite.unfinished"));
      await writeFile(join(folder, "pglite.unfinished", "PG_VERSION"), "");
      const db = await open(folder);
      expect(await db.query("select 1 as one")).toEqual([{ one: 1 }]);
      expect((await readdir(folder)).filter((name) => name.startsWith("pglite"))).toEqual(["pglite"]);
      expect((await stat(join(folder, "pglite"))).mode & 0o777).toBe(0o700);
    },
  );
});

/** The ids that the child has reported, once there are at least `min`. */
async function committedIds(child: ChildProcess, min: number): Promise<number[]> {
  const committed: number[] = [];
  child.on("message", (id: number) => committed.push(id));
  while (committed.length < min) await delay(5);
  return committed;
}
