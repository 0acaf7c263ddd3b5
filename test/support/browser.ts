import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

/** Chromium as Debian has it, or where CHROMIUM_PATH says. */
export const chromiumPath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/** Without a browser these tests are left out, but never where the project checks itself. */
export const hasBrowser = existsSync(chromiumPath) || process.env.CI !== undefined;
if (!hasBrowser)
  console.warn(`The browser tests are skipped: there is no Chromium at ${chromiumPath} (CHROMIUM_PATH).`);

const quiet = ["quic", "first-run", "background-networking", "component-update", "sync", "gpu"];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      "--no-sandbox",
      "--no-first-run",
      ...quiet.filter((name) => name !== "first-run").map((name) => `--disable-${name}`),
    ],
  });
}

/** Everything that a page must not do, as it does it: complain, open a dialog, or ask another host. */
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
