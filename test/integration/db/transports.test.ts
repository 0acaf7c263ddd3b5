import { beforeAll, expect, test } from "vitest";
import { createNews } from "../../../src/db/news.ts";
import { DatabaseError } from "../../../src/process/errors.ts";
import type { TestDatabase } from "../../support/databases.ts";
import { forEachTransport } from "../../support/databases.ts";

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
    begin raise exception 'failed on purpose' using errcode = state; end $$;
  create function public.wide(rows int) returns jsonb language sql as
    'select jsonb_agg(jsonb_build_object(''appid'', i, ''name'', repeat(''x'', 100))) from generate_series(1, rows) i';
  create function public.tell() returns void language sql as $$ select pg_notify('pics_changes', '') $$;
  create table public.marks (id int primary key);
  create function public.mark(id int) returns jsonb language sql as
    'insert into public.marks values (mark.id) returning to_jsonb(marks.id)';
`;

forEachTransport("rpc", (open, kind) => {
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

  test("round-trips every kind of value", async () => {
    const batch = [{ name: 'quotes " and \\ and 😀', list: [1, 2.5, null], deep: { yes: true } }];
    const args = { batch, count: 7, big: 9_000_000_000, label: "it's", at: new Date(0), flag: false };
    expect(await rpc("echo", args)).toEqual({ ...args, at: "1970-01-01T00:00:00+00:00" });
  });

  test("leaves out undefined arguments and sends null", async () => {
    const empty = { batch: null, count: null, big: null, label: null, at: null, flag: null };
    expect(await rpc("echo", { batch: {}, count: undefined, label: null })).toEqual({ ...empty, batch: {} });
  });

  test("accepts a bigint argument as text or bigint", async () => {
    expect(await rpc("echo", { batch: [], big: 2n ** 53n - 1n })).toMatchObject({ big: 2 ** 53 - 1 });
    expect(await rpc("echo", { batch: [], big: "9007199254740991" })).toMatchObject({ big: 2 ** 53 - 1 });
  });

  test("returns null for a function without a result", async () => {
    expect(await rpc("nothing")).toBeNull();
    expect(await rpc("empty_result")).toBeNull();
  });

  test("returns a large value complete", async () => {
    expect(await rpc("wide", { rows: 5_000 })).toHaveLength(5_000);
  });

  // The whole table is in sqlstate.test.ts; here, that each transport passes on the code, whatever HTTP status
  // PostgREST gives it. PostgREST repeats a transaction that ends with 40001 until it succeeds, so a function must
  // never raise that itself.
  const repeated = kind === "supabase" ? [] : [["40001", "retryable"]];
  test.each([
    ...repeated,
    ["22003", "data"],
    ["40P01", "retryable"],
    ["53300", "unreachable"],
    ["57014", "timeout"],
    ["42501", "denied"],
    ["P0001", "fatal"],
  ])("classifies SQLSTATE %s as %s", async (state, fault) => {
    expect(await faultOf(rpc("fail_with", { state }))).toMatchObject({ fault, code: state });
  });

  test("classifies values that Postgres rejects as data", async () => {
    expect(await faultOf(rpc("echo", { batch: ["a\0b"] }))).toMatchObject({ fault: "data" });
    expect(await faultOf(rpc("echo", { batch: ["\ud800"] }))).toMatchObject({ fault: "data" });
    expect(await faultOf(rpc("echo", { batch: [], count: 2 ** 40 }))).toMatchObject({ fault: "data" });
  });

  test("classifies a missing function as schema, with the remedy in the message", async () => {
    const error = await faultOf(rpc("no_such_function", { batch: [] }));
    expect(error.fault).toBe("schema");
    expect(error.message).toContain(kind === "supabase" ? "supabase db push" : "npm start -- migrate");
  });

  test("rejects names that would be SQL injection", async () => {
    await expect(rpc('echo"(); drop table marks; --')).rejects.toThrow(TypeError);
    await expect(rpc("echo", { 'batch" => $1); --': 1 })).rejects.toThrow(TypeError);
  });

  test("ends a call at its time limit, and runs the next one", async () => {
    const started = performance.now();
    expect(await faultOf(rpc("wait_for", { seconds: 4 }, { timeoutMs: 800 }))).toMatchObject({ fault: "timeout" });
    expect(performance.now() - started).toBeLessThan(3_500);
    expect(await rpc("wait_for", { seconds: 0 })).toBe("waited");
  });

  test("ends an aborted call at once with the signal's reason, and runs the next one", async () => {
    const stop = new AbortController();
    const reason = new Error("shutting down");
    const call = rpc("wait_for", { seconds: 3 }, { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 50);
    const started = performance.now();
    await expect(call).rejects.toBe(reason);
    expect(performance.now() - started).toBeLessThan(2_500);
    expect(await rpc("wait_for", { seconds: 0 })).toBe("waited");
  });

  test("never sends a call whose signal is already aborted", async () => {
    const reason = new Error("stopped");
    await expect(rpc("mark", { id: 1 }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await rpc("mark", { id: 2 })).toBe(2);
    expect(await database.sql("select id from public.marks order by id")).toEqual([{ id: 2 }]);
  });

  test("returns to each concurrent call its own result", async () => {
    const counts = Array.from({ length: 40 }, (_, count) => count);
    const results = await Promise.all(counts.map((count) => rpc("echo", { batch: [], count })));
    expect(results.map((result) => (result as { count: number }).count)).toEqual(counts);
  });

  test("a wait for news ends with a commit where the session is one's own, else with its time", async () => {
    const news = createNews(database.db);
    const end = new AbortController();
    // The first wait begins to listen.
    await news(1, end.signal);
    if (kind === "supabase") return expect(database.db.listen).toBeUndefined();
    await expect
      .poll(async () => {
        const started = performance.now();
        const waiting = news(10_000, end.signal);
        await rpc("tell");
        await waiting;
        return performance.now() - started;
      })
      .toBeLessThan(5_000);
    const aborted = news(10_000, end.signal);
    end.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow();
  });

  test("close is idempotent, and calls after it are rejected", async () => {
    const other = await open({ migrated: false });
    await other.db.close();
    await other.db.close();
    await expect(other.db.rpc("nothing")).rejects.toThrow();
  });
});
