import { readFileSync } from "node:fs";
import { asSuperuser, type ClusterAddress } from "../../test/support/cluster.ts";

/** Returns a reader of the processor time (ms) that the one backend of a database has used. Of Linux: NaN elsewhere. */
export async function backendCpu(cluster: ClusterAddress, database: string): Promise<() => number> {
  const { rows } = await asSuperuser(cluster, "postgres", (client) =>
    client.query<{ pid: number }>("select pid from pg_stat_activity where datname = $1", [database]),
  );
  if (rows.length !== 1) throw new Error(`${rows.length} backends of ${database}`);
  const pid = rows[0]?.pid;
  if (process.platform !== "linux") return () => Number.NaN;
  // The first number: nanoseconds spent on a processor.
  return () => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ", 1)[0]) / 1e6;
}
