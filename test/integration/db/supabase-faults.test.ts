import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../../src/db/database.ts";
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
