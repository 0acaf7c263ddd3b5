import http from "node:http";
import https from "node:https";
import { GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { ImportRejectedError } from "./errors.ts";
import type { ObjectStore } from "./object-store.ts";

/**
 * Objects in an S3 bucket. Region, credentials and endpoint are the SDK's own variables (`AWS_REGION`, `AWS_ENDPOINT_URL_S3`, …), and so are
 * its retries. S3 shows an object whole or not at all.
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
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: contentType }));
      return `s3://${bucket}/${key}`;
    },
    async get(location) {
      try {
        const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(location) }));
        return (await body?.transformToString("utf-8")) ?? "";
      } catch (error) {
        if (error instanceof NoSuchKey) throw new ImportRejectedError(`There is no object ${location}.`);
        throw error;
      }
    },
  };
}

/**
 * A server of one's own (MinIO, a test) is addressed by path: its name has no host for each bucket. The SDK makes agents of its own unless it is
 * given some, and those would not know of HTTPS_PROXY and NO_PROXY.
 */
export function createS3Client(): S3Client {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const agent = { keepAlive: true, proxyEnv: process.env };
  return new S3Client({
    forcePathStyle: (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined,
    requestHandler: { httpAgent: new http.Agent(agent), httpsAgent: new https.Agent(agent) },
  });
}
