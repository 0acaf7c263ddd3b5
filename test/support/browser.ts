import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, chromium, type Page } from "playwright-core";

/** Path of Chromium: CHROMIUM_PATH, or where Debian installs it. */
export const chromiumPath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/** Browser tests are skipped without Chromium, except in CI, where they fail. */
export const hasBrowser = existsSync(chromiumPath) || process.env.CI !== undefined;
if (!hasBrowser)
  console.warn(`The browser tests are skipped: there is no Chromium at ${chromiumPath} (CHROMIUM_PATH).`);

const disabled = ["quic", "background-networking", "component-update", "sync", "gpu"];

/**
 * A name of this machine that is no loopback address to the browser, as if the page were on another machine: over plain HTTP it is no
 * secure context.
 */
export const otherMachine = "other-machine.example";

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      "--no-sandbox",
      "--no-first-run",
      `--host-resolver-rules=MAP ${otherMachine} 127.0.0.1`,
      ...disabled.map((name) => `--disable-${name}`),
    ],
  });
}

/** Records the page's console errors and warnings, uncaught errors, dialogs and requests to other hosts. */
export function watchPage(page: Page, base: string): string[] {
  const faults: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`uncaught: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(base)) faults.push(`another host: ${request.url()}`);
  });
  return faults;
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds on the page that keeps people out: `rule: elements`, of serious and critical impact. */
export async function seriousIssues(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
}
