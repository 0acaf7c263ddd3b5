import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { widthOf } from "../../src/terminal/wrap.ts";
import { openTestDatabase } from "../support/databases.ts";
import { freePort } from "../support/free-port.ts";
import { startInTerminal, stripped } from "../support/pty.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { startSimulatedSteam } from "../support/steam/simulated-steam.ts";

/** Commands on a real terminal: widths, colours, the lines of a start, and expected failures. */

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const main = `${process.execPath} ${pathOf("../../src/main.ts")}`;
const sample = `${process.execPath} ${pathOf("../support/doctor-sample.ts")}`;

/** The lines as they are read, each of which must fit; no escape code may be cut. */
function linesOf(text: string, columns: number): string[] {
  const lines = stripped(text).replaceAll("\r", "").split("\n");
  for (const line of lines) expect({ line, fits: widthOf(line) <= columns }).toEqual({ line, fits: true });
  return lines;
}

it("lays out findings with colours at every width", async () => {
  const widths = [40, 80, 120, 200];
  const runs = await Promise.all(widths.map((columns) => startInTerminal(sample, { columns }).exited));
  for (const [index, { code, text }] of runs.entries()) {
    expect(code).toBe(0);
    const lines = linesOf(text, widths[index] ?? 0);
    expect(text).toContain("\u001b[31m");
    expect(lines.filter((line) => /^ {2}(ok|warning|failed) /.test(line))).toHaveLength(4);
    expect(lines.join(" ").replace(/\s+/g, " ")).toContain(
      "– 2 checks skipped: Steam cannot be reached (clock, metadata)",
    );
  }
});

it("doctor skips what follows from a proxy that cannot be reached, without waiting for it", async () => {
  const env = { HTTPS_PROXY: `http://me:hunter22@127.0.0.1:${await freePort()}` };
  const startedAt = performance.now();
  const { code, text } = await startInTerminal(`${main} doctor`, { columns: 80, env }).exited;
  expect(code).toBe(75);
  const shown = linesOf(text, 80).join("\n");
  expect(shown).toMatch(/^steam-pics-sync [\d.]+, Node v24/);
  expect(shown).toMatch(
    /^ {2}failed +proxy +the proxy http:\/\/127\.0\.0\.1:\d+: connection refused\n +\(ECONNREFUSED\)\n +→ Start the/m,
  );
  const words = shown.replace(/\s+/g, " ");
  expect(words).toMatch(
    / – 6 checks skipped: the proxy cannot be reached \(Steam servers, Steam logon, clock, .*IGDB\)/,
  );
  expect(words).toMatch(/ – 7 checks skipped: Steam cannot be reached \(metadata, SHA-1, .*change window\)/);
  expect(shown).not.toMatch(/hunter22|paste into an issue:/);
  // A logon alone would be waited for for 20 s.
  expect(performance.now() - startedAt).toBeLessThan(20_000);
});

it("a start says in one line each what it is, what it does, what to do next, and what happens, until Ctrl-C", async () => {
  const steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 3, count: 60 }) });
  onTestFinished(() => steam.close());
  const database = await openTestDatabase("postgres");
  onTestFinished(() => database.close());
  const port = await freePort();
  const env = { ...steam.env, ...database.env, HOST: "127.0.0.1", PORT: String(port), BULK_REQUEST_DELAY: "0" };
  const run = startInTerminal(main, { columns: 100, env: { ...env, POLL_INTERVAL: "1" } });
  onTestFinished(run.kill);
  await run.shows(/change [\d,]+ · 0 changed · 0 pending · polled \d+ s ago/);
  // The same port, while the first one listens.
  const second = await startInTerminal(main, { columns: 100, env }).exited;
  run.interrupt();
  const { code, text } = await run.exited;
  expect(code).toBe(0);
  const shown = stripped(text).replaceAll("\r", "\n");
  const parts = [
    `steam-pics-sync [\\d.]+ · sync · Postgres \\(127.*\\) · http://127\\.0\\.0\\.1:${port}\n`,
    "connecting to Steam\n",
    "bulk sync begins",
    "sweeping +[█░]+",
    "Bulk sync finished in .*: 60 apps stored",
    "Following Steam's changes until Ctrl-C",
    `Dashboard +http://127\\.0\\.0\\.1:${port}\n`,
    "change [\\d,]+ · ",
    "SIGINT: ",
    "Stopped; nothing is lost\\.",
  ];
  expect(shown).toMatch(new RegExp(`^\\[[\\d:]+\\] INFO: ${parts.join("[^]*")}`));
  expect(shown).not.toMatch(/Server listening|\n {4}at |WARN|ERROR/);

  expect(second.code).toBe(2);
  expect(stripped(second.text).trim().split("\r\n")).toEqual([
    expect.stringContaining("steam-pics-sync"),
    expect.stringContaining(
      `FATAL: another process listens on port ${port} (EADDRINUSE): stop it, or set PORT to another one`,
    ),
  ]);
});
