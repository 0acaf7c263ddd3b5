import { steamImportEvent } from "../events.ts";
import { steamImport } from "../steam-import.ts";
import { stageHandler } from "./stage-handler.ts";

export const handler = stageHandler("steam_import", steamImportEvent, (event, { config, objects, web }, signal) =>
  steamImport(event, { web, objects, apiKey: config.steamApiKey, signal }),
);
