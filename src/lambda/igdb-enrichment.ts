import { igdbEnrichment } from "../library/enrichment.ts";
import { igdbEnrichmentEvent } from "../library/events.ts";
import { createIgdb } from "../library/igdb.ts";
import { stageHandler } from "./stage-handler.ts";

export const handler = stageHandler("igdb_enrichment", igdbEnrichmentEvent, (event, runtime, signal) => {
  const { config, objects, web, logger } = runtime;
  const store = runtime.store(signal);
  const { igdbClientId: clientId, igdbClientSecret: clientSecret } = config.library;
  const igdb = createIgdb({ web, store, clientId, clientSecret, signal });
  return igdbEnrichment(event, { objects, igdb, store, logger, signal });
});
