import { formatCount } from "./format.ts";
import { formatAge } from "./layout.ts";
import { cut } from "./wrap.ts";

/** The change monitor on a terminal: a line that is drawn anew while it follows Steam, and what the reader can do meanwhile. */

export interface Following {
  change: number | null;
  /** Apps stored since this process began to follow. */
  changed: number;
  pending: number;
  failing: number;
  /** ISO 8601; null before the first poll. */
  polledAt: string | null;
  /** This worker is the leader, which polls. */
  isLeading: boolean;
  isSweeping: boolean;
  isSteamConnected: boolean;
  isDatabaseReachable: boolean;
}

/** `change 36,000,446 · 412 changed · 0 pending · polled 1 s ago`, cut at the width; what is away comes first. */
export function formatFollowing(state: Following, now: number, width = 80): string {
  const { change, changed, pending, failing, polledAt, isLeading } = state;
  const polled =
    polledAt === null ? "not polled yet" : `polled ${formatAge(Math.round((now - Date.parse(polledAt)) / 1_000))} ago`;
  const pieces = [
    ...(state.isDatabaseReachable ? [] : ["the database is away"]),
    ...(state.isSteamConnected ? [] : ["Steam is away"]),
    change === null ? "no change yet" : `change ${formatCount(change)}`,
    `${formatCount(changed)} changed`,
    `${formatCount(pending)} pending`,
    ...(failing > 0 ? [`${formatCount(failing)} failing`] : []),
    isLeading || polledAt === null ? polled : "another worker polls",
    ...(state.isSweeping ? ["full sweep"] : []),
  ];
  return cut(pieces.join(" · "), width - 1);
}

export interface NextSteps {
  /** Of the dashboard; null without it. */
  address: string | null;
  /** `DATA_DIR=./elsewhere ` where the commands need it; else "". */
  prefix: string;
}

/** Printed when a service has begun to follow Steam. */
export function formatNextSteps({ address, prefix }: NextSteps): string {
  return [
    "",
    "Following Steam's changes until Ctrl-C; the next start goes on where this one ends.",
    ...(address === null ? [] : [`  Dashboard  ${address}`]),
    `  An app     ${prefix}npm start -- app 620`,
    `  State      ${prefix}npm start -- status`,
    "",
    "",
  ].join("\n");
}
