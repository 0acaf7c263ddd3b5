import { steamImportEvent } from "../library/events.ts";
import { steamImport } from "../library/steam-import.ts";
import { stageHandler } from "./stage-handler.ts";

export const handler = stageHandler("steam_import", steamImportEvent, (event, { config, objects, web }, signal) =>
  steamImport(event, { web, objects, apiKey: config.steamApiKey, signal }),
);
