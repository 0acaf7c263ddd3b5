import { databaseImport } from "../library/database-import.ts";
import { databaseImportEvent } from "../library/events.ts";
import { stageHandler } from "./stage-handler.ts";

export const handler = stageHandler("database_import", databaseImportEvent, (event, { objects, store }, signal) =>
  databaseImport(event, { objects, store: store(signal), signal }),
);
