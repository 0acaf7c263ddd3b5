/** A process that writes to the embedded database until it is killed, and reports each id once it is committed. */
import { pino } from "pino";
import { openPglite } from "../../../src/db/pglite.ts";

const [, , dataDir = ""] = process.argv;
const db = await openPglite({ dataDir, logger: pino({ level: "silent" }) });
process.on("disconnect", () => process.exit());
for (let id = 1; ; id++) {
  await db.query("insert into public.marks values ($1)", [id]);
  process.send?.(id);
}
