import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { superuser, urlOf } from "../../support/cluster.ts";
import { runCommand } from "../../support/command.ts";
import { it } from "../../support/given.ts";
import { type PostgresFront, startPostgresFront } from "../../support/postgres-front.ts";
import { createPrivateCa, type PrivateCa } from "../../support/private-ca.ts";

/** What a wrong connection string costs: one sentence, and exit code 2 at once. */

let ca: PrivateCa;
let front: PostgresFront;
beforeAll(async () => {
  ca = createPrivateCa();
  front = await startPostgresFront(inject("cluster").port);
  front.tls = ca.issue("localhost");
});
afterAll(async () => {
  ca.remove();
  await front.close();
});

const withFront = (parameters = "") =>
  `postgres://${superuser}:${inject("cluster").password}@localhost:${front.port}/postgres${parameters}`;

const cases: [name: string, url: () => string, sentence: RegExp][] = [
  [
    "an unknown authority",
    () => withFront("?sslmode=verify-full"),
    /^connecting to Postgres: unable to verify the first certificate.* \(.*sslrootcert=FILE.*NODE_EXTRA_CA_CERTS.*sslmode=no-verify\)$/,
  ],
  [
    "no such database",
    () => urlOf({ ...inject("cluster"), port: front.port }, superuser, "nowhere"),
    /^connecting to Postgres: database "nowhere" does not exist \(check its name at the end of DATABASE_URL, or create it\)$/,
  ],
  [
    "a bad sslmode",
    () => withFront("?sslmode=on"),
    /^sslmode in DATABASE_URL must be one of disable, allow, .*; it is "on"$/,
  ],
];

describe.concurrent("a start", () => {
  it.for(cases)("with %s ends at once with exit code 2 and says what to do", async ([_, url, sentence]) => {
    const { code, stdout, stderr } = await runCommand({ args: ["sync"], env: { DATABASE_URL: url(), PORT: "0" } });
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { level: string; message: string });
    expect(lines.filter(({ level }) => level === "fatal").map(({ message }) => message)).toEqual([
      expect.stringMatching(sentence),
    ]);
    expect(code).toBe(2);
    expect(stdout + stderr).not.toMatch(/ {4}at |"stack"/);
  });
});

describe("a pooler", () => {
  it("that does not know the project ends a start with 2; a full one is waited for, and ends a one-off command with 75", async ({
    start,
  }) => {
    const env = { DATABASE_URL: withFront() };
    front.refuse = () => ({ code: "XX000", message: "(ENOTFOUND) tenant/user postgres.abc not found" });
    const unknown = await runCommand({ args: ["migrate"], env });
    expect(unknown).toMatchObject({ code: 2, stdout: expect.stringContaining("the user is postgres.PROJECT") });

    front.refuse = () => ({ code: "XX000", message: "(EMAXCONNSESSION) max clients reached in session mode" });
    const full = await runCommand({ args: ["migrate"], env: { ...env, GIVE_UP_AFTER: "1" } });
    expect(full).toMatchObject({ code: 75, stdout: expect.stringContaining("lower DATABASE_POOL_SIZE") });

    const service = start({ args: ["sync"], env });
    await service.logged(/EMAXCONNSESSION/);
    expect(await service.get("/health")).toMatchObject({
      status: 200,
      body: { status: expect.stringMatching(/starting|degraded/) },
    });
    service.kill("SIGTERM");
    expect((await service.exited).code).toBe(0);
  });
});
