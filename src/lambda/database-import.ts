import { databaseImport } from "../library/database-import.ts";
import { databaseImportEvent } from "../library/events.ts";
import { stageHandler } from "./stage-handler.ts";

export const handler = stageHandler("database_import", databaseImportEvent, (event, runtime, signal) => {
  const { config, objects, store } = runtime;
  return databaseImport(event, { objects, store: store(signal), tables: config.library.tables, signal });
});
