import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import validate from "asl-validator";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { execute, type StateMachine } from "../../support/state-machine.ts";

/** What is deployed: the template's promises, and the state machine walked from end to end with functions that stand in. */

const folder = fileURLToPath(new URL("../../../src/lambda", import.meta.url));
const read = (path: string) => readFileSync(path, "utf8");
const definition = read(join(folder, "state-machine.asl.json"));
const machine = JSON.parse(definition) as StateMachine;

interface Resource {
  Type: string;
  Properties: Record<string, unknown>;
}
type Statement = { Effect: string; Action: string | string[]; Resource: unknown };
type Policy = Record<string, Record<string, unknown>> | { Statement: Statement[] };

/** CloudFormation's short forms as their long ones. */
const tags = ["Ref", "GetAtt", "Sub"].map((name) => ({
  tag: `!${name}`,
  resolve: (value: string) => ({ [name]: value }),
}));
const template = parse(read(join(folder, "template.yaml")), { customTags: tags }) as {
  Globals: { Function: Record<string, unknown> };
  Resources: Record<string, Resource>;
  Outputs: Record<string, unknown>;
};
const ofType = (type: string) => Object.entries(template.Resources).filter(([, { Type }]) => Type === type);
const functions = new Map(ofType("AWS::Serverless::Function").map(([name, { Properties }]) => [name, Properties]));
const properties = (name: string) => template.Resources[name]?.Properties ?? {};

const stages = [
  { state: "SteamImport", refused: "SteamImportRefused", name: "SteamImportFunction", bundle: "steam-import" },
  {
    state: "IgdbEnrichment",
    refused: "IgdbEnrichmentRefused",
    name: "IgdbEnrichmentFunction",
    bundle: "igdb-enrichment",
  },
  {
    state: "DatabaseImport",
    refused: "DatabaseImportRefused",
    name: "DatabaseImportFunction",
    bundle: "database-import",
  },
] as const;

describe("the template", () => {
  it("has the three functions, fifteen minutes each, with their bundles where the build writes them", () => {
    expect([...functions.keys()]).toEqual(stages.map(({ name }) => name));
    expect(template.Globals.Function).toMatchObject({
      Timeout: 900,
      MemorySize: 1024,
      Handler: "index.handler",
      Runtime: "nodejs24.x",
    });
    const build = read(join(folder, "../../.ci/build-lambda.mjs"));
    for (const { name, bundle } of stages) {
      expect(functions.get(name)).not.toHaveProperty("Timeout");
      expect(resolve(folder, String(functions.get(name)?.CodeUri))).toBe(resolve(folder, "../../dist/lambda", bundle));
      expect(build).toContain(`"${bundle}"`);
    }
  });

  it("lets IGDB be asked by one at a time, and only IGDB", () => {
    const reserved = [...functions].map(([name, { ReservedConcurrentExecutions: count }]) => [name, count]);
    expect(reserved).toEqual([
      ["SteamImportFunction", undefined],
      ["IgdbEnrichmentFunction", 1],
      ["DatabaseImportFunction", undefined],
    ]);
  });

  it("refers to nothing that it does not define", () => {
    const known = new Set([...Object.keys(template.Resources), "KeepImportsDays"]);
    const named: string[] = [];
    JSON.stringify(template, (key, value) => {
      if (key === "Ref") named.push(value);
      if (key === "GetAtt") named.push(value.split(".")[0]);
      if (key === "Sub") named.push(...[...value.matchAll(/\$\{(\w+)/g)].map(([, name]) => name));
      return value;
    });
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it("gives each function the secret, and of the bucket only the files of its stage", () => {
    const allowed = (name: string) => {
      const policies = functions.get(name)?.Policies as Policy[];
      return policies.flatMap((policy) =>
        "Statement" in policy ? (policy.Statement as Statement[]).map(({ Action, Resource: on }) => [Action, on]) : [],
      );
    };
    const raw = { Sub: `\${ImportsBucket.Arn}/imports/*-raw.csv` };
    const enriched = { Sub: `\${ImportsBucket.Arn}/imports/*-enriched.csv` };
    expect(allowed("SteamImportFunction")).toEqual([["s3:PutObject", raw]]);
    expect(allowed("IgdbEnrichmentFunction")).toEqual([
      ["s3:GetObject", raw],
      ["s3:PutObject", enriched],
    ]);
    expect(allowed("DatabaseImportFunction")).toEqual([["s3:GetObject", enriched]]);
    for (const { Policies } of functions.values()) {
      const others = (Policies as Policy[]).filter((policy) => !("Statement" in policy));
      expect(others).toEqual([{ AWSSecretsManagerGetSecretValuePolicy: { SecretArn: { Ref: "ImportSecret" } } }]);
    }
  });

  it("lets the state machine invoke these functions and fill this queue, and nothing else", () => {
    expect(properties("ImportStateMachine").Policies).toEqual([
      ...stages.map(({ name }) => ({ LambdaInvokePolicy: { FunctionName: { Ref: name } } })),
      { SQSSendMessagePolicy: { QueueName: { GetAtt: "FailedImportsQueue.QueueName" } } },
    ]);
  });

  it("keeps the bucket private, and writes no secret into the functions' environment", () => {
    const access = properties("ImportsBucket").PublicAccessBlockConfiguration as object;
    expect(Object.values(access)).toEqual([true, true, true, true]);
    expect(template.Globals.Function.Environment).toEqual({
      Variables: {
        NODE_OPTIONS: "--enable-source-maps",
        S3_BUCKET: { Ref: "ImportsBucket" },
        SECRET_ARN: { Ref: "ImportSecret" },
      },
    });
    expect(template.Resources.ImportSecret).toMatchObject({
      DeletionPolicy: "Retain",
      Properties: { SecretString: "{}" },
    });
  });

  it("fills every placeholder of the definition, and defines no other", () => {
    expect(properties("ImportStateMachine").DefinitionUri).toBe("state-machine.asl.json");
    const given = Object.keys(properties("ImportStateMachine").DefinitionSubstitutions as object);
    const used = [...definition.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name);
    expect(used.toSorted()).toEqual(given.toSorted());
  });
});

describe("the state machine", () => {
  const tasks = Object.entries(machine.States).filter(([, { Type }]) => Type === "Task");

  it("is valid Amazon States Language", () => {
    const { isValid, errorsText } = validate(machine);
    expect(isValid, isValid ? "" : errorsText("\n")).toBe(true);
    const broken = structuredClone(machine);
    broken.StartAt = "Nowhere";
    expect(validate(broken).isValid).toBe(false);
  });

  it("retries every task with backoff, longer than its function's own time, and catches what stays", () => {
    expect(tasks.map(([name]) => name)).toEqual([...stages.map(({ state }) => state), "KeepFailedImport"]);
    for (const [name, { Retry = [], Catch = [], TimeoutSeconds = 0 }] of tasks) {
      expect(Retry.at(-1)?.ErrorEquals).toEqual(["States.ALL"]);
      for (const { BackoffRate, MaxAttempts, IntervalSeconds } of Retry) {
        expect(BackoffRate).toBeGreaterThan(1);
        expect(MaxAttempts).toBeGreaterThanOrEqual(5);
        expect(IntervalSeconds).toBeGreaterThanOrEqual(1);
      }
      if (name === "KeepFailedImport") continue;
      expect(TimeoutSeconds).toBeGreaterThan(900);
      expect(Catch).toEqual([{ ErrorEquals: ["States.ALL"], ResultPath: "$.fault", Next: "KeepFailedImport" }]);
    }
  });

  it("waits for its turn where a function is busy, for longer than one library takes", () => {
    for (const { state } of stages) {
      const busy = machine.States[state]?.Retry?.[0];
      expect(busy).toMatchObject({ ErrorEquals: ["Lambda.TooManyRequestsException"], MaxDelaySeconds: 300 });
      expect((busy?.MaxAttempts ?? 0) * 300).toBeGreaterThan(900 * 5);
    }
  });

  const input = { user_id: "u1", steam_id64: "76561198000000001" };
  const answers = {
    SteamImport: { success: true, user_id: "u1", s3_location: "s3://b/raw", game_count: 2 },
    IgdbEnrichment: { success: true, user_id: "u1", s3_enriched_location: "s3://b/enriched", stats: {} },
    DatabaseImport: { success: true, user_id: "u1", stats: { games_created: 2 } },
  };

  /** Walks the machine; `troubled` decides what one stage's n-th call does instead. */
  function walk(troubled: (stage: string, call: number) => unknown = () => null) {
    const calls: [string, Record<string, unknown>][] = [];
    const invoke = async (arn: string, payload: Record<string, unknown>) => {
      const stage = /^\$\{(\w+)FunctionArn\}$/.exec(arn)?.[1] as keyof typeof answers;
      calls.push([stage, payload]);
      return troubled(stage, calls.filter(([name]) => name === stage).length) ?? answers[stage];
    };
    return execute(machine, input, { name: "run-7", invoke }).then((execution) => ({ ...execution, calls }));
  }

  it("hands the answer of each stage, and its own name as execution id, to the next", async () => {
    const { status, output, calls, queued } = await walk();
    expect(status).toBe("SUCCEEDED");
    expect(queued).toEqual([]);
    expect(calls).toEqual([
      ["SteamImport", { ...input, execution_id: "run-7" }],
      ["IgdbEnrichment", { user_id: "u1", s3_location: "s3://b/raw", execution_id: "run-7" }],
      ["DatabaseImport", { user_id: "u1", s3_enriched_location: "s3://b/enriched", execution_id: "run-7" }],
    ]);
    expect(output).toMatchObject({
      steam_import: answers.SteamImport,
      igdb_enrichment: answers.IgdbEnrichment,
      database_import: answers.DatabaseImport,
    });
  });

  it.each(stages)("ends at once, with what the stage said, when $state refuses", async ({ state, refused }) => {
    const { status, error, cause, visited, queued, attempts } = await walk((stage) =>
      stage === state ? { success: false, error: "No, because." } : null,
    );
    expect({ status, error, cause }).toEqual({ status: "FAILED", error: "ImportRefused", cause: "No, because." });
    expect(visited.at(-1)).toBe(refused);
    expect(attempts[state]).toBe(1);
    expect(queued).toEqual([]);
  });

  it.each(stages)("goes on when a fault of $state passes", async ({ state }) => {
    const { status, attempts, queued } = await walk((stage, call) => {
      if (stage === state && call <= 3) throw new Error("a passing fault");
      return null;
    });
    expect({ status, attempts: attempts[state], queued }).toEqual({ status: "SUCCEEDED", attempts: 4, queued: [] });
  });

  it.each(stages)(
    "keeps the import in the queue, with all that is needed to start it again, when a fault of $state stays",
    async ({ state }) => {
      const { status, error, cause, visited, queued, attempts } = await walk((stage) => {
        if (stage === state) throw new RangeError("a fault that stays");
        return null;
      });
      expect({ status, error, cause }).toEqual({
        status: "FAILED",
        error: "ImportFailed",
        cause: "a fault that stays",
      });
      expect(visited.slice(-2)).toEqual(["KeepFailedImport", "Failed"]);
      expect(attempts[state]).toBe(6);
      const fault = { Error: "RangeError", Cause: "a fault that stays" };
      const kept = expect.objectContaining({ ...input, fault });
      expect(queued).toEqual([{ url: `\${FailedImportsQueueUrl}`, body: { execution_id: "run-7", import: kept } }]);
    },
  );
});
