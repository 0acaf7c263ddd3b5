/** The module that the service makes at `/dashboard/settings.js` (page-settings.ts). */
export const settings: import("../page-settings.ts").PageSettings;
