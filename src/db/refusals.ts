import type { DatabaseError } from "../process/errors.ts";

/** SQLSTATEs by which a reachable database refuses every write, and what an operator does about each. */
const remedyByCode: Readonly<Record<string, string>> = {
  "25006":
    "the database is read-only: a hosted plan over its size is made so until space is freed or the plan is enlarged, " +
    "a standby until it is promoted, a role or database by default_transaction_read_only",
  "53100": "the disk of the database is full: free space on it, or enlarge it",
};

/**
 * Calls that the database refuses because it accepts no write at all. Reads succeed meanwhile, so a success clears the refusal only if it
 * is that of a call which was refused before.
 */
export interface Refusals {
  /** A call failed. `call` identifies it over its attempts. */
  failed(call: object, error: DatabaseError): void;
  /** A call succeeded. Returns true when this ended the refusal of writes. */
  succeeded(call: object): boolean;
  /** A call has ended, however it did. */
  ended(call: object): void;
  /** What is wrong and what to do; null while writes are not refused. */
  reason(): string | null;
}

export function createRefusals(): Refusals {
  const reasons = new Map<object, string>();
  return {
    failed(call, { code }) {
      const remedy = remedyByCode[code];
      if (remedy) reasons.set(call, `every write is refused (${code}): ${remedy}; writes are retried`);
      else reasons.delete(call);
    },
    succeeded(call) {
      if (!reasons.has(call)) return false;
      // The others find out for themselves at their next attempt.
      reasons.clear();
      return true;
    },
    ended: (call) => void reasons.delete(call),
    reason: () => reasons.values().next().value ?? null,
  };
}
