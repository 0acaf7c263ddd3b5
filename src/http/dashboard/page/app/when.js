// @ts-check
import { serviceNow } from "../clock.js";
import { ago, day } from "../format.js";

const recentMs = 2 * 86_400_000;

/** `20 min ago` within two days, else `2025-01-02`. @param {string} time ISO 8601 */
export const whenShort = (time) => (serviceNow() - Date.parse(time) < recentMs ? ago(time, serviceNow()) : day(time));
