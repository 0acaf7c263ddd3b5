/** The S3 store against an S3 server, over a socket. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { GetObjectCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { readRawCsv, writeRawCsv } from "../../src/library/csv.ts";
import { ImportRejectedError } from "../../src/library/errors.ts";
import { createS3Store } from "../../src/library/s3-store.ts";
import { startS3, type TestS3 } from "../support/s3.ts";
import { startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { libraryGame } from "../unit/library/samples.ts";

const type = "text/csv; charset=utf-8";
const bucket = "library-imports";

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3(bucket);
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3.close();
});

describe("the S3 store", () => {
  it("reads back what it wrote, configured by the SDK's own variables", async () => {
    const store = createS3Store(bucket);
    const body = 'name\n"é🎮\r\n夜",\r=1\u0000';
    const key = "imports/auth0|5f:7@a+b/arn:aws:states:run-7-raw.csv";
    const location = await store.put(key, body, type);
    expect(location).toBe(`s3://${bucket}/${key}`);
    expect(store.keyOf(location)).toBe(key);
    expect(await store.get(location)).toBe(body);
    expect(await s3.objects()).toEqual([key]);
    const head = await s3.client().send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    expect(head).toMatchObject({ ContentType: type, ContentLength: Buffer.byteLength(body) });
  });

  it("stores the exact bytes of the file, without chunk headers or checksums", async () => {
    const store = createS3Store(bucket, s3.client());
    const games = Array.from({ length: 10_000 }, (_, i) => libraryGame({ appid: i + 1, name: `Game "${i}" 🎮` }));
    const body = writeRawCsv(games);
    expect(Buffer.byteLength(body)).toBeGreaterThan(400_000);
    const location = await store.put("imports/u1/large-raw.csv", body, type);
    const got = await s3.client().send(new GetObjectCommand({ Bucket: bucket, Key: "imports/u1/large-raw.csv" }));
    expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(Buffer.from(body))).toBe(true);
    expect(readRawCsv(await store.get(location))).toEqual(games);
  });

  it("replaces objects atomically, also with concurrent writes", async () => {
    const store = createS3Store(bucket, s3.client());
    const key = "imports/u1/run-7-raw.csv";
    await store.put(key, "a much longer body", type);
    expect(await store.get(await store.put(key, "short", type))).toBe("short");
    const bodies = Array.from({ length: 8 }, (_, i) => String(i).repeat(50_000));
    const [location = ""] = await Promise.all(bodies.map((body) => store.put(key, body, type)));
    expect(bodies).toContain(await store.get(location));
    expect((await s3.objects()).filter((each) => each === key)).toHaveLength(1);
  });

  it("throws ImportRejectedError for a missing object", async () => {
    const location = `s3://${bucket}/imports/u1/none-raw.csv`;
    const work = createS3Store(bucket, s3.client()).get(location);
    await expect(work).rejects.toThrow(new ImportRejectedError(`The object ${location} does not exist.`));
  });
});

describe("the S3 store without access", () => {
  it("says what is denied and which privilege it needs", async () => {
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const) {
      vi.stubEnv(name, "WRONG");
      onTestFinished(() => {
        vi.stubEnv(name, s3.env[name]);
      });
    }
    const store = createS3Store(bucket);
    const location = `s3://${bucket}/imports/u1/none-raw.csv`;
    await expect(store.get(location)).rejects.toMatchObject({
      name: "SettingRejectedError",
      message: expect.stringMatching(
        `S3 denies reading ${location} \\(\\w+\\): the credentials are wrong: .*AWS_ACCESS_KEY_ID`,
      ),
    });
    await expect(store.put("imports/u1/a-raw.csv", "b", type)).rejects.toMatchObject({
      name: "SettingRejectedError",
      message: expect.stringMatching(/S3 denies writing s3:.*AWS_SECRET_ACCESS_KEY\.$/),
    });
  });
});

describe("the S3 store of an own endpoint", () => {
  const name = "imports/u1/own-raw.csv";

  it.each([
    ["AWS_ENDPOINT_URL_S3", () => ({})],
    ["AWS_ENDPOINT_URL", (url: string) => ({ AWS_ENDPOINT_URL_S3: "", AWS_ENDPOINT_URL: `${url}/` })],
    [
      "a profile",
      (url: string) => ({
        AWS_ENDPOINT_URL_S3: "",
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_PROFILE: "own",
        AWS_CONFIG_FILE: profile(url),
      }),
    ],
  ])("works with %s alone, without a region, and with a server that refuses checksums", async (_, changes) => {
    const env = { AWS_REGION: undefined, ...changes(s3.env.AWS_ENDPOINT_URL_S3) };
    for (const [variable, value] of Object.entries(env)) vi.stubEnv(variable, value);
    onTestFinished(() => {
      for (const variable of Object.keys(env)) vi.stubEnv(variable, (s3.env as Record<string, string>)[variable]);
    });
    const store = createS3Store(bucket);
    expect(await store.get(await store.put(name, "text", type))).toBe("text");
  });

  it("would not work with the default of the AWS SDK", async () => {
    const { AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: region } = s3.env;
    const client = new S3Client({ endpoint, region, forcePathStyle: true });
    onTestFinished(() => client.destroy());
    await expect(createS3Store(bucket, client).put(name, "text", type)).rejects.toMatchObject({
      name: "InvalidArgument",
    });
  });

  function profile(url: string): string {
    const path = join(mkdtempSync(join(tmpdir(), "spsync-aws-")), "config");
    onTestFinished(() => rmSync(dirname(path), { recursive: true }));
    writeFileSync(
      path,
      `[default]\nregion = nowhere\n[profile own]\naws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = ${url}\n`,
    );
    return path;
  }
});

describe("the S3 store with a setting that is missing or wrong", () => {
  it.each(["put", "get"])("names the bucket that does not exist (%s)", async (what) => {
    const store = createS3Store("another-bucket", s3.client());
    const work = what === "put" ? store.put("a", "b", type) : store.get("s3://another-bucket/a");
    await expect(work).rejects.toMatchObject({
      name: "SettingRejectedError",
      message: expect.stringMatching(/the bucket another-bucket does not exist: create it, or correct S3_BUCKET/),
    });
  });

  it.each([
    ["a region", { AWS_REGION: undefined, AWS_ENDPOINT_URL_S3: undefined }, /set AWS_REGION .* or AWS_ENDPOINT_URL_S3/],
    [
      "credentials",
      { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_EC2_METADATA_DISABLED: "true" },
      /No credentials for S3 are found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
    ],
  ])("says how to set %s", async (_, changes, message) => {
    const env = { AWS_CONFIG_FILE: "/nothing", AWS_SHARED_CREDENTIALS_FILE: "/nothing", ...changes };
    for (const [variable, value] of Object.entries(env)) vi.stubEnv(variable, value);
    onTestFinished(() => {
      for (const variable of Object.keys(env)) vi.stubEnv(variable, (s3.env as Record<string, string>)[variable]);
    });
    const work = createS3Store(bucket).put("a", "b", type);
    await expect(work).rejects.toMatchObject({ name: "SettingRejectedError", message: expect.stringMatching(message) });
  });

  it("throws WebError when the server is unreachable, so that a retry follows", async () => {
    const client = new S3Client({
      endpoint: "http://127.0.0.1:9",
      region: "eu-central-1",
      credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
      maxAttempts: 1,
    });
    onTestFinished(() => client.destroy());
    await expect(createS3Store(bucket, client).put("a", "b", type)).rejects.toMatchObject({
      name: "WebError",
      fault: "unreachable",
      message: expect.stringMatching(/^S3 gives no answer while writing s3:.*ECONNREFUSED$/),
    });
  });
});

describe("the S3 store for a location of another store", () => {
  const key = "imports/u1/run-7-raw.csv";
  it.each([
    `s3://other-bucket/${key}`,
    `s3://${bucket}2/${key}`,
    `s3://${bucket.toUpperCase()}/${key}`,
    `s3://${bucket}`,
    `s3:///${bucket}/${key}`,
    `file:///${bucket}/${key}`,
    `https://${bucket}.s3.amazonaws.com/${key}`,
    key,
    "",
  ])("throws ImportRejectedError: %s", async (location) => {
    const store = createS3Store(bucket, s3.client());
    expect(() => store.keyOf(location)).toThrow(ImportRejectedError);
    await expect(store.get(location)).rejects.toThrow(`is not in the bucket of the import files, s3://${bucket}/.`);
  });
});

it("the S3 store uses the proxy of the environment", async () => {
  const requests: string[] = [];
  const host = `${bucket}.s3.sim-1.amazonaws.com`;
  const steam = await startSimulatedSteam({
    routes: [
      {
        host,
        path: "/",
        handle({ method, url, body }, response) {
          requests.push(`${method} ${url.pathname} ${body}`);
          response.writeHead(200).end();
        },
      },
    ],
  });
  const removeTrust = steam.trustHere();
  for (const [name, value] of Object.entries({ ...steam.env, AWS_REGION: "sim-1" })) vi.stubEnv(name, value);
  vi.stubEnv("AWS_ENDPOINT_URL_S3", undefined);
  onTestFinished(async () => {
    for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
    for (const name of Object.keys(steam.env)) vi.stubEnv(name, undefined);
    removeTrust();
    await steam.close();
  });
  await createS3Store(bucket).put("imports/u1/1-raw.csv", "text", type);
  expect(requests).toEqual(["PUT /imports/u1/1-raw.csv text"]);
});
