import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { beforeAll, expect, onTestFailed, test } from "vitest";
import type { AppSummary, AppView } from "../../../src/catalog/views.ts";
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
  operationId?: string;
  parameters?: Parameter[];
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}
interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties?: Record<string, unknown>; examples?: unknown[] }> };
}

const seed = Math.floor(Date.now() / 86_400_000);
const streamPaths = ["/v1/changes/stream", "/v1/events/stream"];
/** Documents for feed readers, which are no JSON of a schema. */
const feedPaths = ["/v1/events.atom", "/v1/events.json"];

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
  let json: Awaited<ReturnType<typeof serve>>["json"];
  let document: OpenApi;
  let validators: Map<string, ValidateFunction>;
  let ajv: Ajv2020;
  const operations = () =>
    Object.entries(document.paths).flatMap(([path, { get: operation }]) =>
      operation && ![...streamPaths, ...feedPaths].includes(path) ? [{ path, operation }] : [],
    );

  beforeAll(async () => {
    const database = await open();
    await fill(database);
    const served = await serve(database, {}, () => {});
    ({ get, json } = served);
    document = await json<OpenApi>("/docs/json");
    ajv = new Ajv2020({ strict: false, allErrors: true });
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
    if (reply.status === 200 && !reply.headers.get("etag")) throw new Error(`${url}: no ETag`);
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
      "/v1",
      "/v1/activity",
      "/v1/apps",
      "/v1/apps/{appid}",
      "/v1/apps/{appid}/branches",
      "/v1/apps/{appid}/changes",
      "/v1/apps/{appid}/depots",
      "/v1/apps/{appid}/info",
      "/v1/categories",
      "/v1/changes",
      "/v1/changes/stream",
      "/v1/depots/{id}",
      "/v1/developers",
      "/v1/events",
      "/v1/events.atom",
      "/v1/events.json",
      "/v1/events/stream",
      "/v1/franchises",
      "/v1/genres",
      "/v1/info/{appid}",
      "/v1/publishers",
      "/v1/summary",
      "/v1/tags",
    ]);
    for (const { path, operation } of operations()) {
      const own = [
        ...(path.includes("{") ? ["404"] : []),
        ...(path.includes("changes") || path === "/v1/events" ? ["410"] : []),
      ];
      const statuses = ["200", "400", "401", "429", "503", ...own];
      expect(Object.keys(operation.responses).toSorted()).toEqual(statuses.toSorted());
    }
    const ids = Object.values(document.paths).map(({ get: operation }) => operation?.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(["listApps", "getApp", "listChanges", "getAppInfo", "listTags"]));
  });

  test("gives an example of every schema that is no list, valid by the schema", () => {
    const lists = /Page$|List$|^Activity$/;
    for (const [name, { examples = [] }] of Object.entries(document.components.schemas)) {
      if (!lists.test(name)) expect([name, examples.length]).toEqual([name, 1]);
      const validate = ajv.compile({ $ref: `doc#/components/schemas/${name}` });
      for (const example of examples) expect([name, validate(example), validate.errors]).toEqual([name, true, null]);
    }
  });

  test("shows an app in lists as the same object with fewer keys", async () => {
    const { App, AppSummary, SteamDeck, SteamDeckReport } = document.components.schemas;
    for (const [less, more] of [
      [AppSummary, App],
      [SteamDeck, SteamDeckReport],
    ]) {
      const { steam_deck, ...same } = less?.properties ?? {};
      expect(Object.keys(same).length).toBeGreaterThan(5);
      expect(more?.properties).toMatchObject(same);
    }
    const [listed] = (await json<{ data: AppSummary[] }>("/v1/apps?appid=620")).data;
    const app = await json<AppView>("/v1/apps/620");
    expect(listed?.steam_deck).toMatchObject({ category: "verified" });
    expect(app).toMatchObject(listed ?? {});
    // Keys in one order everywhere.
    const order = Object.keys(app);
    expect(Object.keys(listed ?? {})).toEqual(order.filter((key) => listed && key in listed));
    expect(order.slice(0, 3)).toEqual(["appid", "name", "type"]);
  });

  test("pages every list with data, next and cursor, to its end", async () => {
    const lists = operations().filter(
      ({ path, operation }) => /^list/.test(operation.operationId ?? "") && !path.includes("{") && path !== "/v1",
    );
    expect(lists.length).toBeGreaterThan(7);
    const addresses = [
      ...lists.map(({ path, operation }) =>
        operation.parameters?.some(({ name }) => name === "limit") ? `${path}?limit=7` : path,
      ),
      ...[
        "/v1/apps?limit=90&sort=-name",
        "/v1/changes?limit=90&after=0",
        "/v1/apps/620/branches",
        "/v1/apps/620/depots",
      ],
      ...["/v1/depots/621?limit=1", "/v1/apps/620/changes?limit=2"],
    ];
    for (const address of addresses) {
      let seen = 0;
      for (let next: string | null = "", pages = 0; next !== null && pages < 20; pages++) {
        const cursor: string = next === "" ? "" : `${address.includes("?") ? "&" : "?"}cursor=${next}`;
        const page: { data: unknown[]; next: string | null } = await json(`${address}${cursor}`);
        seen += page.data.length;
        ({ next } = page);
      }
      expect([address, seen > 0 || address.includes("620/changes")]).toEqual([address, true]);
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
      ["/v1/apps/{appid}/info", "/v1/apps/620/info"],
      ["/v1/info/{appid}", "/v1/info/620?pretty=1&anything=else"],
      ["/v1/apps/{appid}/branches", "/v1/apps/620/branches"],
      ["/v1/apps/{appid}/depots", "/v1/apps/620/depots"],
      ["/v1/depots/{id}", "/v1/depots/621"],
      ["/v1/apps", "/v1/apps?type=game,dlc&tag=19&deck=verified&deck=playable&sort=-release_date&limit=200"],
      ["/v1/apps", "/v1/apps?appid=1,620&appid=2147483647&machine=playable&frame=unsupported,unknown&ai=any,none"],
      ["/v1/changes", "/v1/changes?after=0&limit=500"],
      ["/v1/changes", "/v1/changes?limit=7"],
      ["/v1/events", "/v1/events?after=0&limit=500&event=build,released&type=game&min_reviews=1"],
      ["/v1/events", "/v1/events?appid=1,620&branch=public"],
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
        { seed, numRuns: 12 },
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
          { seed, numRuns: 15 },
        );
      }
    }
    expect([...statuses.keys()].filter((status) => status >= 500)).toEqual([]);
    expect(statuses.get(400) ?? 0).toBeGreaterThan(100);
    expect((await get("/v1/apps/1")).status).toBe(200);
  });

  test("names each invalid parameter in `errors`, in words, with what was probably meant", async () => {
    const deck = "unknown, unsupported, playable or verified";
    for (const [path, ...details] of [
      ["/v1/apps?limit=abc", 'limit must be a whole number from 1 to 200, not "abc"'],
      ["/v1/apps?limit=201", "limit must be a whole number from 1 to 200, not 201"],
      ["/v1/apps?deck=great", `deck must be ${deck}, not "great"`],
      ["/v1/apps?frame=verifed", `frame must be ${deck}, not "verifed"; did you mean "verified"?`],
      ["/v1/apps?machine=playable,grat,bad", `machine must be ${deck}, not "grat"`],
      ["/v1/apps?vr=onyl", 'vr must be supported or only, not "onyl"'],
      ["/v1/apps?ai=liv", 'ai must be pre_generated, live, any or none, not "liv"; did you mean "live"?'],
      ["/v1/apps?free=yes", 'free must be true or false, not "yes"'],
      ["/v1/apps?appid=1,x", 'appid must be a whole number from 1 to 2147483647, not "x"'],
      [`/v1/apps?appid=${Array.from({ length: 101 }, (_, id) => id + 1)}`, "appid takes at most 100 values"],
      ["/v1/apps?q=a+b+c+d+e+f+g+h+i", 'q must have at most 8 different words, not "a b c d e f g h i"'],
      ["/v1/developers?q=a+b+c+d+e+f+g+h+i", 'q must have at most 8 different words, not "a b c d e f g h i"'],
      [
        "/v1/apps?tag=1&tag=2&tag=3&tag=4&tag=5&tag=6&genre=1&genre=2&genre=3&category=1&publisher=Valve",
        "tag, genre, category, developer, publisher, franchise take at most 10 values together",
      ],
      ["/v1/apps?sort=relevance", "relevance needs q, the words that are searched for"],
      ["/v1/apps?tagg=1", "unknown parameter tagg; did you mean tag?"],
      ["/v1/apps/1?zzzz=1", "unknown parameter zzzz"],
      ["/v1/tags?limit=1", "unknown parameter limit"],
      ["/v1/apps?tag=TAGG%2019", 'unknown tag "TAGG 19"; did you mean "Tag 19"?'],
      ["/v1/apps?genre=Acton", 'unknown genre "Acton"; did you mean "Action"?'],
      ["/v1/apps?developer=valve", 'unknown developer "valve"; did you mean "Valve"?'],
      ["/v1/apps?publisher=Electronic", 'unknown publisher "Electronic"; did you mean "Electronic Arts"?'],
      ["/v1/apps?franchise=Half-Life", 'unknown franchise "Half-Life"'],
      ["/v1/apps?type=games", 'unknown type "games"; did you mean "game"?'],
      ["/v1/apps?platform=Win", 'unknown platform "win"; did you mean "windows"?'],
      ["/v1/apps?sort=name&cursor=x", expect.stringContaining("take `next` of the previous page")],
      ["/v1/apps/x", 'appid must be a whole number from 1 to 2147483647, not "x"'],
      [
        "/v1/apps?limit=0&deck=bad&deck=worse&tagg=1",
        expect.stringMatching(/^deck/),
        expect.stringMatching(/^limit/),
        expect.stringMatching(/^unknown/),
      ],
    ] as [string, ...string[]][]) {
      const reply = await get(path);
      const body = (await reply.json()) as { detail: string; errors: { parameter: string; detail: string }[] };
      const found = body.errors?.map(({ detail }) => detail).toSorted();
      expect([path, reply.status, found]).toEqual([path, 400, details]);
      if (found.length === 1) expect(body.detail.replace(/\.$/, "")).toBe(found[0]);
    }
    // What is repeated counts once.
    const repeated = Array.from({ length: 10 }, () => "tag=19").join("&");
    expect((await get(`/v1/apps?q=a+A+b+B+c+d+e+f+g+h&${repeated}&category=1`)).status).toBe(200);
  });

  test("answers 404 in one form, for apps that are not stored and for paths that do not exist", async () => {
    for (const [path, detail] of [
      ...["", "/changes", "/info", "/branches", "/depots"].map((below) => [
        `/v1/apps/2000000000${below}`,
        "App 2000000000 is not stored.",
      ]),
      ["/v1/info/2000000000", "App 2000000000 is not stored."],
      ["/v1/depots/2000000000", "No stored app has depot 2000000000."],
      ["/v1/app/10", "GET /v1/app/10 does not exist; did you mean /v1/apps/10? GET /v1 lists the endpoints."],
      [
        "/v1/apps/10/branch",
        "GET /v1/apps/10/branch does not exist; did you mean /v1/apps/10/branches? GET /v1 lists the endpoints.",
      ],
      ["/v1/nothing/at/all", "GET /v1/nothing/at/all does not exist. GET /v1 lists the endpoints."],
    ] as [string, string][]) {
      const reply = await get(path);
      expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      expect(await reply.json()).toEqual({ type: "about:blank", title: "Not Found", status: 404, detail });
    }
    const { endpoints } = await json<{ endpoints: Record<string, string> }>("/v1");
    expect(Object.keys(endpoints).toSorted()).toEqual(Object.keys(document.paths).toSorted());
    expect(endpoints["/v1/apps/{appid}"]).toBe("One app with all its fields");
  });
});
