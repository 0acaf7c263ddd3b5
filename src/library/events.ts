import { z } from "zod";
import { DatabaseError } from "../process/errors.ts";
import { ImportRejectedError } from "./errors.ts";
import { steamId64Pattern, userIdPattern } from "./ids.ts";

/**
 * Events and responses of the three stages, in the shape of AWS Lambda payloads: snake_case, validated. The response of
 * one stage becomes part of the next stage's event (see state-machine.asl.json and pipeline.ts).
 */

const idRule = "must be letters, digits and . _ @ | : + -, beginning with a letter or digit, without ..";
const userId = z.string().regex(userIdPattern, idRule);
const executionId = z.string().regex(userIdPattern, idRule).optional();
const location = z.string().regex(/^(s3:\/\/[^/]+\/.+|file:\/.+)$/, "must be s3://bucket/key or file:///path");

export const steamImportEvent = z.object({
  user_id: userId,
  /** Text, because it exceeds the safe integers of a JSON number. */
  steam_id64: z.string().regex(steamId64Pattern, "must be a SteamID64: 17 digits that begin with 7656119, as text"),
  execution_id: executionId,
});
export type SteamImportEvent = z.infer<typeof steamImportEvent>;

export const igdbEnrichmentEvent = z.object({ user_id: userId, s3_location: location, execution_id: executionId });
export type IgdbEnrichmentEvent = z.infer<typeof igdbEnrichmentEvent>;

export const databaseImportEvent = z.object({
  user_id: userId,
  s3_enriched_location: location,
  execution_id: executionId,
});
export type DatabaseImportEvent = z.infer<typeof databaseImportEvent>;

/** Response for a permanent failure: a private profile, an invalid event, a file that is not of this import. */
export interface Failure {
  success: false;
  error: string;
}

export interface SteamImportResponse {
  success: true;
  user_id: string;
  s3_location: string;
  game_count: number;
}

export interface EnrichmentStats {
  processed: number;
  matched: number;
  unmatched: number;
  /** DLC, demos, soundtracks and the like. */
  filtered: number;
}

export interface IgdbEnrichmentResponse {
  success: true;
  user_id: string;
  s3_enriched_location: string;
  stats: EnrichmentStats;
}

export interface ImportStats {
  imported_games_created: number;
  imported_games_updated: number;
  games_created: number;
  games_updated: number;
  library_items_created: number;
}

export interface DatabaseImportResponse {
  success: true;
  user_id: string;
  stats: ImportStats;
}

/**
 * Validates an event and runs a stage with it. A permanent failure becomes a {@link Failure} response: an
 * {@link ImportRejectedError}, or values that the database rejects (SQLSTATE 22xxx, 23xxx). Every other error is thrown,
 * so that the caller (Step Functions) retries.
 */
export async function handleEvent<Event, Response>(
  shape: z.ZodType<Event>,
  event: unknown,
  stage: (event: Event) => Promise<Response>,
): Promise<Response | Failure> {
  const parsed = shape.safeParse(event);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => [...path, message].join(": "));
    return { success: false, error: `Invalid event: ${faults.join("; ")}` };
  }
  try {
    return await stage(parsed.data);
  } catch (error) {
    if (error instanceof ImportRejectedError) return { success: false, error: error.message };
    if (!(error instanceof DatabaseError) || error.fault !== "data") throw error;
    return { success: false, error: `The database rejects a value: ${error.message}` };
  }
}
