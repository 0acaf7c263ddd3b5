import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { forEachDatabase } from "../../support/databases.ts";
import { useCatalog } from "./catalog.ts";

forEachDatabase("the leader lease", (open) => {
  const { call, sql } = useCatalog(open);
  const acquire = (worker_id: string, lease_seconds = 60, role = "monitor") =>
    call<{ leading: boolean; free_in_seconds: number | null }>("leader_acquire", { role, worker_id, lease_seconds });
  const release = (worker_id: string) => call("leader_release", { role: "monitor", worker_id });
  const leading = { leading: true, free_in_seconds: null };
  const [worker, other] = [randomUUID(), randomUUID()];

  test("is acquired while free and renewed by its leader, and others learn when it lapses", async () => {
    expect(await acquire(worker)).toEqual(leading);
    const refused = await acquire(other);
    expect(refused).toEqual({ leading: false, free_in_seconds: expect.any(Number) });
    expect(refused.free_in_seconds).toBeGreaterThan(50);
    expect(refused.free_in_seconds).toBeLessThanOrEqual(60);
    expect(await acquire(worker, 90)).toEqual(leading);
    expect((await acquire(other)).free_in_seconds).toBeGreaterThan(80);
  });

  test("is one per role", async () => {
    expect(await acquire(worker, 60, "monitor")).toEqual(leading);
    expect(await acquire(other, 60, "collector")).toEqual(leading);
  });

  test("is acquired by another worker after it lapsed, and refused to the old leader", async () => {
    await acquire(worker, 0);
    expect(await acquire(other)).toEqual(leading);
    expect((await acquire(worker)).leading).toBe(false);
  });

  test("is renewed after it lapsed when no other worker acquired it", async () => {
    await acquire(worker);
    await sql("update leader_leases set lease_until = now() - interval '1 second'");
    expect(await acquire(worker)).toEqual(leading);
  });

  test("goes to one of several concurrent workers", async () => {
    const replies = await Promise.all(Array.from({ length: 6 }, () => acquire(randomUUID())));
    expect(replies.filter((reply) => reply.leading)).toHaveLength(1);
  });

  test("is released by its leader only, who may repeat it", async () => {
    await acquire(worker);
    expect(await release(other)).toEqual({ released: false });
    expect((await acquire(other)).leading).toBe(false);
    expect(await release(worker)).toEqual({ released: true });
    expect(await release(worker)).toEqual({ released: false });
    expect(await acquire(other)).toEqual(leading);
    expect(await release(worker)).toEqual({ released: false });
    expect((await acquire(randomUUID())).leading).toBe(false);
  });
});
