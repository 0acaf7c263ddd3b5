// @ts-check
import { openApp } from "./app/app.js";
import { openApps } from "./apps/apps.js";
import { connect } from "./live.js";
import { openOverview } from "./overview/overview.js";
import { startRouter } from "./router.js";
import { setUpSearch } from "./search.js";
import { setUpShell } from "./shell.js";

/** Entry point: the shell, the pages, and the event stream. routes.ts serves index.html at each of these paths. */

setUpShell();
setUpSearch();
startRouter([
  { pattern: /^\/$/, title: "Steam catalog", open: openOverview },
  { pattern: /^\/app\/([^/]+)$/, title: "App", open: openApp },
  { pattern: /^\/apps$/, title: "Apps", open: openApps },
]);
connect();
