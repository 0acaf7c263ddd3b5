import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { beforeAll, expect, onTestFailed, test } from "vitest";
import { forEachDatabase } from "../../support/databases.ts";
import { fill, hostileName, serve } from "./harness.ts";

/** Contract tests: requests generated from the OpenAPI document, every reply validated against it. */

interface Schema {
  type?: string | string[];
  enum?: unknown[];
  anyOf?: Schema[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  format?: string;
}
interface Parameter {
  name: string;
  in: "path" | "query";
  required?: boolean;
  schema: Schema;
}
interface Operation {
  parameters?: Parameter[];
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}
interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: object;
}

const seed = Math.floor(Date.now() / 86_400_000);
const streamPath = "/v1/changes/stream";

/** Valid values of a parameter, by its schema. */
function valid(schema: Schema, name: string): fc.Arbitrary<string> {
  if (name === "cursor") return fc.constant("");
  if (schema.enum) return fc.constantFrom(...schema.enum.map(String));
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((option) => valid(option, name)));
  if (schema.type === "integer") {
    const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
    return fc
      .oneof(fc.integer({ min: minimum, max: Math.min(maximum, minimum + 50) }), fc.constantFrom(minimum, maximum))
      .map(String);
  }
  if (schema.type === "boolean") return fc.constantFrom("true", "false");
  if (schema.format === "date") return fc.constantFrom("2020-02-29", "1970-01-01");
  if (schema.format === "date-time") return fc.constantFrom("2026-07-01T12:00:00Z", "2026-07-01T12:00:00.123+05:30");
  return fc.constantFrom("game", "19", "Tag 19", "Valve", "a", "é", hostileName);
}

const hostile = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "0",
    "-1",
    "2147483648",
    "99999999999999999999",
    "1e9",
    "0x10",
    "NaN",
    "null",
    "undefined",
    "true",
    "[]",
    "{}",
    "%",
    "_",
    "\\",
    "'",
    '"',
    "' or 1=1 --",
    "'; drop table apps; --",
    hostileName,
    "../../etc/passwd",
    "$1",

    "2026-13-45",
    "0000-01-01",
    "9999-12-31T23:59:59Z",
    "infinity",
    "\u0000",
    "a\u0000b",
    "\ud800",
    "\u202e",
    "é".repeat(300),
    "x".repeat(5_000),
    "WyJhcHBpZCIsbnVsbCwxXQ",
    "WyJuYW1lIiwiXHUwMDAwIiwxXQ",
    "WyJyZWxlYXNlX2RhdGUiLCI5OTk5OTktMDEtMDEgMDA6MDA6MDArMDAiLDFd",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ maxLength: 20 }).map((text) => Buffer.from(text).toString("base64url")),
);

function encoded(text: string): string {
  // A lone surrogate cannot be encoded in a URL.
  return encodeURIComponent(text.toWellFormed());
}

forEachDatabase("the API contract", (open) => {
  let get: Awaited<ReturnType<typeof serve>>["get"];
  let document: OpenApi;
  let validators: Map<string, ValidateFunction>;
  const operations = () =>
    Object.entries(document.paths).flatMap(([path, { get: operation }]) =>
      operation && path !== streamPath ? [{ path, operation }] : [],
    );

  beforeAll(async () => {
    const database = await open();
    await fill(database);
    const served = await serve(database, {}, () => {});
    get = served.get;
    document = await served.json<OpenApi>("/docs/json");
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    formats.default(ajv);
    ajv.addSchema({ $id: "doc", ...document });
    validators = new Map();
    for (const { path, operation } of operations()) {
      for (const [status, { content }] of Object.entries(operation.responses)) {
        for (const type of Object.keys(content ?? {})) {
          const pointer = ["paths", path, "get", "responses", status, "content", type, "schema"].map((part) =>
            encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")),
          );
          validators.set(`${path} ${status} ${type}`, ajv.compile({ $ref: `doc#/${pointer.join("/")}` }));
        }
      }
    }
    return () => served.server.close();
  });

  /** Requests the URL and validates the reply against the document. */
  async function check(path: string, url: string): Promise<number> {
    const reply = await get(url);
    const type = (reply.headers.get("content-type") ?? "").split(";")[0];
    const body: unknown = await reply.json();
    const validate = validators.get(`${path} ${reply.status} ${type}`);
    if (!validate) throw new Error(`${url}: ${reply.status} ${type} is not in the document: ${JSON.stringify(body)}`);
    if (!validate(body))
      throw new Error(
        `${url}: ${reply.status} ${JSON.stringify(validate.errors?.slice(0, 3))} ${JSON.stringify(body).slice(0, 500)}`,
      );
    return reply.status;
  }

  function url(path: string, values: readonly (readonly [Parameter, string])[]): string {
    let filled = path;
    const query: string[] = [];
    for (const [{ name, in: where }, value] of values) {
      if (where === "path") filled = filled.replace(`{${name}}`, encoded(value) || "%20");
      else query.push(`${name}=${encoded(value)}`);
    }
    return query.length > 0 ? `${filled}?${query.join("&")}` : filled;
  }

  test("publishes a valid OpenAPI 3.1 document with every route and its errors", async () => {
    const result = await new Validator().validate(structuredClone(document) as unknown as Record<string, unknown>);
    expect(result.errors ?? []).toEqual([]);
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths).toSorted()).toEqual([
      "/v1/activity",
      "/v1/apps",
      "/v1/apps/{appid}",
      "/v1/apps/{appid}/changes",
      "/v1/categories",
      "/v1/changes",
      streamPath,
      "/v1/developers",
      "/v1/franchises",
      "/v1/genres",
      "/v1/publishers",
      "/v1/summary",
      "/v1/tags",
    ]);
    for (const { operation } of operations()) {
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["200", "400", "401", "429", "503"]));
    }
  });

  test("answers valid requests as documented", async () => {
    for (const { path, operation } of operations()) {
      const parameters = operation.parameters ?? [];
      const request = fc.tuple(
        ...parameters.map((parameter) => {
          const { schema, name, required } = parameter;
          const value = valid(schema.items ?? schema, name);
          const values = schema.items ? fc.uniqueArray(value, { maxLength: 2 }) : value.map((one) => [one]);
          return (required ? values : fc.option(values, { nil: [], freq: 1 })).map((given) =>
            name === "cursor" ? [] : given.map((one) => [parameter, one] as const),
          );
        }),
      );
      const seen = new Set<number>();
      await fc.assert(
        fc.asyncProperty(request, async (chosen) => {
          const status = await check(path, url(path, chosen.flat()));
          seen.add(status);
          return status === 200 || status === 400 || status === 404;
        }),
        { seed, numRuns: parameters.length === 0 ? 1 : 25 },
      );
    }
    // Valid values may exclude each other, so these requests must succeed.
    for (const [path, address] of [
      ["/v1/apps/{appid}", "/v1/apps/1"],
      ["/v1/apps/{appid}/changes", "/v1/apps/1/changes?limit=3"],
      ["/v1/apps", "/v1/apps?type=game&tag=19&deck=verified&deck=playable&sort=-release_date&limit=200"],
      ["/v1/changes", "/v1/changes?after=0&limit=500"],
      ["/v1/changes", "/v1/changes?limit=7"],
      ["/v1/developers", "/v1/developers?q=a&limit=500"],
    ] as const) {
      expect([address, await check(path, address)]).toEqual([address, 200]);
    }
  });

  test(`answers invalid requests with 4xx and a problem document, never with 5xx (seed ${seed})`, async () => {
    onTestFailed(() => console.error(`seed ${seed}`));
    const statuses = new Map<number, number>();
    for (const { path, operation } of operations()) {
      const parameters = [...(operation.parameters ?? []), { name: "nonsense", in: "query", schema: {} } as Parameter];
      const request = fc.tuple(
        ...parameters.map((parameter) =>
          (parameter.in === "path" ? hostile : fc.option(hostile, { nil: null, freq: 2 })).map(
            (value) => [parameter, value] as const,
          ),
        ),
      );
      await fc.assert(
        fc.asyncProperty(request, async (chosen) => {
          const given = chosen.filter((pair): pair is readonly [Parameter, string] => pair[1] !== null);
          const reply = await get(url(path, given));
          statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
          if (reply.status < 400) return;
          expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json/);
          expect(await reply.json()).toMatchObject({
            type: "about:blank",
            status: reply.status,
            title: expect.any(String),
            detail: expect.any(String),
          });
          expect(reply.status).toBeLessThan(500);
        }),
        { seed, numRuns: 40 },
      );
      // Also one parameter at a time: an invalid one hides the others.
      for (const parameter of operation.parameters ?? []) {
        await fc.assert(
          fc.asyncProperty(hostile, async (value) => {
            const others = (operation.parameters ?? []).filter(
              ({ in: where }) => where === "path" && parameter.in !== "path",
            );
            const reply = await get(url(path, [...others.map((other) => [other, "1"] as const), [parameter, value]]));
            statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
            if (reply.status >= 500) throw new Error(`${reply.url}: ${await reply.text()}`);
          }),
          { seed, numRuns: 40 },
        );
      }
    }
    expect([...statuses.keys()].filter((status) => status >= 500)).toEqual([]);
    expect(statuses.get(400) ?? 0).toBeGreaterThan(100);
    expect((await get("/v1/apps/1")).status).toBe(200);
  });

  test("names each invalid parameter in `errors`", async () => {
    const faults = async (path: string) =>
      ((await (await get(path)).json()) as { errors: { parameter: string; detail: string }[] }).errors;
    expect((await faults("/v1/apps?limit=0&deck=great&tagg=1")).map(({ parameter }) => parameter).toSorted()).toEqual([
      "deck",
      "limit",
      "tagg",
    ]);
    expect(await faults("/v1/apps?tag=Puzle")).toEqual([{ parameter: "tag", detail: 'unknown tag "Puzle"' }]);
    expect(await faults("/v1/changes?after=1&before=2")).toEqual([
      { parameter: "before", detail: "after and before exclude each other" },
    ]);
    expect(await faults("/v1/apps?sort=name&cursor=x")).toEqual([
      { parameter: "cursor", detail: expect.stringContaining("take `next`") },
    ]);
  });
});
