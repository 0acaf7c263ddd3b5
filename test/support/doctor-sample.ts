/** Prints outcomes of `doctor` as the command does, for tests that run it on terminals of several widths. */
import { blocked, failed, ok, warning } from "../../src/doctor/check.ts";
import { createPrinter, formatClosing } from "../../src/doctor/report.ts";
import { terminalOf } from "../../src/terminal/layout.ts";

const findings = {
  settings: ok(
    "Postgres (db.example:6432/steam); no proxy; not set: STEAM_API_KEY, API_KEY, IGDB_CLIENT_ID, S3_BUCKET",
  ),
  access: warning("every client that reaches port 8080 may read everything", "Set API_KEY, or HOST=127.0.0.1."),
  "texts over HTTP": ok(
    "offered by 漢字漢字漢字漢字漢字漢字漢字.example as https://example.org/a/very/long/address/of/more/than/40/columns",
  ),
  "Steam servers": failed(
    "api.steampowered.com is unreachable: host name not found (DNS) (ENOTFOUND)",
    "unreachable",
    "Check it.",
  ),
  clock: blocked("Steam cannot be reached"),
  metadata: blocked("Steam cannot be reached"),
};
const terminal = terminalOf(process.stdout);
const printer = createPrinter((text) => process.stdout.write(text), terminal);
const outcomes = Object.entries(findings).map(([name, finding]) => ({
  ...finding,
  name,
  group: "All",
  duration_ms: 1_500,
}));
printer.group("All");
for (const outcome of outcomes) printer.outcome(outcome);
printer.end();
process.stdout.write(formatClosing(outcomes, { terminal, report: false }));
