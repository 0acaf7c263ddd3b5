import { writeFile } from "node:fs/promises";
import { startCluster } from "../test/support/cluster.ts";
import { databaseTypes, typesFile } from "../test/support/database-types.ts";

/** `npm run types`: writes `supabase/database.types.ts` by the migrations, on a Postgres of its own. */
const cluster = await startCluster();
try {
  await writeFile(typesFile, await databaseTypes(cluster.address));
} finally {
  await cluster.stop();
}
