import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import validate from "asl-validator";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { execute, type StateMachine } from "../../support/state-machine.ts";

/** The deployment: checks of the template, and executions of the state machine with stubbed functions. */

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

/** Resolves CloudFormation's short form of intrinsic functions. */
const tags = [
  ...["Ref", "GetAtt", "Sub"].map((name) => ({
    tag: `!${name}`,
    resolve: (value: string) => ({ [name]: value }),
  })),
  ...["If", "Equals", "Not"].map((name) => ({
    tag: `!${name}`,
    collection: "seq" as const,
    resolve: (value: unknown) => ({ [name]: (value as { toJSON(): unknown }).toJSON() }),
  })),
];
const template = parse(read(join(folder, "template.yaml")), { customTags: tags }) as {
  Globals: { Function: Record<string, unknown> };
  Resources: Record<string, Resource>;
  Parameters: Record<string, { Default: unknown; AllowedValues?: unknown[] }>;
  Conditions: Record<string, unknown>;
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

describe("template.yaml", () => {
  it("defines three functions with a timeout of 15 minutes, whose CodeUri is where the build writes the bundles", () => {
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

  it("limits the concurrency of the IGDB stage to 1, unless turned off, and of no other stage", () => {
    const reserved = [...functions].map(([name, { ReservedConcurrentExecutions: count }]) => [name, count]);
    expect(reserved).toEqual([
      ["SteamImportFunction", undefined],
      ["IgdbEnrichmentFunction", { If: ["ReservesConcurrency", 1, { Ref: "AWS::NoValue" }] }],
      ["DatabaseImportFunction", undefined],
    ]);
    expect(template.Conditions.ReservesConcurrency).toEqual({ Equals: [{ Ref: "ReserveConcurrency" }, "true"] });
    expect(template.Parameters.ReserveConcurrency).toMatchObject({ Default: "true", AllowedValues: ["true", "false"] });
  });

  it("has no dangling reference", () => {
    const known = new Set([...Object.keys(template.Resources), ...Object.keys(template.Parameters), "AWS::NoValue"]);
    const named: string[] = [];
    JSON.stringify(template, (key, value) => {
      if (key === "Condition" && typeof value === "string") expect(template.Conditions).toHaveProperty(value);
      if (key === "If") expect(template.Conditions).toHaveProperty(value[0]);
      if (key === "Ref") named.push(value);
      if (key === "GetAtt") named.push(value.split(".")[0]);
      if (key === "Sub") named.push(...[...value.matchAll(/\$\{(\w+)/g)].map(([, name]) => name));
      return value;
    });
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it("grants each function the secret and only the files of its stage", () => {
    const allowed = (name: string) => {
      const policies = functions.get(name)?.Policies as Policy[];
      return policies.flatMap((policy) =>
        "Statement" in policy ? (policy.Statement as Statement[]).map(({ Action, Resource: on }) => [Action, on]) : [],
      );
    };
    const raw = { Sub: `\${ImportsBucket.Arn}/imports/*-raw.csv` };
    const enriched = { Sub: `\${ImportsBucket.Arn}/imports/*-enriched.csv` };
    expect(allowed("SteamImportFunction")).toEqual([["s3:PutObject", raw]]);
    // Without s3:ListBucket, S3 answers 403 for an object that does not exist, too.
    const list = ["s3:ListBucket", { GetAtt: "ImportsBucket.Arn" }];
    expect(allowed("IgdbEnrichmentFunction")).toEqual([["s3:GetObject", raw], list, ["s3:PutObject", enriched]]);
    expect(allowed("DatabaseImportFunction")).toEqual([["s3:GetObject", enriched], list]);
    for (const { Policies } of functions.values()) {
      const others = (Policies as Policy[]).filter((policy) => !("Statement" in policy));
      expect(others).toEqual([{ AWSSecretsManagerGetSecretValuePolicy: { SecretArn: { Ref: "ImportSecret" } } }]);
    }
  });

  it("lets the state machine only invoke these functions and send to the queue", () => {
    expect(properties("ImportStateMachine").Policies).toEqual([
      ...stages.map(({ name }) => ({ LambdaInvokePolicy: { FunctionName: { Ref: name } } })),
      { SQSSendMessagePolicy: { QueueName: { GetAtt: "FailedImportsQueue.QueueName" } } },
    ]);
  });

  it("keeps the bucket private and secrets out of the functions' environment", () => {
    const access = properties("ImportsBucket").PublicAccessBlockConfiguration as object;
    expect(Object.values(access)).toEqual([true, true, true, true]);
    expect(template.Globals.Function.Environment).toEqual({
      Variables: {
        NODE_OPTIONS: "--enable-source-maps",
        LIBRARY_TABLES: { Ref: "LibraryTables" },
        S3_BUCKET: { Ref: "ImportsBucket" },
        SECRET_ARN: { Ref: "ImportSecret" },
      },
    });
    expect(template.Resources.ImportSecret).toMatchObject({
      DeletionPolicy: "Retain",
      Properties: { SecretString: "{}" },
    });
  });

  it("denies access to the bucket without TLS, also once the stack is deleted", () => {
    expect(template.Resources.ImportsBucketPolicy).toMatchObject({
      Type: "AWS::S3::BucketPolicy",
      DeletionPolicy: "Retain",
    });
    expect(properties("ImportsBucketPolicy").PolicyDocument).toMatchObject({
      Statement: [
        {
          Effect: "Deny",
          Principal: "*",
          Action: "s3:*",
          Resource: [{ GetAtt: "ImportsBucket.Arn" }, { Sub: `\${ImportsBucket.Arn}/*` }],
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        },
      ],
    });
  });

  it("keeps the logs of each function for a number of days", () => {
    for (const [name, { LoggingConfig }] of functions) {
      const logs = name.replace(/Function$/, "Logs");
      expect(LoggingConfig).toEqual({ LogFormat: "JSON", LogGroup: { Ref: logs } });
      expect(template.Resources[logs]).toEqual({
        Type: "AWS::Logs::LogGroup",
        Properties: { RetentionInDays: { Ref: "LogRetentionDays" } },
      });
    }
    const { Default: days, AllowedValues: allowed } = template.Parameters.LogRetentionDays ?? {};
    expect(allowed).toContain(days);
  });

  it("raises an alarm for an import in the encrypted dead-letter queue, and mails it where an address is set", () => {
    expect(properties("FailedImportsQueue")).toMatchObject({ SqsManagedSseEnabled: true });
    expect(properties("FailedImportsAlarm")).toMatchObject({
      MetricName: "ApproximateNumberOfMessagesVisible",
      Dimensions: [{ Name: "QueueName", Value: { GetAtt: "FailedImportsQueue.QueueName" } }],
      ComparisonOperator: "GreaterThanThreshold",
      Threshold: 0,
      AlarmActions: { If: ["HasAlarmEmail", [{ Ref: "AlarmTopic" }], { Ref: "AWS::NoValue" }] },
    });
    expect(template.Resources.AlarmTopic).toMatchObject({ Type: "AWS::SNS::Topic", Condition: "HasAlarmEmail" });
  });

  it("substitutes exactly the placeholders of the definition", () => {
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

  it("retries every task with exponential backoff, times out after its function, and catches exhausted retries", () => {
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

  it("retries a throttled function for longer than five libraries take", () => {
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

  /** Executes the state machine; `override` may replace the answer of a stage's n-th call. */
  function run(override: (stage: string, call: number) => unknown = () => null) {
    const calls: [string, Record<string, unknown>][] = [];
    const invoke = async (arn: string, payload: Record<string, unknown>) => {
      const stage = /^\$\{(\w+)FunctionArn\}$/.exec(arn)?.[1] as keyof typeof answers;
      calls.push([stage, payload]);
      return override(stage, calls.filter(([name]) => name === stage).length) ?? answers[stage];
    };
    return execute(machine, input, { name: "run-7", invoke }).then((execution) => ({ ...execution, calls }));
  }

  it("passes each response and the execution id to the next stage", async () => {
    const { status, output, calls, queued } = await run();
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

  it.each(stages)(
    "fails with the message of the stage, without retries, when $state returns success: false",
    async ({ state, refused }) => {
      const { status, error, cause, visited, queued, attempts } = await run((stage) =>
        stage === state ? { success: false, error: "No, because." } : null,
      );
      expect({ status, error, cause }).toEqual({ status: "FAILED", error: "ImportRefused", cause: "No, because." });
      expect(visited.at(-1)).toBe(refused);
      expect(attempts[state]).toBe(1);
      expect(queued).toEqual([]);
    },
  );

  it.each(stages)("continues after transient failures of $state", async ({ state }) => {
    const { status, attempts, queued } = await run((stage, call) => {
      if (stage === state && call <= 3) throw new Error("a transient failure");
      return null;
    });
    expect({ status, attempts: attempts[state], queued }).toEqual({ status: "SUCCEEDED", attempts: 4, queued: [] });
  });

  it.each(stages)(
    "sends the import to the queue, complete enough to restart it, when the retries of $state are exhausted",
    async ({ state }) => {
      const { status, error, cause, visited, queued, attempts } = await run((stage) => {
        if (stage === state) throw new RangeError("a lasting failure");
        return null;
      });
      expect({ status, error, cause }).toEqual({
        status: "FAILED",
        error: "ImportFailed",
        cause: "a lasting failure",
      });
      expect(visited.slice(-2)).toEqual(["KeepFailedImport", "Failed"]);
      expect(attempts[state]).toBe(6);
      const fault = { Error: "RangeError", Cause: "a lasting failure" };
      const kept = expect.objectContaining({ ...input, fault });
      expect(queued).toEqual([{ url: `\${FailedImportsQueueUrl}`, body: { execution_id: "run-7", import: kept } }]);
    },
  );
});
