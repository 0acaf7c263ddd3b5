import { DatabaseError } from "../process/errors.ts";
import type { Database } from "./database.ts";

/** Counts failed calls by SQLSTATE: the same database, which also passes the error of each failed call to `onError`. */
export function withErrorMetrics<D extends Database>(db: D, onError: (error: DatabaseError) => void): D {
  return {
    ...db,
    async rpc(name, args, options) {
      try {
        return await db.rpc(name, args, options);
      } catch (error) {
        if (error instanceof DatabaseError) onError(error);
        throw error;
      }
    },
  };
}
