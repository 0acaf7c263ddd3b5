import { beforeAll, expect, test } from "vitest";
import { DatabaseError } from "../../../src/process/errors.ts";
import type { TestDatabase } from "../../support/databases.ts";
import { forEachDatabase } from "../../support/databases.ts";

const functions = `
  create function public.echo(batch jsonb, count int default null, big bigint default null, label text default null,
    at timestamptz default null, flag boolean default null)
  returns jsonb language sql as $$
    select jsonb_build_object('batch', batch, 'count', count, 'big', big, 'label', label, 'at', at, 'flag', flag)
  $$;
  create function public.nothing() returns void language sql as 'select';
  create function public.empty_result() returns jsonb language sql as 'select null::jsonb';
  create function public.wait_for(seconds float) returns jsonb language plpgsql as $$
    begin perform pg_sleep(seconds); return '"waited"'; end $$;
  create function public.fail_with(state text) returns jsonb language plpgsql as $$
    begin raise exception 'failed as told' using errcode = state; end $$;
  create function public.wide(rows int) returns jsonb language sql as
    'select jsonb_agg(jsonb_build_object(''appid'', i, ''name'', repeat(''x'', 100))) from generate_series(1, rows) i';
  create table public.marks (id int primary key);
  create function public.mark(id int) returns jsonb language sql as
    'insert into public.marks values (mark.id) returning to_jsonb(marks.id)';
`;

forEachDatabase("a transport", (open, kind) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open({ migrated: false, prepare: functions });
  });
  const rpc: TestDatabase["db"]["rpc"] = (...args) => database.db.rpc(...args);
  const faultOf = async (call: Promise<unknown>): Promise<DatabaseError> => {
    const error = await call.then(
      (value) => new Error(`no error but ${JSON.stringify(value)}`),
      (reason: unknown) => reason,
    );
    if (!(error instanceof DatabaseError)) throw error;
    return error;
  };

  test("carries every kind of value there and back", async () => {
    const batch = [{ name: 'quotes " and \\ and 😀', list: [1, 2.5, null], deep: { yes: true } }];
    const args = { batch, count: 7, big: 9_000_000_000, label: "it's", at: new Date(0), flag: false };
    expect(await rpc("echo", args)).toEqual({ ...args, at: "1970-01-01T00:00:00+00:00" });
  });

  test("leaves out what is undefined and keeps what is null", async () => {
    const empty = { batch: null, count: null, big: null, label: null, at: null, flag: null };
    expect(await rpc("echo", { batch: {}, count: undefined, label: null })).toEqual({ ...empty, batch: {} });
  });

  test("takes a big integer as text or bigint", async () => {
    expect(await rpc("echo", { batch: [], big: 2n ** 53n - 1n })).toMatchObject({ big: 2 ** 53 - 1 });
    expect(await rpc("echo", { batch: [], big: "9007199254740991" })).toMatchObject({ big: 2 ** 53 - 1 });
  });

  test("returns null for a function without a result", async () => {
    expect(await rpc("nothing")).toBeNull();
    expect(await rpc("empty_result")).toBeNull();
  });

  test("returns one large value whole", async () => {
    expect(await rpc("wide", { rows: 5_000 })).toHaveLength(5_000);
  });

  // PostgREST repeats a transaction that ends with 40001 until it succeeds, so a function must never raise it itself.
  const repeatable = kind === "supabase" ? [] : [["40001", "retryable"]];
  test.each([
    ...repeatable,
    ["22003", "data"],
    ["23514", "data"],
    ["40P01", "retryable"],
    ["55P03", "retryable"],
    ["53300", "unreachable"],
    ["57P03", "unreachable"],
    ["57014", "timeout"],
    ["42501", "denied"],
    ["P0001", "fatal"],
  ])("an error of SQLSTATE %s is %s", async (state, fault) => {
    expect(await faultOf(rpc("fail_with", { state }))).toMatchObject({ fault, code: state });
  });

  test("text that Postgres refuses is a fault of the data", async () => {
    expect(await faultOf(rpc("echo", { batch: ["a\0b"] }))).toMatchObject({ fault: "data" });
    expect(await faultOf(rpc("echo", { batch: ["\ud800"] }))).toMatchObject({ fault: "data" });
    expect(await faultOf(rpc("echo", { batch: [], count: 2 ** 40 }))).toMatchObject({ fault: "data" });
  });

  test("a missing function is a fault of the schema, with what to do", async () => {
    const error = await faultOf(rpc("no_such_function", { batch: [] }));
    expect(error.fault).toBe("schema");
    expect(error.message).toContain(kind === "supabase" ? "supabase db push" : "npm start -- migrate");
  });

  test("names that are none of ours never reach the database", async () => {
    await expect(rpc('echo"(); drop table marks; --')).rejects.toThrow(TypeError);
    await expect(rpc("echo", { 'batch" => $1); --': 1 })).rejects.toThrow(TypeError);
  });

  test("a call that takes too long ends with a time-out, and the next one works", async () => {
    const started = performance.now();
    expect(await faultOf(rpc("wait_for", { seconds: 1.5 }, { timeoutMs: 200 }))).toMatchObject({ fault: "timeout" });
    expect(performance.now() - started).toBeLessThan(1_200);
    expect(await rpc("wait_for", { seconds: 0 })).toBe("waited");
  });

  test("an aborted call ends at once with the signal's reason, and the next one works", async () => {
    const stop = new AbortController();
    const reason = new Error("shutting down");
    const call = rpc("wait_for", { seconds: 1 }, { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 50);
    const started = performance.now();
    await expect(call).rejects.toBe(reason);
    expect(performance.now() - started).toBeLessThan(700);
    expect(await rpc("wait_for", { seconds: 0 })).toBe("waited");
  });

  test("a call with an aborted signal is never sent", async () => {
    const reason = new Error("stopped");
    await expect(rpc("mark", { id: 1 }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await rpc("mark", { id: 2 })).toBe(2);
    expect(await database.sql("select id from public.marks order by id")).toEqual([{ id: 2 }]);
  });

  test("calls at the same time do not mix up their results", async () => {
    const counts = Array.from({ length: 40 }, (_, count) => count);
    const results = await Promise.all(counts.map((count) => rpc("echo", { batch: [], count })));
    expect(results.map((result) => (result as { count: number }).count)).toEqual(counts);
  });

  test("closing twice is harmless, and a call afterwards is refused", async () => {
    const other = await open({ migrated: false });
    await other.db.close();
    await other.db.close();
    await expect(other.db.rpc("nothing")).rejects.toThrow();
  });
});
