import { describe, expect, inject, onTestFinished, test } from "vitest";
import { type ErrorCode, errorCodes } from "../../../src/db/error-codes.ts";
import { openPostgres } from "../../../src/db/postgres.ts";
import { createDatabaseRetry } from "../../../src/db/retry.ts";
import { remedyOf } from "../../../src/db/sqlstate.ts";
import { openSupabase } from "../../../src/db/supabase.ts";
import { superuser, urlOf } from "../../support/cluster.ts";
import { type PostgresFront, startPostgresFront } from "../../support/postgres-front.ts";
import { silent } from "../../support/templates.ts";

/** Every row of the table of error codes through the drivers, as far as a server can answer with it. */

const isSqlState = ({ code }: ErrorCode) => /^[0-9A-Z]{2}([0-9A-Z]{3}|xxx)$/.test(code) && code !== "EPIPE";
const sqlStates = errorCodes
  .filter(isSqlState)
  .flatMap((row) => (row.tokens ?? ["words"]).map((text) => ({ row, text })));
const codeOf = ({ code }: ErrorCode) => code.replace("xxx", "Z9Z");

async function openFront(): Promise<{ front: PostgresFront; url: string }> {
  const { port, password } = inject("cluster");
  const front = await startPostgresFront(port);
  onTestFinished(() => front.close());
  return { front, url: urlOf({ port: front.port, password }, superuser, "postgres") };
}
async function open(url: string) {
  const db = await openPostgres({ url, logger: silent });
  onTestFinished(() => db.close());
  return db;
}
const failure = (call: Promise<unknown>) =>
  call.then(
    () => null,
    (error: unknown) => error,
  );

describe("an ErrorResponse while connecting", () => {
  const atConnection = ["unreachable", "retryable", "denied", "misconfigured"];
  // The same code may have a row of its own while connecting.
  const cases = sqlStates.filter(
    ({ row }) =>
      row.atConnection || !errorCodes.some((other) => other.atConnection && other.code === row.code && !row.tokens),
  );

  test("is classified as its row says, with the remedy, and what is no fault of a connection as an outage", async () => {
    const { front, url } = await openFront();
    const db = await open(url);
    for (const { row, text } of cases) {
      front.refuse = () => ({ code: codeOf(row), message: `(${text}) rejected` });
      const fault = atConnection.includes(row.fault) ? row.fault : "unreachable";
      const error = await failure(db.query("select 1"));
      expect(error).toMatchObject({ fault, code: codeOf(row), atConnection: true });
      expect(String(error)).toContain(`connecting to Postgres: (${text}) rejected`);
      expect(String(error)).toContain(remedyOf(row, "postgres") ?? "");
    }
    expect(cases.length).toBeGreaterThan(40);
  });
});

test("an error of a call is classified as its row says, with the remedy", async () => {
  const { url } = await openFront();
  const db = await open(url);
  for (const { row, text } of sqlStates.filter(({ row }) => !row.atConnection)) {
    const script = `do $$ begin raise exception '(${text}) failed' using errcode = '${codeOf(row)}'; end $$`;
    const error = await failure(db.query(script));
    expect(error).toMatchObject({ fault: row.fault, code: codeOf(row) });
    expect(String(error)).toContain(remedyOf(row, "postgres") ?? "failed");
  }
});

test("codes of PostgREST and of the network are classified as their rows say", async () => {
  let answer: () => Promise<Response>;
  const db = await openSupabase({
    url: "http://supabase.test",
    serviceKey: "key",
    logger: silent,
    fetch: () => answer(),
  });
  for (const row of errorCodes.filter((row) => !isSqlState(row))) {
    const cause = Object.assign(new Error("the cause"), { code: row.code });
    answer = row.code.startsWith("PGRST")
      ? async () => Response.json({ code: row.code, message: "words", details: null, hint: null }, { status: 400 })
      : () => Promise.reject(new TypeError("fetch failed", { cause }));
    const error = await failure(db.rpc("pics_state"));
    expect(error).toMatchObject({ fault: row.fault, code: row.code });
    expect(String(error)).toContain(remedyOf(row, "supabase") ?? "");
  }
});

describe("a real server", () => {
  const { port, password } = inject("cluster");
  test.each([
    ["3D000", urlOf({ port, password }, superuser, "nowhere"), "misconfigured", "end of DATABASE_URL"],
    ["28P01", urlOf({ port, password: "wrong" }, superuser, "postgres"), "denied", "percent-encoded, such as %40"],
    ["no_password", `postgres://${superuser}@127.0.0.1:${port}/postgres`, "misconfigured", "user:password@host"],
    ["42704", `${urlOf({ port, password }, superuser, "postgres")}?options=-c%20none=1`, "misconfigured", "parameter"],
  ])("rejects a connection with %s", async (code, url, fault, remedy) => {
    const db = await open(url);
    const error = await failure(db.query("select 1"));
    expect(error).toMatchObject({ code, fault, atConnection: true });
    if (code !== "42704") expect(String(error)).toContain(remedy);
  });
});

test.each([
  ["XX000", "(EMAXCONNSESSION) max clients reached in session mode"],
  ["XX000", "(ECHECKOUTTIMEOUT) unable to check out a connection"],
  ["XX000", "(ENOTFOUND) tenant/user postgres.none not found"],
  ["55000", "database is not currently accepting connections"],
  ["28P01", "password authentication failed"],
  ["3D000", "database does not exist"],
  ["99999", "a code of tomorrow"],
])("a service that has worked retries a connection that is refused with %s %s", async (code, message) => {
  const { front, url } = await openFront();
  const db = await open(url);
  const retry = createDatabaseRetry("postgres", { logger: silent, random: () => 0.1 });
  const ask = () => retry.call(() => db.query("select 1 as one"));
  await ask();
  front.drop();
  front.refuse = () => ({ code, message });
  const again = ask();
  await expect
    .poll(() => retry.status())
    .toMatchObject({ reachable: false, last_error: expect.stringContaining(code) });
  front.refuse = null;
  expect(await again).toEqual([{ one: 1 }]);
  expect(retry.status().reachable).toBe(true);
});
