// @ts-check
/** Time of the service: ages are computed by its clock, since the viewer's may be wrong. */

let aheadMs = 0;

/** Sets the service's clock. @param {string} time ISO 8601, now */
export function setServiceTime(time) {
  aheadMs = Date.parse(time) - Date.now();
}

/** Milliseconds since 1970 by the service's clock. */
export const serviceNow = () => Date.now() + aheadMs;
