import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Database } from "../../../src/db/database.ts";
import { migrate } from "../../../src/db/migrate.ts";
import { openPostgres } from "../../../src/db/postgres.ts";
import { openSupabase } from "../../../src/db/supabase.ts";
import type { TestDatabase } from "../../support/databases.ts";
import { openTestDatabase } from "../../support/databases.ts";
import { freePort } from "../../support/free-port.ts";
import type { SupabaseApi } from "../../support/postgrest.ts";
import { signedKey } from "../../support/postgrest.ts";
import { silent } from "../../support/templates.ts";

const functions = `
  create table public.marks (id int primary key);
  create function public.mark(id int) returns jsonb language sql as
    'insert into public.marks values (mark.id) returning to_jsonb(marks.id)';
  create function public.who_am_i() returns jsonb language sql as 'select to_jsonb(current_user::text)';
  create function public.secret() returns jsonb language sql as 'select to_jsonb(1)';
  revoke execute on function public.secret() from public, anon, authenticated;
  create function public.wait_for(seconds float) returns jsonb language plpgsql as $$
    begin perform pg_sleep(seconds); return '1'; end $$;
`;

describe("openSupabase", () => {
  let database: TestDatabase;
  let api: SupabaseApi;
  let db: Database;
  beforeAll(async () => {
    database = await openTestDatabase("supabase", { migrated: false, prepare: functions });
    db = database.db;
    if (!database.api) throw new Error("no API");
    api = database.api;
  });
  afterEach(() => api.faults.clear());
  afterAll(() => database.close());
  const withKey = (serviceKey: string) => openSupabase({ url: api.url, serviceKey, logger: silent });

  test("calls functions as the role of the key", async () => {
    expect(await db.rpc("who_am_i")).toBe("service_role");
    expect(await (await withKey(api.anonKey)).rpc("who_am_i")).toBe("anon");
  });

  test("classifies a reply lost after the commit as unreachable, and does not repeat the call", async () => {
    api.faults.dropReply({ call: "mark" });
    await expect(db.rpc("mark", { id: 1 })).rejects.toMatchObject({ fault: "unreachable", code: "UND_ERR_SOCKET" });
    expect(await database.sql("select id from public.marks")).toEqual([{ id: 1 }]);
    expect(api.faults.requests.get("mark")).toBe(1);
  });

  // 404: supabase-js takes an empty one for success.
  test.each([
    [503, "unreachable"],
    [413, "timeout"],
    [404, "fatal"],
  ])("classifies a gateway's %i as %s, and does not repeat the call", async (status, fault) => {
    const before = api.faults.requests.get("who_am_i") ?? 0;
    api.faults.answer(status);
    await expect(db.rpc("who_am_i")).rejects.toMatchObject({ fault, code: String(status) });
    expect(api.faults.requests.get("who_am_i")).toBe(before + 1);
    expect(await db.rpc("who_am_i")).toBe("service_role");
  });

  const html = `<!DOCTYPE html><html><head><title>Error 1016</title><style>p { color: red }</style></head><body><h1>Origin DNS error</h1></body></html>`;
  test.each([
    [
      401,
      "denied",
      `{"message":"Invalid API key","hint":"Double check your API key."}`,
      "HTTP 401: Invalid API key; Double check your API key.",
    ],
    [
      402,
      "unreachable",
      `{"message":"Service for this project is restricted: exceed_egress_quota"}`,
      "HTTP 402: Service for this project is restricted: exceed_egress_quota",
    ],
    [540, "unreachable", `{"code":540,"message":"Project paused"}`, "HTTP 540: Project paused"],
    [503, "unreachable", `{"error":{"message":"upstream is away"}}`, "HTTP 503: upstream is away"],
    [503, "unreachable", `{"error":"upstream is away"}`, "HTTP 503: upstream is away"],
    [530, "unreachable", html, "HTTP 530: Error 1016 Origin DNS error"],
    [502, "unreachable", "", "HTTP 502"],
    [500, "fatal", "line one\nline two", "HTTP 500: line one line two"],
  ] as const)("reports what a gateway says with %i: %s, %s", async (status, fault, body, words) => {
    api.faults.answer(status, {}, body);
    await expect(db.rpc("who_am_i")).rejects.toMatchObject({
      fault,
      code: String(status),
      message: `who_am_i: ${words}`,
    });
  });

  test("shortens what a gateway says, and redacts the key in it", async () => {
    api.faults.answer(403, {}, JSON.stringify({ message: `bad key ${api.serviceKey}, ${"long ".repeat(500)}` }));
    const error: unknown = await db.rpc("who_am_i").catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      fault: "denied",
      message: expect.stringContaining("HTTP 403: bad key [hidden], long"),
    });
    expect(String(error).length).toBeLessThan(400);
  });

  test("says how to expose the schema public", async () => {
    const name = new URL(database.url ?? "").pathname.slice(1);
    const settings = (change: string) =>
      // In this database alone: the role is that of every project of the cluster.
      database
        .sql(`alter role authenticator in database ${name} ${change}`)
        .then(() => database.sql("notify pgrst, 'reload config'"));
    await settings("set pgrst.db_schemas = 'extensions'");
    try {
      const failure = () => db.rpc("who_am_i").catch((error: unknown) => error);
      await expect.poll(failure).toMatchObject({
        fault: "denied",
        code: "PGRST106",
        message: expect.stringMatching(/does not expose the schema public: add it under .* Exposed schemas/),
      });
    } finally {
      await settings("reset pgrst.db_schemas");
      await expect.poll(() => db.rpc("who_am_i").catch(() => null)).toBe("service_role");
    }
  });

  describe("with a stale schema cache", () => {
    const create = (name: string) =>
      database.sql(`create function public.${name}() returns jsonb language sql as 'select to_jsonb(1)'`);
    const waiting = (schemaCacheWaitMs: number) =>
      openSupabase({ url: api.url, serviceKey: api.serviceKey, logger: silent, schemaCacheWaitMs });

    test("waits until PostgREST has reloaded it", async () => {
      await create("late");
      await expect(db.rpc("late")).rejects.toMatchObject({ fault: "schema", code: "PGRST202" });
      const before = api.faults.requests.get("late") ?? 0;
      const patient = (await waiting(20_000)).rpc("late");
      await expect.poll(() => api.faults.requests.get("late")).toBeGreaterThan(before + 1);
      await database.sql("notify pgrst, 'reload schema'");
      expect(await patient).toBe(1);
    });

    test("reports a function that stays missing, after one wait in all, and ends the wait with the caller's signal", async () => {
      const impatient = await waiting(600);
      const startedAt = performance.now();
      for (let call = 0; call < 5; call++)
        await expect(impatient.rpc("nowhere")).rejects.toMatchObject({
          fault: "schema",
          message: expect.stringContaining("supabase db push"),
        });
      expect(performance.now() - startedAt).toBeGreaterThan(600);
      const before = api.faults.requests.get("nowhere") ?? 0;
      await expect(impatient.rpc("nowhere")).rejects.toMatchObject({ fault: "schema" });
      expect(api.faults.requests.get("nowhere")).toBe(before + 1);
      const signal = AbortSignal.timeout(300);
      await expect((await waiting(60_000)).rpc("nowhere", {}, { signal })).rejects.toMatchObject({
        name: "TimeoutError",
      });
    });

    test("is reloaded by migrate", async () => {
      const dir = await mkdtemp(join(tmpdir(), "spsync-migrations-"));
      onTestFinished(() => rm(dir, { recursive: true }));
      const sql = "create function public.migrated() returns jsonb language sql as 'select to_jsonb(2)';";
      await writeFile(join(dir, "20260101000001_one.sql"), sql);
      const direct = await openPostgres({ url: database.url ?? "", logger: silent });
      onTestFinished(() => direct.close());
      await migrate(direct, { dir });
      expect(await (await waiting(20_000)).rpc("migrated")).toBe(2);
    });
  });

  test("classifies a statement cancelled by the role's time limit as timeout", async () => {
    await database.sql("alter role service_role set statement_timeout = '200ms'");
    await database.sql("notify pgrst, 'reload config'");
    try {
      await expect
        .poll(() => db.rpc("wait_for", { seconds: 0.4 }).catch((error: unknown) => error))
        .toMatchObject({ fault: "timeout", code: "57014" });
    } finally {
      await database.sql("alter role service_role set statement_timeout = '8s'");
    }
  });

  test("classifies a key with a wrong signature, and a function that the role may not run, as denied", async () => {
    const anonymous = await withKey(api.anonKey);
    await expect(anonymous.rpc("secret")).rejects.toMatchObject({ fault: "denied", code: "42501" });
    const stranger = await withKey(signedKey("service_role", { secret: "another secret, long enough for HS256....." }));
    const error: unknown = await stranger.rpc("who_am_i").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ fault: "denied", code: "401" });
    expect(await db.rpc("secret").catch((reason: unknown) => reason)).toBe(1);
  });

  test("classifies a port without a server as unreachable, without the key in the message", async () => {
    const key = signedKey("service_role");
    const away = await openSupabase({ url: `http://127.0.0.1:${await freePort()}`, serviceKey: key, logger: silent });
    const error: unknown = await away.rpc("who_am_i").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ fault: "unreachable", code: "ECONNREFUSED" });
    expect(String(error)).not.toContain(key);
  });
});
