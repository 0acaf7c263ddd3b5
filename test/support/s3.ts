import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage, RequestListener } from "node:http";
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

/**
 * Starts an S3 server with one bucket, whose objects are in a temporary folder. It refuses the checksums that the AWS SDK
 * sends by default, as Backblaze B2 and Cloudflare R2 do.
 */
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
  refuseChecksums(server);
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
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
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

/** Answers as B2 does: 400 `InvalidArgument` for a header of a checksum, or a body with a trailer. */
function refuseChecksums({ httpServer }: S3rver): void {
  const [serve] = httpServer.listeners("request") as RequestListener[];
  httpServer.removeAllListeners("request");
  httpServer.on("request", (request, response) => {
    const header = checksumHeader(request);
    if (header === null) return serve?.(request, response);
    const message = `Unsupported header '${header}' received for this API call.`;
    response.writeHead(400, { "content-type": "application/xml", connection: "close" });
    response.end(`<?xml version="1.0"?><Error><Code>InvalidArgument</Code><Message>${message}</Message></Error>`);
  });
}

function checksumHeader({ headers }: IncomingMessage): string | null {
  const name = Object.keys(headers).find((each) => /^x-amz-(sdk-)?checksum-|^x-amz-trailer$/.test(each));
  const isChunked = headers["content-encoding"]?.includes("aws-chunked");
  return name ?? (isChunked ? "content-encoding" : null);
}
