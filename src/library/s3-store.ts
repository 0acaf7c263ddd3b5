import http from "node:http";
import https from "node:https";
import { GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { ImportRejectedError, SettingRejectedError } from "./errors.ts";
import type { ObjectStore } from "./object-store.ts";

/**
 * Object store in an S3 bucket. Region, credentials, endpoint and retries are configured by the SDK's own variables
 * (`AWS_REGION`, `AWS_ENDPOINT_URL_S3`, `AWS_MAX_ATTEMPTS`, …). S3's PutObject is atomic.
 */
export function createS3Store(bucket: string, client: S3Client = createS3Client()): ObjectStore {
  function keyOf(location: string): string {
    const prefix = `s3://${bucket}/`;
    if (location.startsWith(prefix)) return location.slice(prefix.length);
    throw new ImportRejectedError(`${location} is not in the bucket of the import files, ${prefix}.`);
  }

  return {
    keyOf,
    async put(key, body, contentType) {
      const location = `s3://${bucket}/${key}`;
      const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: contentType });
      try {
        await client.send(command);
      } catch (error) {
        throw deniedFault(error, `writing ${location}`, "s3:PutObject") ?? error;
      }
      return location;
    },
    async get(location) {
      try {
        const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(location) }));
        return (await body?.transformToString("utf-8")) ?? "";
      } catch (error) {
        if (error instanceof NoSuchKey) throw new ImportRejectedError(`The object ${location} does not exist.`);
        // Without s3:ListBucket, S3 answers 403 for an object that does not exist, too.
        throw deniedFault(error, `reading ${location}`, "s3:GetObject, and s3:ListBucket on the bucket") ?? error;
      }
    },
  };
}

/** The fault behind a 403: a privilege that is missing, or credentials that are wrong. Null for any other error. */
function deniedFault(error: unknown, what: string, privilege: string): SettingRejectedError | null {
  if (!(error instanceof S3ServiceException) || error.$metadata.httpStatusCode !== 403) return null;
  return new SettingRejectedError(
    `S3 denies ${what} (${error.name}): check the AWS credentials, and that their policy allows ${privilege}.`,
  );
}

/**
 * S3 client that honors HTTPS_PROXY and NO_PROXY, which the SDK's default agents ignore. With a custom endpoint (MinIO,
 * a test server) it uses path-style addressing, because such a server has no host name per bucket.
 */
export function createS3Client(): S3Client {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const agent = { keepAlive: true, proxyEnv: process.env };
  return new S3Client({
    forcePathStyle: (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined,
    requestHandler: { httpAgent: new http.Agent(agent), httpsAgent: new https.Agent(agent) },
  });
}
