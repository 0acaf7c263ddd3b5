// @ts-check
import { el } from "../dom.js";
import { latestMessage, onMessage } from "../live.js";
import { isLoading } from "../state.js";
import { activityPanel } from "./activity.js";
import { backgroundPanel } from "./background.js";
import { catalogPanels } from "./catalog.js";
import { failingPanel } from "./failing.js";
import { feedPanel } from "./feed.js";
import { loadingHero } from "./loading.js";
import { serviceLine } from "./service.js";
import { storedPanel } from "./stored.js";
import { tiles } from "./tiles.js";

/**
 * The overview. While a catalog is loaded its hero is the progress, with the apps stored last; else the feed of events, or those apps where
 * no history is kept.
 *
 * @type {import("../router.js").OpenPage}
 */
export function openOverview(view, _place, signal) {
  const figures = tiles(signal);
  const hero = loadingHero(signal);
  const feed = feedPanel(signal);
  const stored = storedPanel(signal);
  const activity = activityPanel(signal);
  const main = el("div", { class: "stack" }, feed, stored, failingPanel(signal), backgroundPanel(signal));
  const side = el("div", { class: "stack side" }, activity, ...catalogPanels(signal));
  view.append(figures, hero, el("div", { class: "split" }, main, side), serviceLine(signal));

  const arrange = () => {
    const status = latestMessage("status");
    const hasHistory = latestMessage("service")?.history !== false;
    const loads = status !== undefined && isLoading(status);
    hero.hidden = !loads;
    figures.hidden = loads;
    activity.hidden = loads || !hasHistory;
    feed.hidden = loads || !hasHistory;
    stored.hidden = !loads && hasHistory;
  };
  onMessage("service", arrange, signal);
  onMessage("status", arrange, signal);
  arrange();
}
