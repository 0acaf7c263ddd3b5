import http from "node:http";
import https from "node:https";
import { S3Client, type S3ClientConfig, S3ServiceException } from "@aws-sdk/client-s3";
import { errorCode, WebError } from "../process/errors.ts";
import { SettingRejectedError } from "./errors.ts";
import { readOwnStore, readRegion } from "./s3-settings.ts";

/**
 * S3 client that is configured by the SDK's own variables and files, and honors HTTPS_PROXY and NO_PROXY, which the
 * SDK's default agents ignore.
 *
 * For a store that is not Amazon's it sends no checksums that the operation does not require: B2, R2, older MinIO and
 * others refuse `x-amz-checksum-*` and bodies with a trailer, which the SDK sends by default since 2025. It addresses the
 * bucket in the path, because such a store may have no host name per bucket, and needs no region.
 *
 * @throws {ConfigError} when the endpoint is no URL.
 */
export function createS3Client(): S3Client {
  const agent = { keepAlive: true, proxyEnv: process.env };
  const requestHandler = { httpAgent: new http.Agent(agent), httpsAgent: new https.Agent(agent) };
  return new S3Client({ ...storeOptions(), requestHandler });
}

function storeOptions(): S3ClientConfig {
  const own = readOwnStore(process.env);
  if (own !== null) {
    return {
      ...own,
      forcePathStyle: true,
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    };
  }
  const region = readRegion(process.env);
  return region === null ? {} : { region };
}

/** A request to a bucket, for messages. */
export interface S3Request {
  bucket: string;
  /** `writing s3://bucket/key` */
  what: string;
  /** What a policy has to allow. */
  privilege: string;
}

/**
 * Turns an error of the SDK into one that says what to do: a {@link SettingRejectedError} when the operator has to
 * correct something, a {@link WebError} when the store is unreachable. Null for any other error.
 */
export function explainS3Error(error: unknown, request: S3Request): SettingRejectedError | WebError | null {
  if (error instanceof S3ServiceException) return explainAnswer(error, request);
  if (!(error instanceof Error)) return null;
  const { bucket, what } = request;
  // The SDK gives this error no code.
  if (error.message === "Region is missing") {
    return new SettingRejectedError(
      `S3 needs the region of the bucket ${bucket}: set AWS_REGION (such as eu-central-1), or AWS_ENDPOINT_URL_S3 for a store that is not Amazon's.`,
    );
  }
  if (error.name === "CredentialsProviderError") {
    const keys = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
    return new SettingRejectedError(`No credentials for S3 are found: ${keys} (${firstLine(error.message)}).`);
  }
  const code = errorCode(error) ?? (error.name === "TimeoutError" ? error.name : null);
  return code === null ? null : new WebError("unreachable", `S3 gives no answer while ${what}: ${code}`);
}

/** Codes of S3's documentation (ErrorResponses), which the other stores copy, each with its remedy. */
function remedyOf(name: string, { bucket, privilege }: S3Request): string | null {
  switch (name) {
    case "NoSuchBucket":
      return `the bucket ${bucket} does not exist: create it, or correct S3_BUCKET or AWS_ENDPOINT_URL_S3`;
    case "InvalidBucketName":
      return `${bucket} is no name of a bucket: correct S3_BUCKET`;
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
    case "InvalidToken":
      return "the credentials are wrong: correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    case "ExpiredToken":
    case "ExpiredTokenException":
      return "the credentials have expired: get new ones";
    case "RequestTimeTooSkewed":
    case "RequestExpired":
      return "the clock of this machine is wrong: set it";
    case "AuthorizationHeaderMalformed":
    case "PermanentRedirect":
    case "IllegalLocationConstraintException":
      return `the bucket ${bucket} is in another region: set AWS_REGION to it`;
    case "AccessDenied":
      return `check the credentials, and that their policy allows ${privilege}`;
    default:
      return null;
  }
}

function explainAnswer(error: S3ServiceException, request: S3Request): SettingRejectedError | WebError | null {
  const { httpStatusCode: status = 0 } = error.$metadata;
  // A redirect's body may be missing; a 403 may come from a proxy or a store with codes of its own.
  const byStatus = status === 301 ? "PermanentRedirect" : status === 403 ? "AccessDenied" : "";
  const remedy = remedyOf(error.name, request) ?? remedyOf(byStatus, request);
  if (remedy !== null) {
    const refuses = status === 403 ? "denies" : "refuses";
    return new SettingRejectedError(`S3 ${refuses} ${request.what} (${error.name}): ${remedy}.`);
  }
  if (status < 500 && status !== 429) return null;
  return new WebError("unreachable", `S3 answered ${status} while ${request.what} (${error.name})`, status);
}

const firstLine = (text: string) => (text.split("\n")[0] ?? "").replace(/\.$/, "");
