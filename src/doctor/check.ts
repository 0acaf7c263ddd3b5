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
  /** What to do, as a sentence. Every failure has one; null where there is nothing to do. */
  remedy: string | null;
  /** Why the check was not run, where another finding is the reason: what was skipped for one cause is shown as one line. */
  cause: string | null;
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

const finding = (result: Result, summary: string): Finding => ({
  result,
  summary,
  blame: null,
  remedy: null,
  cause: null,
});
export const ok = (summary: string): Finding => finding("ok", summary);
export const warning = (summary: string, remedy: string | null = null): Finding => ({
  ...finding("warning", summary),
  remedy,
});
/** Not run since there is nothing to check, such as a service without a key. */
export const skipped = (summary: string): Finding => finding("skipped", summary);
/** Not run because of another finding, in a few words: `Steam cannot be reached`. */
export const blocked = (cause: string): Finding => ({ ...finding("skipped", `${cause}.`), cause });
export const failed = (summary: string, blame: Blame, remedy: string): Finding => ({
  ...finding("failed", summary),
  blame,
  remedy,
});

/**
 * The arguments of {@link failed} from an error whose text says what happened and then what to do: as sentences, or after its last colon.
 * Where it is cut wrongly, the two still read in order.
 */
export function adviceOf(message: string, blame: Blame): Parameters<typeof failed> {
  const [, what, remedy] = /^(.+?)\.\s+(?=[A-Z])(.+)$/s.exec(message) ?? /^(.+): (.+)$/s.exec(message) ?? [];
  if (what === undefined || remedy === undefined) return [message, blame, "Correct what it names."];
  return [what, blame, `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}`];
}

/** Causes of checks that are not run. */
export const causes = {
  configuration: "the configuration is invalid",
  database: "the database cannot be opened",
  schema: "the schema is missing or outdated",
  noCatalog: "there is no catalog yet",
  proxy: "the proxy cannot be reached",
  steam: "Steam cannot be reached",
  /** Two services fail with the same error code. */
  network: "it fails as Steam does",
} as const;

export interface RunOptions {
  signal: AbortSignal;
  onGroup?: (title: string) => void;
  onOutcome: (outcome: Outcome) => void;
}

/**
 * Runs the checks group by group and reports each outcome as soon as it is known. A check that throws counts as failed; the others run on.
 *
 * @returns all outcomes in the order of the checks.
 */
export async function runChecks(
  groups: readonly CheckGroup[],
  { signal, onGroup, onOutcome }: RunOptions,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { title, checks, concurrent = false } of groups) {
    onGroup?.(title);
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

const unexpected = "Nothing like this is foreseen: report it with the output of `doctor --report`.";

async function timed(check: Check): Promise<Finding & Pick<Outcome, "duration_ms">> {
  const startedAt = performance.now();
  let finding: Finding;
  try {
    finding = await check.run();
  } catch (error) {
    finding = failed(error instanceof Error ? error.message : String(error), "other", unexpected);
  }
  return { ...finding, duration_ms: Math.round(performance.now() - startedAt) };
}
