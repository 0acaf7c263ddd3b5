import { setFlagsFromString } from "node:v8";

/**
 * How much memory the embedded database may use. V8's optimizing compiler takes 500 MB for one of PGlite's functions alone, so a small
 * machine uses the baseline compiler only: 30 % less throughput (`npm run bench -- embedded`), and a third of the memory.
 */
export type MemoryProfile = "small" | "roomy";

/** Below this, the peaks of `roomy` (1.1 GB) could end the process. */
const roomyBytes = 1_536 * 2 ** 20;

/**
 * The least memory of a service with the embedded database, in bytes: while the database is created, and from then on. Measured in memory
 * cgroups by `npm run soak -- memory`.
 */
export const minPgliteMemory = { first: 640 * 2 ** 20, later: 400 * 2 ** 20 } as const;

export function profileFor(limitBytes: number): MemoryProfile {
  return limitBytes < roomyBytes ? "small" : "roomy";
}

const flags: Record<MemoryProfile, readonly string[]> = {
  // What `--liftoff-only` implies on the command line has to be set one by one at run time.
  small: ["--liftoff-only", "--no-wasm-tier-up", "--no-wasm-dynamic-tiering"],
  roomy: ["--no-liftoff-only", "--wasm-tier-up", "--wasm-dynamic-tiering"],
};

/** Postgres settings, as start parameters. Shared buffers are allocated in full; PGlite's default is 128 MB. */
const settings: Record<MemoryProfile, readonly string[]> = { small: ["shared_buffers=16MB"], roomy: [] };

/**
 * Sets V8's flags for WebAssembly modules that are compiled from now on, by any thread of the process.
 *
 * @returns Postgres's start parameters, to be added to PGlite's own.
 */
export function applyProfile(profile: MemoryProfile): string[] {
  for (const flag of flags[profile]) setFlagsFromString(flag);
  return settings[profile].flatMap((setting) => ["-c", setting]);
}
