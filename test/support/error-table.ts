import { type ErrorCode, errorCodes } from "../../src/db/error-codes.ts";
import type { DatabaseFault } from "../../src/process/errors.ts";
import { formatTable } from "./layout.ts";

/** Two tables of docs/database-errors.md, from the source that classifies the errors. `npm run docs` writes them. */

const outcomes: Readonly<Record<DatabaseFault, string>> = {
  unreachable: "retried with backoff; a one-off command ends with 75 after `GIVE_UP_AFTER`",
  retryable: "retried with backoff; the database counts as reachable",
  timeout: "retried, with a smaller batch where there is one",
  data: "the batch is split until the bad row is alone; its app is recorded and tried later",
  schema: "ends with 1 and says how to migrate",
  denied: "ends with 2; a running service retries where the connection, and not a single call, is rejected",
  misconfigured: "ends with 2; a running service retries, since its settings have worked",
  fatal: "ends with 1: a bug in this program",
};

export function faultTable(): string {
  return formatTable(["Fault", "What the service does"], Object.entries(outcomes));
}

export function errorTable(): string {
  const groups = new Map<string, ErrorCode[]>();
  for (const row of errorCodes) {
    const key = JSON.stringify([row.fault, row.meaning, row.remedy, row.tokens, row.atConnection]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const rows = [...groups.values()].map((group) => {
    const [row] = group as [ErrorCode];
    const codes = group.map(({ code }) => `\`${code}\``).join(", ");
    return [`${codes}${conditionOf(row)}`, row.meaning, row.fault, remedyOf(row)];
  });
  return formatTable(["Code", "Meaning", "Fault", "Remedy"], rows);
}

function conditionOf({ tokens, atConnection }: ErrorCode): string {
  if (tokens) return ` with ${tokens.map((token) => `“${token}”`).join(" or ")}`;
  return atConnection ? " while connecting" : "";
}

function remedyOf({ remedy }: ErrorCode): string {
  if (remedy === undefined) return "";
  return typeof remedy === "string" ? remedy : `Postgres: ${remedy.postgres}. Supabase: ${remedy.supabase}`;
}
