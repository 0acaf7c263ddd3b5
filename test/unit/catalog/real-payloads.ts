import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** One app as PICS sent it; the data lies beside the repository and is not part of it. */
export interface RealPayload {
  appid: number;
  text: string;
}

const file = fileURLToPath(new URL("../../../../shared/pics/appinfo.jsonl.gz", import.meta.url));

/** null where the data is absent. */
export function readRealPayloads(): RealPayload[] | null {
  if (!existsSync(file)) return null;
  const lines = gunzipSync(readFileSync(file)).toString("utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as RealPayload);
}
