import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import S3rver from "s3rver";

export interface TestS3 {
  /** Environment of a program that uses the bucket: the SDK's own variables and `S3_BUCKET`. */
  env: Record<
    "AWS_ENDPOINT_URL_S3" | "AWS_REGION" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "S3_BUCKET",
    string
  >;
  bucket: string;
  /** A client of the server; closed with it. */
  client(): S3Client;
  /** The keys in the bucket, sorted. */
  objects(): Promise<string[]>;
  close(): Promise<void>;
}

/** Starts an S3 server with one bucket, whose objects are in a temporary folder. */
export async function startS3(bucket: string): Promise<TestS3> {
  const directory = await mkdtemp(join(tmpdir(), "spsync-s3-"));
  const server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: bucket }],
  });
  const { port } = await server.run();
  const clients: S3Client[] = [];
  const env = {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    AWS_REGION: "eu-central-1",
    // The only account of s3rver.
    AWS_ACCESS_KEY_ID: "S3RVER",
    AWS_SECRET_ACCESS_KEY: "S3RVER",
    S3_BUCKET: bucket,
  };

  function client(): S3Client {
    const made = new S3Client({
      endpoint: env.AWS_ENDPOINT_URL_S3,
      region: env.AWS_REGION,
      credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
      forcePathStyle: true,
    });
    clients.push(made);
    return made;
  }

  return {
    env,
    bucket,
    client,
    async objects() {
      const { Contents: contents = [] } = await client().send(new ListObjectsV2Command({ Bucket: bucket }));
      return contents.flatMap(({ Key: key }) => key ?? []);
    },
    async close() {
      for (const each of clients) each.destroy();
      server.httpServer.closeAllConnections();
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
