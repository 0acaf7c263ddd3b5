import { Webhook as Verifier } from "standardwebhooks";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { runCommand } from "../../support/command.ts";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { startService } from "../../support/service.ts";
import { type Receiver, startReceiver } from "../../support/webhooks/receiver.ts";

/** The commands and the service as processes, from `webhook add` to `webhook remove`. */

let database: TestDatabase;
let receiver: Receiver;
beforeAll(async () => {
  [database, receiver] = await Promise.all([openTestDatabase("postgres"), startReceiver()]);
  await database.sql("insert into apps (appid, name, type) values (10, 'Portal', 'game'), (20, 'Other', 'game')");
  await database.sql("insert into steam_tags (tag_id, name) values (1, 'Puzzle')");
});
afterAll(async () => {
  await receiver.close();
  await database.close();
});

const run = (args: string[], env: Record<string, string> = {}) =>
  runCommand({ args: ["webhook", ...args], database, env: { WEBHOOK_ALLOW_PRIVATE: "on", ...env } });

test("`webhook add` checks address, filters and history, and a service delivers what fits", async () => {
  const refusals: [args: string[], env: Record<string, string>, message: string][] = [
    [["--tag", "Puzle"], {}, 'unknown tag "Puzle"; did you mean "Puzzle"?'],
    [[], { HISTORY: "off" }, "HISTORY=off records no changes"],
  ];
  const [added, ...refused] = await Promise.all([
    run(["add", receiver.url, "--event", "renamed,released", "--app", "10", "--type", "game", "--after", "0"]),
    ...refusals.map(([args, env]) => run(["add", receiver.url, ...args], env)),
  ]);
  for (const [index, [, , message]] of refusals.entries()) {
    expect(refused[index]).toEqual({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
  }
  expect(added).toMatchObject({ code: 0, stderr: "" });
  const [, id = ""] =
    /^Webhook ([0-9a-f]{8}) added: renamed, released of app 10; type game, to http/.exec(added.stdout) ?? [];
  const [secret = ""] = /whsec_\S+/.exec(added.stdout) ?? [];
  expect(id).not.toBe("");

  // COLLECT_INTERVAL makes a service of it that needs no Steam.
  const service = startService({
    args: ["collect"],
    database,
    env: { COLLECT_INTERVAL: "3600", WEBHOOK_ALLOW_PRIVATE: "on" },
  });
  onTestFinished(() => service.stop());
  const [tried, listed] = await Promise.all([run(["test", id]), run(["list"])]);
  expect(tried).toEqual({ code: 0, stdout: expect.stringMatching(/^204 No Content after /), stderr: "" });
  expect(listed).toMatchObject({ code: 0, stderr: "" });
  expect(listed.stdout).toMatch(
    new RegExp(`^${id} {2}live {2}http://127.0.0.1:\\d+/hook\n {2}Events +renamed, released of app 10`),
  );
  expect(listed.stdout).not.toContain("whsec");

  await database.sql(`insert into app_changes (appid, change_number, field, old, new)
    values (10, 5, 'name', '"Old"', '"Portal"'), (20, 5, 'name', '"Old"', '"Other"'), (10, 5, 'type', '"demo"', '"game"')`);
  await expect.poll(() => receiver.received.length).toBe(2);
  const messages = receiver.received.map(({ headers, body }) => new Verifier(secret).verify(body, headers));
  expect(messages).toMatchObject([
    { type: "test" },
    { type: "app.renamed", data: { appid: 10, name: "Portal", old: "Old", new: "Portal" } },
  ]);

  const metrics = await (await fetch(`${await service.url()}/metrics`)).text();
  expect(metrics).toContain('webhook_deliveries_total{outcome="delivered"} 1');
  expect(metrics).toContain('webhook_count{state="live"} 1');
  service.kill("SIGTERM");
  expect(await service.exited).toEqual({ code: 0, signal: null });
  expect(JSON.stringify(service.logs)).not.toContain(secret.slice("whsec_".length));
  const rows = await database.sql<{ delivered: number; cursor: number; last: number }>(
    "select delivered, cursor, (select max(id) from app_events) as last from webhooks",
  );
  expect(rows).toEqual([{ delivered: 1, cursor: expect.any(Number), last: expect.any(Number) }]);
  expect(rows[0]?.cursor).toBeGreaterThanOrEqual(rows[0]?.last ?? 0);

  expect(await run(["remove", id])).toMatchObject({ code: 0, stdout: `Webhook ${id} removed.\n` });
  expect(await database.sql("select id from webhooks")).toEqual([]);
});
