/** `FULL=1`: each suite on all of its databases, and what takes long; for changes of the SQL or of a transport. */
export const isFull = process.env.FULL === "1";

/** For the title of a test that runs with `FULL=1` only. */
export const onlyFull = isFull ? "" : " (skipped without FULL=1)";
