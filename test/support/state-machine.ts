/**
 * Small interpreter of the Amazon States Language: Task (Lambda and SQS), Choice, Pass, Succeed and Fail, with retries
 * without delay. Unsupported features are errors, so that a definition cannot depend on them.
 *
 * Fields as in https://states-language.net/spec.html; `States.ALL` matches every error but `States.Runtime`.
 */
export interface State {
  Type: string;
  Resource?: string;
  Parameters?: Record<string, unknown>;
  ResultSelector?: Record<string, unknown>;
  ResultPath?: string;
  InputPath?: string;
  TimeoutSeconds?: number;
  Retry?: {
    ErrorEquals: string[];
    IntervalSeconds: number;
    BackoffRate: number;
    MaxDelaySeconds?: number;
    MaxAttempts: number;
  }[];
  Catch?: { ErrorEquals: string[]; ResultPath: string; Next: string }[];
  Choices?: { Variable: string; BooleanEquals: boolean; Next: string }[];
  Default?: string;
  Next?: string;
  Error?: string;
  CausePath?: string;
}

export interface StateMachine {
  StartAt: string;
  States: Record<string, State>;
}

export interface Execution {
  status: "SUCCEEDED" | "FAILED";
  output: unknown;
  error?: string;
  cause?: unknown;
  /** Every state entered, in order. */
  visited: string[];
  /** Messages sent to the queue. */
  queued: { url: string; body: Record<string, unknown> }[];
  /** Attempts of each task. */
  attempts: Record<string, number>;
}

export interface ExecutionOptions {
  name: string;
  /** Invokes a Lambda function: a throw is a failed attempt, and its class the error name. */
  invoke(functionArn: string, payload: Record<string, unknown>): Promise<unknown>;
}

class StateError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export async function execute(
  machine: StateMachine,
  input: object,
  { name, invoke }: ExecutionOptions,
): Promise<Execution> {
  const context = { Execution: { Name: name } };
  const execution: Execution = { status: "SUCCEEDED", output: null, visited: [], queued: [], attempts: {} };
  let data: unknown = input;
  let at = machine.StartAt;

  async function perform(state: State, given: unknown): Promise<unknown> {
    execution.attempts[at] = (execution.attempts[at] ?? 0) + 1;
    const parameters = resolveTemplate(state.Parameters ?? {}, given, context);
    if (state.Resource === "arn:aws:states:::lambda:invoke") {
      return { Payload: await invoke(String(parameters.FunctionName), parameters.Payload as Record<string, unknown>) };
    }
    if (state.Resource !== "arn:aws:states:::sqs:sendMessage")
      throw new TypeError(`unknown resource ${state.Resource}`);
    const body = JSON.parse(JSON.stringify(parameters.MessageBody));
    execution.queued.push({ url: String(parameters.QueueUrl), body });
    return { MessageId: "1" };
  }

  try {
    for (;;) {
      execution.visited.push(at);
      const state = machine.States[at];
      if (!state) throw new TypeError(`no state ${at}`);
      if (state.Type === "Succeed") return { ...execution, output: data };
      if (state.Type === "Fail") {
        const cause = state.CausePath ? read(state.CausePath, data, context) : undefined;
        return { ...execution, status: "FAILED", output: data, error: state.Error ?? "", cause };
      }
      if (state.Type === "Task") ({ output: data, next: at } = await runTask(state, data, context, perform));
      else if (state.Type === "Choice") at = chosen(state, data, context);
      else if (state.Type === "Pass") {
        data = insertResult(data, state.ResultPath, read(state.InputPath ?? "$", data, context));
        at = nextOf(state);
      } else throw new TypeError(`unknown type ${state.Type}`);
    }
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    return { ...execution, status: "FAILED", output: data, error: error.code, cause: error.message };
  }
}

/** Runs a Task state with its retriers, then its catchers. */
async function runTask(
  state: State,
  given: unknown,
  context: object,
  perform: (state: State, given: unknown) => Promise<unknown>,
): Promise<{ output: unknown; next: string }> {
  const retries = new Map<object, number>();
  for (;;) {
    try {
      const result = await perform(state, given);
      const selected = state.ResultSelector ? resolveTemplate(state.ResultSelector, result, context) : result;
      return { output: insertResult(given, state.ResultPath, selected), next: nextOf(state) };
    } catch (error) {
      if (error instanceof TypeError) throw error;
      const code = error instanceof StateError ? error.code : (error as Error).name;
      const matches = ({ ErrorEquals: names }: { ErrorEquals: string[] }) =>
        names.includes(code) || (names.includes("States.ALL") && code !== "States.Runtime");
      const retrier = state.Retry?.find(matches);
      const used = retrier ? (retries.get(retrier) ?? 0) : 0;
      if (retrier && used < retrier.MaxAttempts) {
        retries.set(retrier, used + 1);
        continue;
      }
      const catcher = state.Catch?.find(matches);
      if (!catcher) throw new StateError(code, (error as Error).message);
      const fault = { Error: code, Cause: (error as Error).message };
      return { output: insertResult(given, catcher.ResultPath, fault), next: catcher.Next };
    }
  }
}

function nextOf({ Next }: State): string {
  if (Next === undefined) throw new TypeError("a state lacks Next");
  return Next;
}

function chosen({ Choices = [], Default }: State, data: unknown, context: object): string {
  const choice = Choices.find(({ Variable, BooleanEquals }) => read(Variable, data, context) === BooleanEquals);
  const next = choice?.Next ?? Default;
  if (next === undefined) throw new StateError("States.NoChoiceMatched", "no choice matches");
  return next;
}

/** Resolves a template: values of names that end in `.$` are paths. */
function resolveTemplate(template: Record<string, unknown>, data: unknown, context: object): Record<string, unknown> {
  const entries = Object.entries(template).map(([name, value]) => {
    if (name.endsWith(".$")) return [name.slice(0, -2), read(String(value), data, context)];
    const isTemplate = typeof value === "object" && value !== null;
    return [name, isTemplate ? resolveTemplate(value as Record<string, unknown>, data, context) : value];
  });
  return Object.fromEntries(entries);
}

function read(path: string, data: unknown, context: object): unknown {
  const [root = "", ...names] = path.split(".");
  let value: unknown = root === "$$" ? context : data;
  if (root !== "$" && root !== "$$") throw new TypeError(`unknown path ${path}`);
  for (const name of names) {
    if (typeof value !== "object" || value === null || !(name in value)) {
      throw new StateError("States.Runtime", `${path} is not in the input`);
    }
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** Inserts a result into the input at `$.name`. */
function insertResult(data: unknown, path: string | undefined, result: unknown): unknown {
  const name = /^\$\.(\w+)$/.exec(path ?? "")?.[1];
  if (name === undefined) throw new TypeError(`unknown ResultPath ${path}`);
  return { ...(data as object), [name]: result };
}
