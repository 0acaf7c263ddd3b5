/** One check of `doctor`. */
export interface Check {
  name: string;
  run(): Promise<Finding>;
}

export const results = ["ok", "warning", "failed", "skipped"] as const;
export type Result = (typeof results)[number];

/** Kind of cause of a failure, which decides the exit code. */
export type Blame = "configuration" | "unreachable" | "other";

export interface Finding {
  result: Result;
  /** One or two sentences. */
  summary: string;
  /** Null unless it failed. */
  blame: Blame | null;
}

export interface Outcome extends Finding {
  group: string;
  name: string;
  duration_ms: number;
}

export interface CheckGroup {
  title: string;
  checks: readonly Check[];
  /** The checks are independent of each other and run concurrently. */
  concurrent?: boolean;
}

export const ok = (summary: string): Finding => ({ result: "ok", summary, blame: null });
export const warning = (summary: string): Finding => ({ result: "warning", summary, blame: null });
export const skipped = (summary: string): Finding => ({ result: "skipped", summary, blame: null });
export const failed = (summary: string, blame: Blame): Finding => ({ result: "failed", summary, blame });

/**
 * Runs the checks group by group and reports each outcome as soon as it is known. A check that throws counts as failed; the others run on.
 *
 * @returns all outcomes in the order of the checks.
 */
export async function runChecks(
  groups: readonly CheckGroup[],
  { signal, onOutcome }: { signal: AbortSignal; onOutcome: (outcome: Outcome) => void },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { title, checks, concurrent = false } of groups) {
    const run = async (check: Check) => {
      const outcome = { group: title, name: check.name, ...(await timed(check)) };
      signal.throwIfAborted();
      onOutcome(outcome);
      return outcome;
    };
    if (concurrent) outcomes.push(...(await Promise.all(checks.map(run))));
    else for (const check of checks) outcomes.push(await run(check));
  }
  return outcomes;
}

async function timed(check: Check): Promise<Finding & Pick<Outcome, "duration_ms">> {
  const startedAt = performance.now();
  let finding: Finding;
  try {
    finding = await check.run();
  } catch (error) {
    finding = failed(error instanceof Error ? error.message : String(error), "other");
  }
  return { ...finding, duration_ms: Math.round(performance.now() - startedAt) };
}
