/**
 * Makes the pictures of the app page in docs/images, of an app of a running demo (`npm run demo keep`):
 *
 *     node test/support/dashboard-pictures/app.ts [http://localhost:8080] [APPID]
 */
import { launchBrowser } from "../browser.ts";

const [base = "http://localhost:8080", appid = "730"] = process.argv.slice(2);
const browser = await launchBrowser();
for (const [name, width, height, colorScheme] of [
  ["app", 1280, 900, "light"],
  ["app-dark", 1280, 900, "dark"],
  ["app", 768, 1024, "light"],
  ["app", 390, 844, "light"],
] as const) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, timezoneId: "UTC" });
  const page = await context.newPage();
  await page.goto(`${base}/app/${appid}`);
  await page.locator(".app-head").waitFor();
  await page.waitForLoadState("networkidle", { timeout: 2_000 }).catch(() => {});
  await page.screenshot({ path: `docs/images/dashboard-${name}-${width}.png` });
  await context.close();
}
await browser.close();
