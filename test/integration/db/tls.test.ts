import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { openPostgres } from "../../../src/db/postgres.ts";
import { ConfigError } from "../../../src/process/errors.ts";
import { superuser } from "../../support/cluster.ts";
import { startPostgresFront } from "../../support/postgres-front.ts";
import { createPrivateCa, type KeyPair, type PrivateCa, selfSigned } from "../../support/private-ca.ts";
import { silent } from "../../support/templates.ts";

let ca: PrivateCa;
let certificate: KeyPair;
beforeAll(() => {
  ca = createPrivateCa();
  certificate = ca.issue("localhost");
});
afterAll(() => ca.remove());

/** A real server behind a front that speaks TLS or not, and the URL of it with these parameters. */
async function setUp(tls: KeyPair | "garbage" | null, refuse: "plain" | "TLS" | null = null) {
  const { port, password } = inject("cluster");
  const front = await startPostgresFront(port);
  onTestFinished(() => front.close());
  front.tls = tls;
  const refused = { code: "28000", message: "no pg_hba.conf entry for this host" };
  front.refuse = (encrypted) => (refuse === (encrypted ? "TLS" : "plain") ? refused : null);
  const open = async (parameters: string) => {
    const url = `postgres://${superuser}:${password}@localhost:${front.port}/postgres?${parameters}`;
    const db = await openPostgres({ url, logger: silent });
    onTestFinished(() => db.close());
    return db;
  };
  return { front, open };
}

const answers = [{ one: 1 }];
const ask = "select 1 as one";

describe("sslmode", () => {
  test.each([
    ["disable", false],
    ["allow", false],
    ["prefer", true],
    ["require", true],
    ["no-verify", true],
  ])("%s works with a certificate of a private authority (encrypted: %s)", async (mode, encrypted) => {
    const { front, open } = await setUp(certificate);
    expect(await (await open(`sslmode=${mode}`)).query(ask)).toEqual(answers);
    expect(front.seen).toEqual([encrypted]);
  });

  test.each(["verify-ca", "verify-full"])("%s rejects an authority that it does not know", async (mode) => {
    const { open } = await setUp(certificate);
    await expect((await open(`sslmode=${mode}`)).query(ask)).rejects.toMatchObject({
      fault: "misconfigured",
      code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      message: expect.stringMatching(/sslrootcert=FILE.*NODE_EXTRA_CA_CERTS.*sslmode=no-verify/),
    });
  });

  test.each(["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", ""])(
    "%s with the authority's file accepts its certificate",
    async (mode) => {
      const { front, open } = await setUp(certificate);
      expect(await (await open(`${mode}&sslrootcert=${ca.file}`)).query(ask)).toEqual(answers);
      expect(front.seen).toEqual([true]);
    },
  );

  test("verify-full rejects the name of another host, verify-ca does not", async () => {
    const { open } = await setUp(ca.issue("db.example.org"));
    await expect((await open(`sslmode=verify-full&sslrootcert=${ca.file}`)).query(ask)).rejects.toMatchObject({
      fault: "misconfigured",
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
      message: expect.stringContaining("sslmode=verify-ca"),
    });
    expect(await (await open(`sslmode=verify-ca&sslrootcert=${ca.file}`)).query(ask)).toEqual(answers);
  });

  test.each([
    ["DEPTH_ZERO_SELF_SIGNED_CERT", () => selfSigned("localhost"), ""],
    ["SELF_SIGNED_CERT_IN_CHAIN", () => ca.issue("localhost", { withChain: true }), ""],
    ["CERT_HAS_EXPIRED", () => ca.issue("localhost", { days: -1 }), "known"],
    ["EPROTO", () => "garbage" as const, ""],
  ])("classifies %s as a setting to correct", async (code, pair, authority) => {
    const { open } = await setUp(pair());
    const file = authority && `&sslrootcert=${ca.file}`;
    await expect((await open(`sslmode=verify-full${file}`)).query(ask)).rejects.toMatchObject({
      fault: "misconfigured",
      code,
      message: expect.stringMatching(/^connecting to Postgres: .* \(.*(DATABASE_URL|sslmode).*\)$/),
    });
  });

  test.each(["require", "no-verify", "verify-ca", "verify-full"])("%s rejects a server without TLS", async (mode) => {
    const { open } = await setUp(null);
    await expect((await open(`sslmode=${mode}`)).query(ask)).rejects.toMatchObject({
      fault: "misconfigured",
      code: "no_ssl",
      message: expect.stringContaining("set sslmode=prefer"),
    });
  });

  test.each([
    ["prefer", null, null, [false]],
    ["prefer", "TLS", "encrypted", [true, false]],
    ["allow", "plain", "encrypted", [false, true]],
    ["allow", null, null, [false]],
  ] as const)(
    "%s tries the other way once where the server refuses %s, and keeps it",
    async (mode, refuse, tls, seen) => {
      const { front, open } = await setUp(tls === null ? null : certificate, refuse);
      const db = await open(`sslmode=${mode}`);
      expect(await db.query(ask)).toEqual(answers);
      expect(front.seen).toEqual(seen);
      // Further connections go the way that worked.
      await Promise.all([1, 2, 3].map(() => db.query("select pg_sleep(0.05)")));
      expect(front.seen.slice(seen.length)).toEqual([seen.at(-1), seen.at(-1)]);
    },
  );

  test("prefer falls back where the server cannot complete the handshake, but not on an outage", async () => {
    const { front, open } = await setUp("garbage");
    const db = await open("sslmode=prefer");
    expect(await db.query(ask)).toEqual(answers);
    const other = await open("sslmode=prefer");
    await front.close();
    await expect(other.query(ask)).rejects.toMatchObject({ fault: "unreachable", code: "ECONNREFUSED" });
  });

  test("keeps the error of the first way when both are refused", async () => {
    const { front, open } = await setUp(null);
    front.refuse = (encrypted) => ({ code: "28000", message: encrypted ? "with TLS" : 'role "x" does not exist' });
    await expect((await open("")).query(ask)).rejects.toMatchObject({ message: expect.stringContaining('role "x"') });
  });

  test("an unknown mode and files that cannot be used are errors of the configuration", async () => {
    const { open } = await setUp(null);
    await expect(open("sslmode=full")).rejects.toThrow(/sslmode in DATABASE_URL must be one of disable, allow, prefer/);
    await expect(open("sslrootcert=/nowhere/ca.pem")).rejects.toThrow(
      /sslrootcert in DATABASE_URL cannot be read: ENOENT/,
    );
    await expect(open("sslrootcert=/etc/hostname")).rejects.toThrow(/not a PEM file/);
    const broken = `${ca.file.replace("ca.pem", "broken.pem")}`;
    execFileSync("sh", ["-c", `sed s/A/B/g ${ca.file} > ${broken}`]);
    await expect(open(`sslcert=${broken}`)).rejects.toThrow(ConfigError);
  });
});
