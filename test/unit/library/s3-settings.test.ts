import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S3ServiceException } from "@aws-sdk/client-s3";
import { describe, expect, it, onTestFinished } from "vitest";
import { explainS3Error } from "../../../src/library/s3-client.ts";
import { readOwnStore, readRegion } from "../../../src/library/s3-settings.ts";
import { ConfigError } from "../../../src/process/errors.ts";

/** An environment with AWS files of this content; without content there are none. */
function environment(variables: Record<string, string>, { config = "", credentials = "" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "spsync-aws-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [first, second] = [join(folder, "config"), join(folder, "credentials")];
  if (config) writeFileSync(first, config);
  if (credentials) writeFileSync(second, credentials);
  return { AWS_CONFIG_FILE: first, AWS_SHARED_CREDENTIALS_FILE: second, ...variables };
}

const b2 = "https://s3.us-west-004.backblazeb2.com";

describe("readOwnStore", () => {
  it.each([
    [{ AWS_ENDPOINT_URL_S3: b2 }, { endpoint: b2, region: "us-west-004" }],
    [{ AWS_ENDPOINT_URL_S3: ` ${b2}/ ` }, { endpoint: b2, region: "us-west-004" }],
    [
      { AWS_ENDPOINT_URL: b2, AWS_ENDPOINT_URL_S3: "" },
      { endpoint: b2, region: "us-west-004" },
    ],
    [
      { AWS_ENDPOINT_URL_S3: b2, AWS_ENDPOINT_URL: "http://x", AWS_REGION: "a-1" },
      { endpoint: b2, region: "a-1" },
    ],
    [
      { AWS_ENDPOINT_URL_S3: b2, AWS_DEFAULT_REGION: "b-1" },
      { endpoint: b2, region: "b-1" },
    ],
    [{ AWS_ENDPOINT_URL_S3: "http://minio:9000" }, { endpoint: "http://minio:9000", region: "us-east-1" }],
    [{ AWS_ENDPOINT_URL_S3: "http://10.0.0.7:9000/s3" }, { endpoint: "http://10.0.0.7:9000/s3", region: "us-east-1" }],
    [
      { AWS_ENDPOINT_URL_S3: "https://0a1b.r2.cloudflarestorage.com" },
      { endpoint: "https://0a1b.r2.cloudflarestorage.com", region: "auto" },
    ],
    [
      { AWS_ENDPOINT_URL_S3: "https://s3.fr-par.scw.cloud" },
      { endpoint: "https://s3.fr-par.scw.cloud", region: "fr-par" },
    ],
    [
      { AWS_ENDPOINT_URL_S3: "https://s3.wasabisys.com" },
      { endpoint: "https://s3.wasabisys.com", region: "us-east-1" },
    ],
    [{ AWS_ENDPOINT_URL_S3: b2, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" }, null],
    [{ AWS_REGION: "eu-central-1" }, null],
  ] as [Record<string, string>, object | null][])("reads %j", (variables, store) => {
    expect(readOwnStore(environment(variables))).toEqual(store);
  });

  const config = `
# comment
[default]
region = eu-west-1
[profile r2]
endpoint_url=https://all.example.org
region = auto
services = only-s3
[ services only-s3 ]
dynamodb =
  endpoint_url = http://localhost:8000
s3 =
  endpoint_url = https://r2.example.org
[profile plain]\r
endpoint_url = https://plain.example.org\r
`;
  it.each([
    [{}, null],
    [{ AWS_PROFILE: "r2" }, { endpoint: "https://r2.example.org", region: "auto" }],
    [{ AWS_PROFILE: "plain" }, { endpoint: "https://plain.example.org", region: "us-east-1" }],
    [{ AWS_PROFILE: "none" }, null],
    [
      { AWS_PROFILE: "r2", AWS_ENDPOINT_URL: b2 },
      { endpoint: b2, region: "auto" },
    ],
  ] as [Record<string, string>, object | null][])("reads the profile of %j", (variables, store) => {
    expect(readOwnStore(environment(variables, { config }))).toEqual(store);
  });

  it("reads the region of either file", () => {
    expect(readRegion(environment({}, { config }))).toBe("eu-west-1");
    expect(readRegion(environment({}, { config, credentials: "[default]\nregion = eu-north-1" }))).toBe("eu-north-1");
    expect(readRegion(environment({ AWS_REGION: "us-west-2" }, { config }))).toBe("us-west-2");
    expect(readRegion(environment({}))).toBeNull();
  });

  it.each(["s3.us-west-004.backblazeb2.com", "minio:9000", "ftp://x"])("refuses the endpoint %j", (url) => {
    expect(() => readOwnStore(environment({ AWS_ENDPOINT_URL_S3: url }))).toThrow(ConfigError);
  });
});

describe("explainS3Error", () => {
  const request = { bucket: "b", what: "writing s3://b/k", privilege: "s3:PutObject" };
  const answer = (name: string, httpStatusCode: number) =>
    new S3ServiceException({ name, $fault: "client", $metadata: { httpStatusCode }, message: name });

  it.each([
    [
      "AccessDenied",
      403,
      "S3 denies writing s3://b/k (AccessDenied): check the credentials, and that their policy allows s3:PutObject.",
    ],
    ["Forbidden", 403, "S3 denies writing s3://b/k (Forbidden): check the credentials"],
    ["InvalidAccessKeyId", 403, "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"],
    ["SignatureDoesNotMatch", 403, "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"],
    ["ExpiredToken", 400, "the credentials have expired"],
    ["RequestTimeTooSkewed", 403, "the clock of this machine is wrong: set it"],
    ["NoSuchBucket", 404, "the bucket b does not exist: create it"],
    ["InvalidBucketName", 400, "correct S3_BUCKET"],
    ["AuthorizationHeaderMalformed", 400, "set AWS_REGION"],
    ["PermanentRedirect", 301, "set AWS_REGION"],
    ["301", 301, "set AWS_REGION"],
  ])("says what to do about %s", (name, status, sentence) => {
    const fault = explainS3Error(answer(name, status), request);
    expect(fault).toMatchObject({ name: "SettingRejectedError", message: expect.stringContaining(sentence) });
    expect(fault?.message).not.toContain("\n");
  });

  it("calls a store that is overloaded or away unreachable, and leaves other errors as they are", () => {
    for (const status of [429, 500, 503]) {
      expect(explainS3Error(answer("SlowDown", status), request)).toMatchObject({ fault: "unreachable", status });
    }
    for (const other of [answer("EntityTooLarge", 400), new Error("a bug"), "text", null]) {
      expect(explainS3Error(other, request)).toBeNull();
    }
  });
});
