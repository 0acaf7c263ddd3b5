import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { postgresMajor } from "../../../src/db/data-folder.ts";
import { lockDataDir } from "../../../src/db/owner-lock.ts";
import { openPglite } from "../../../src/db/pglite.ts";
import { ConfigError } from "../../../src/process/errors.ts";
import { runCommand } from "../../support/command.ts";
import { isFull } from "../../support/full.ts";
import { it } from "../../support/given.ts";
import { copyPgliteTemplate, silent } from "../../support/templates.ts";

/** What the embedded database says of a data folder that it cannot use. */

const childFile = fileURLToPath(new URL("./data-folder-child.ts", import.meta.url));
const rootOnly = it.skipIf(process.getuid?.() !== 0);

/** A data folder with an empty database, changed by `spoil`. */
async function spoilt(folder: string, spoil: (database: string) => Promise<unknown>): Promise<string> {
  const dataDir = join(folder, "data");
  await copyPgliteTemplate(dataDir, false);
  await spoil(join(dataDir, "pglite"));
  return dataDir;
}

const remove = (name: string) => (database: string) => rm(join(database, name), { recursive: true });

async function messageOfOpening(dataDir: string): Promise<string> {
  const error: unknown = await openPglite({ dataDir, logger: silent }).then(
    (db) => db.close(),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message;
}

describe("the embedded database", () => {
  it("is of the version of Postgres that is expected", async ({ folder }) => {
    const dataDir = await spoilt(folder, async () => {});
    expect((await readFile(join(dataDir, "pglite/PG_VERSION"), "utf8")).trim()).toBe(postgresMajor);
  });

  type Damage = [string, (database: string) => Promise<unknown>, RegExp];
  const rarer: Damage[] = [
    ["with half a pg_control", (at) => truncate(join(at, "global/pg_control"), 4_096), /damaged \(global\/pg_control/],
    ["without PG_VERSION", remove("PG_VERSION"), /damaged \(.*PG_VERSION is missing/],
    ["without its log", remove("pg_wal"), /damaged \(.*pg_wal is missing/],
    ["without commit states", remove("pg_xact"), /damaged \(/],
  ];
  it.for<Damage>([
    ["of another Postgres", (at) => writeFile(join(at, "PG_VERSION"), "15\n"), /is of Postgres 15; .* Postgres 18/],
    ["with an empty pg_control", (at) => truncate(join(at, "global/pg_control"), 0), /damaged \(global\/pg_control/],
    ["without pg_control", remove("global/pg_control"), /damaged \(global\/pg_control is missing/],
    [
      "with noise in pg_control",
      (at) => writeFile(join(at, "global/pg_control"), Buffer.alloc(8_192, 7)),
      /damaged \(/,
    ],
    ...(isFull ? rarer : []),
  ])(
    "is not opened %s; the message has the command that begins anew, and the lock is released",
    async ([, spoil, words], { folder }) => {
      const dataDir = await spoilt(folder, spoil);
      const message = await messageOfOpening(dataDir);
      expect(message).toMatch(words);
      expect(message).toContain(`(rm -rf '${join(dataDir, "pglite")}') and start again`);
      await (await lockDataDir(dataDir, { address: null, onLost() {} })).release();

      const [, command = ""] = /\((rm -rf '.*')\)/.exec(message) ?? [];
      execFileSync("sh", ["-c", command]);
      expect(await readdir(dataDir)).not.toContain("pglite");
    },
  );

  it("is not opened where a file is in the place of the folder or of its parent", async ({ folder }) => {
    const file = join(folder, "file");
    await writeFile(file, "");
    for (const dataDir of [file, join(file, "data")])
      expect(await messageOfOpening(dataDir)).toMatch(/is a file or lies below one: remove that file, or set DATA_DIR/);
  });

  it.skipIf(process.platform !== "linux")("is not created where a file system allows no folders", async () => {
    const message = await messageOfOpening("/proc/no-such-process/data");
    expect(message).toBe("No folder can be created in /proc: set DATA_DIR to another folder.");
  });

  it("ends commands with exit code 2 and one sentence", async ({ folder }) => {
    const dataDir = await spoilt(folder, remove("PG_VERSION"));
    const env = { DATA_DIR: dataDir };
    const [migrate, status] = await Promise.all([
      runCommand({ args: ["migrate"], env }),
      runCommand({ args: ["status"], env: { DATA_DIR: join(childFile, "data") } }),
    ]);
    expect(migrate.code).toBe(2);
    expect(JSON.parse(migrate.stdout.trim().split("\n").at(-1) ?? "")).toEqual({
      level: "fatal",
      time: expect.any(String),
      message: expect.stringMatching(/^The embedded database in .* is damaged .*rm -rf /),
    });
    expect(status).toEqual({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^The data folder .* is a file or.*\n$/),
    });
  });
});

describe("a data folder", () => {
  const node = [process.execPath, childFile];
  const run = (command: readonly string[], options: { uid?: number; gid?: number } = {}) =>
    execFileSync(command[0] ?? "", command.slice(1), { encoding: "utf8", ...options });
  /** Runs the child with mounts of its own. */
  const mounted = (mount: string, dataDir: string) =>
    run(["unshare", "--mount", "sh", "-c", `${mount} && exec "$@"`, "sh", ...node, dataDir]);

  rootOnly("of another user is named with both users", async ({ folder }) => {
    await chmod(folder, 0o755);
    const dataDir = join(folder, "data");
    const other = { uid: 65_534, gid: 65_534 };
    // First the folder in which it should be created is the other user's, then it itself.
    expect(run([...node, dataDir], other)).toMatch(
      /: .*\bfolder-\w+ belongs to user 0 and .*: chown -R 65534 it, or set/,
    );
    await mkdir(dataDir, { mode: 0o755 });
    expect(run([...node, dataDir], other)).toMatch(
      /\/data belongs to user 0 and is not writable for user 65534: chown -R 65534 it, or set DATA_DIR/,
    );
  });

  rootOnly("on a read-only mount is named as that", async ({ folder }) => {
    const mount = `mount --bind '${folder}' '${folder}' && mount -o remount,ro,bind '${folder}'`;
    expect(mounted(mount, folder)).toMatch(/is on a read-only file system: mount it writable, or set DATA_DIR/);
  });

  rootOnly("on a full disk is named as that, and nothing is left behind", async ({ folder }) => {
    const mount = `mount -t tmpfs -o size=64k tmpfs '${folder}' && { head -c 100000 /dev/zero > '${folder}/big' || true; } 2>/dev/null`;
    expect(mounted(mount, folder)).toMatch(/The disk of the data folder .* is full: free some space, or set DATA_DIR/);
  });
});
