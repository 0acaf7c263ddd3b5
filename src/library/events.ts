import { z } from "zod";
import { DatabaseError } from "../process/errors.ts";
import { ImportRejectedError } from "./errors.ts";
import { parseProfile, userIdPattern, userIdRule } from "./ids.ts";

/**
 * Events and responses of the three stages, in the shape of AWS Lambda payloads: snake_case, validated. The response of
 * one stage becomes part of the next stage's event (see state-machine.asl.json and pipeline.ts).
 */

const userId = z.string().regex(userIdPattern, userIdRule);
const executionId = z.string().regex(userIdPattern, userIdRule).optional();
const location = z.string().regex(/^(s3:\/\/[^/]+\/.+|file:\/.+)$/, "must be s3://bucket/key or file:///path");

export const steamImportEvent = z.object({
  user_id: userId,
  /** Any form of {@link parseProfile}. Text, because a SteamID64 exceeds the safe integers of a JSON number. */
  steam_id64: z.string("must be text, in quotes").superRefine((given, context) => {
    const profile = parseProfile(given);
    if ("fault" in profile) context.addIssue({ code: "custom", message: profile.fault });
  }),
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
  /** The SteamID64 of the profile, also when the event had a custom name. */
  steam_id64: string;
  s3_location: string;
  /** Games in the file. */
  game_count: number;
  /** Entries of Steam's answer that cannot be read or stored, and are not in the file. */
  skipped_count: number;
  /** The first of them, each as what it is and what is wrong with it. */
  skipped: string[];
}

export interface EnrichmentStats {
  processed: number;
  matched: number;
  unmatched: number;
  /** DLC, demos, soundtracks and the like. */
  filtered: number;
  /** Of the unmatched games, those that IGDB refuses to be asked for; the next import asks again. Absent when none is. */
  failed?: number;
  /** Those games, at most 100 of them. */
  failed_games?: { appid: number; name: string }[];
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
