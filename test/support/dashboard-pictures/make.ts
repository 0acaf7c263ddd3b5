/**
 * Makes the pictures of the dashboard in docs/images, from an invented catalog, without a database:
 *
 *     node test/support/dashboard-pictures/make.ts [FOLDER [NAME…]]
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { buildServer } from "../../../src/http/server.ts";
import { loadConfig } from "../../../src/process/config.ts";
import { createMetrics } from "../../../src/status/metrics.ts";
import type { ServiceSnapshot } from "../../../src/status/snapshot.ts";
import { launchBrowser } from "../browser.ts";
import { following, fresh, inventedReader, loading, outage } from "./states.ts";

interface Picture {
  snapshot: () => ServiceSnapshot;
  isEmpty?: boolean;
  colorScheme?: "light" | "dark";
  /** The service is stopped before the picture is taken. */
  isStopped?: boolean;
}

const pictures: Record<string, Picture> = {
  loading: { snapshot: loading },
  following: { snapshot: following },
  "following-dark": { snapshot: following, colorScheme: "dark" },
  outage: { snapshot: outage },
  offline: { snapshot: following, isStopped: true },
  fresh: { snapshot: fresh, isEmpty: true },
};
const settleMs = 1_500;
/** Until the chart of throughput has a few samples. */
const chartMs = 7_000;
const widths = { 1280: 800, 768: 1024, 390: 844 };

const [folder = "docs/images", ...wanted] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await launchBrowser();
for (const [name, picture] of Object.entries(pictures)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const [width, height] of Object.entries(widths)) {
    await take(picture, { width: Number(width), height }, join(folder, `dashboard-${name}-${width}.png`));
  }
}
await browser.close();

async function take(picture: Picture, viewport: { width: number; height: number }, path: string): Promise<void> {
  await using server = serve(picture);
  const base = await server.listen({ port: 0, host: "127.0.0.1" });
  const { colorScheme = "light" } = picture;
  const context = await browser.newContext({ viewport, colorScheme, timezoneId: "UTC", reducedMotion: "reduce" });
  const page = await context.newPage();
  page.on("pageerror", (error) => process.stdout.write(`${path}: ${error}\n`));
  await page.goto(base);
  await page.locator("#state").filter({ hasNotText: "connecting" }).waitFor();
  await page.waitForTimeout(picture.snapshot === loading ? chartMs : settleMs);
  if (picture.isStopped) {
    await server.close();
    await page.locator(".banner").waitFor();
  }
  // A phone's page whole, since its length matters; the others as a window shows them, which also keeps the files small.
  await page.screenshot({ path, fullPage: viewport.width < 600 });
  const size = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]");
  process.stdout.write(`${path}: ${size}\n`);
  await context.close();
}

function serve({ snapshot: take, isEmpty = false }: Picture): ReturnType<typeof buildServer> {
  const config = loadConfig({});
  const snapshot = take();
  const startedAt = Date.now();
  // Like a service whose work continues, so that its throughput is drawn: about 400 apps a second.
  const stored = () => {
    const seconds = (Date.now() - startedAt) / 1_000;
    return snapshot.apps_stored + (isEmpty ? 0 : Math.round(400 * seconds + 40 * Math.sin(seconds)));
  };
  return buildServer({
    snapshot() {
      const monitor = snapshot.monitor && { ...snapshot.monitor, last_poll_at: new Date().toISOString() };
      return { ...snapshot, monitor, apps_stored: stored() };
    },
    reader: () => inventedReader(isEmpty),
    metrics: createMetrics(),
    settings: { ...config.http, keep: config.keep, history: true, historyDays: null },
    logger: pino({ enabled: false }),
  });
}
