import { GetObjectCommand, NoSuchKey, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { ImportRejectedError } from "./errors.ts";
import type { ObjectStore } from "./object-store.ts";
import { createS3Client, explainS3Error } from "./s3-client.ts";

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
        throw explainS3Error(error, { bucket, what: `writing ${location}`, privilege: "s3:PutObject" }) ?? error;
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
        const privilege = "s3:GetObject, and s3:ListBucket on the bucket";
        throw explainS3Error(error, { bucket, what: `reading ${location}`, privilege }) ?? error;
      }
    },
  };
}
